//! **Cron**: what a workflow's `cron_schedule` means, and when it fires next.
//!
//! May depend on: `jiff`, for the offsets of time zones.
//!
//! Rules: behaviour section 6.4, which are those of robfig/cron v3's standard parser: five fields
//! or a descriptor, an optional `CRON_TZ=` or `TZ=` in front, UTC without one.

pub mod duration;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use crate::zone;

const SECOND_NS: i64 = 1_000_000_000;

/// Set in a field that was written with a star.
const STAR: u64 = 1 << 63;

/// A search for the next fire gives up after so many years.
const YEARS_MAX: i16 = 5;

/// Why a schedule is refused. `Display` is the message on the wire, INVALID_ARGUMENT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It is not a schedule.
    #[error("invalid CronSchedule.")]
    Invalid,
    /// It is one, but no time of the next five years fits it.
    #[error("invalid CronSchedule, no time can be found to satisfy the schedule")]
    Never,
}

/// A parsed schedule.
#[derive(Clone, Debug)]
pub struct Cron(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// `@every`: whole seconds, at least one.
    Every { seconds: i64 },
    /// Anything else: sets of minutes, hours and so on.
    Fields(Fields),
}

/// One bit a value, and [`STAR`]. Seconds are always 0.
#[derive(Clone, Debug)]
struct Fields {
    minute: u64,
    hour: u64,
    day_of_month: u64,
    month: u64,
    day_of_week: u64,
    zone: TimeZone,
}

impl Cron {
    /// Parses a schedule. An empty one is the caller's "none", and an error here.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let (zone, rest) = split_zone(text)?;
        if rest.starts_with('@') {
            return Ok(Self(descriptor(rest, zone)?));
        }
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let [minute, hour, day_of_month, month, day_of_week] = fields[..] else {
            return Err(CronError::Invalid);
        };
        Ok(Self(Kind::Fields(Fields {
            minute: field(minute, &MINUTES)?,
            hour: field(hour, &HOURS)?,
            day_of_month: field(day_of_month, &DAYS_OF_MONTH)?,
            month: field(month, &MONTHS)?,
            day_of_week: field(day_of_week, &DAYS_OF_WEEK)?,
            zone,
        })))
    }

    /// What a request's `cron_schedule` goes through: parses it, and demands that it ever fires.
    pub fn validate(text: &str, now_ns: i64) -> Result<Self, CronError> {
        let cron = Self::parse(text)?;
        match cron.next_after(now_ns) {
            Some(_) => Ok(cron),
            None => Err(CronError::Never),
        }
    }

    /// The first fire after `after_ns`, both in nanoseconds since the epoch; always at a whole
    /// second. None when there is none within five years.
    ///
    /// Local times that a clock change skips do not fire, and those that it repeats may fire twice.
    pub fn next_after(&self, after_ns: i64) -> Option<i64> {
        let second = after_ns.div_euclid(SECOND_NS);
        let next = match &self.0 {
            Kind::Every { seconds } => second.checked_add(*seconds)?,
            Kind::Fields(fields) => fields.next(second.checked_add(1)?)?,
        };
        next.checked_mul(SECOND_NS)
    }

    /// How long the first workflow task of the next run waits: until the first fire at or after
    /// `now_ns` that follows the previous run's execution time (its start plus its own wait). Fires
    /// that were missed meanwhile are skipped. Whole seconds, rounded up. None: no such fire.
    pub fn backoff(&self, previous_execution_ns: i64, now_ns: i64) -> Option<Duration> {
        let next = if now_ns < previous_execution_ns {
            previous_execution_ns
        } else {
            self.first_not_before(previous_execution_ns, now_ns)?
        };
        let nanos = u64::try_from(next.checked_sub(now_ns)?).ok()?;
        Some(Duration::from_secs(nanos.div_ceil(SECOND_NS as u64)))
    }

    /// The first fire of the series that follows `from_ns`, not before `now_ns`.
    fn first_not_before(&self, from_ns: i64, now_ns: i64) -> Option<i64> {
        let first = self.next_after(from_ns)?;
        if first >= now_ns {
            return Some(first);
        }
        match &self.0 {
            // A series of its own: it counts from where it began.
            Kind::Every { seconds } => {
                let step = seconds.checked_mul(SECOND_NS)?;
                let steps = now_ns.checked_sub(first)?.checked_add(step - 1)? / step;
                first.checked_add(steps.checked_mul(step)?)
            }
            Kind::Fields(_) => self.next_after(now_ns.checked_sub(1)?),
        }
    }
}

/// The zone in front of a schedule, and the rest.
fn split_zone(text: &str) -> Result<(TimeZone, &str), CronError> {
    let Some(named) = text
        .strip_prefix("CRON_TZ=")
        .or_else(|| text.strip_prefix("TZ="))
    else {
        return Ok((TimeZone::UTC, text));
    };
    let (name, rest) = named.split_once(' ').ok_or(CronError::Invalid)?;
    let zone = zone::named(name).ok_or(CronError::Invalid)?;
    Ok((zone, rest.trim()))
}

fn descriptor(text: &str, zone: TimeZone) -> Result<Kind, CronError> {
    if let Some(span) = text.strip_prefix("@every ") {
        let nanos = duration::parse(span).ok_or(CronError::Invalid)?;
        return Ok(Kind::Every {
            seconds: (nanos / SECOND_NS).max(1),
        });
    }
    let all = |bounds: &Bounds| bits(bounds.min, bounds.max, 1) | STAR;
    let first = |bounds: &Bounds| 1 << bounds.min;
    let mut fields = Fields {
        minute: first(&MINUTES),
        hour: first(&HOURS),
        day_of_month: all(&DAYS_OF_MONTH),
        month: all(&MONTHS),
        day_of_week: all(&DAYS_OF_WEEK),
        zone,
    };
    match text {
        "@yearly" | "@annually" => {
            fields.day_of_month = first(&DAYS_OF_MONTH);
            fields.month = first(&MONTHS);
        }
        "@monthly" => fields.day_of_month = first(&DAYS_OF_MONTH),
        "@weekly" => fields.day_of_week = first(&DAYS_OF_WEEK),
        "@daily" | "@midnight" => {}
        "@hourly" => fields.hour = all(&HOURS),
        _ => return Err(CronError::Invalid),
    }
    Ok(Kind::Fields(fields))
}

/// What a field may hold.
struct Bounds {
    min: u32,
    max: u32,
    /// Names of the values, from `min` on.
    names: &'static [&'static str],
}

const fn bounds(min: u32, max: u32, names: &'static [&'static str]) -> Bounds {
    Bounds { min, max, names }
}

const MINUTES: Bounds = bounds(0, 59, &[]);
const HOURS: Bounds = bounds(0, 23, &[]);
const DAYS_OF_MONTH: Bounds = bounds(1, 31, &[]);
const MONTHS: Bounds = bounds(
    1,
    12,
    &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
);
const DAYS_OF_WEEK: Bounds = bounds(0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]);

/// A comma list of ranges. Empty items are skipped; a field of nothing else never matches.
fn field(text: &str, bounds: &Bounds) -> Result<u64, CronError> {
    text.split(',')
        .filter(|item| !item.is_empty())
        .try_fold(0, |set, item| Ok(set | range(item, bounds)?))
}

/// `*` or `?`, a number, or `number-number`; each perhaps with `/step`. `n/step` runs to the end.
fn range(text: &str, bounds: &Bounds) -> Result<u64, CronError> {
    let (values, step) = match text.split_once('/') {
        Some((values, step)) => (values, Some(number(step)?)),
        None => (text, None),
    };
    let (low, high) = match values.split_once('-') {
        Some((low, high)) => (low, Some(high)),
        None => (values, None),
    };
    let star = matches!(low, "*" | "?");
    let (start, mut end) = if star {
        (bounds.min, bounds.max)
    } else {
        let start = value(low, bounds)?;
        (start, high.map_or(Ok(start), |high| value(high, bounds))?)
    };
    if step.is_some() && high.is_none() {
        end = bounds.max;
    }
    let step = step.unwrap_or(1);
    if start < bounds.min || end > bounds.max || start > end || step == 0 {
        return Err(CronError::Invalid);
    }
    let extra = if star && step == 1 { STAR } else { 0 };
    Ok(bits(start, end, step) | extra)
}

fn value(text: &str, bounds: &Bounds) -> Result<u32, CronError> {
    let named = bounds
        .names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text));
    match named {
        // There are at most twelve names.
        Some(index) => Ok(bounds.min + index as u32),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, CronError> {
    text.parse().map_err(|_| CronError::Invalid)
}

fn bits(start: u32, end: u32, step: u32) -> u64 {
    (start..=end)
        .step_by(step as usize)
        .fold(0, |set, value| set | 1 << value)
}

impl Fields {
    /// The first fire at or after `second` (since the epoch).
    ///
    /// Walks from coarse to fine: while a part of the local time does not fit, it moves on by one
    /// of that part and clears the finer ones; a part that wraps around starts over from the
    /// month. Steps are taken in local calendar days but in real hours, which is what decides what
    /// happens around clock changes.
    fn next(&self, second: i64) -> Option<i64> {
        let mut at = Local::new(second, &self.zone)?;
        let last_year = at.time.year().checked_add(YEARS_MAX)?;
        // Once any part has moved, the finer parts are clear and stay so.
        let mut moved = false;
        'wrap: loop {
            if at.time.year() > last_year {
                return None;
            }
            while !has(self.month, at.time.month()) {
                if !moved {
                    moved = true;
                    at = at.on(at.time.date().first_of_month(), 0)?;
                }
                at = at.on(at.next_month()?, 0)?.first_of_day()?;
                if at.time.month() == 1 {
                    continue 'wrap;
                }
            }
            while !self.fits_day(at.time) {
                if !moved {
                    moved = true;
                    at = at.on(at.time.date(), 0)?;
                }
                at = at.on(at.time.date().tomorrow().ok()?, 0)?.first_of_day()?;
                if at.time.day() == 1 {
                    continue 'wrap;
                }
            }
            while !has(self.hour, at.time.hour()) {
                if !moved {
                    moved = true;
                    at = at.on(at.time.date(), at.time.hour())?;
                }
                at = at.plus(3600)?;
                if at.time.hour() == 0 {
                    continue 'wrap;
                }
            }
            while !has(self.minute, at.time.minute()) {
                if !moved {
                    moved = true;
                    at = at.plus(-i64::from(at.time.second()))?;
                }
                at = at.plus(60)?;
                if at.time.minute() == 0 {
                    continue 'wrap;
                }
            }
            if at.time.second() != 0 {
                moved = true;
                at = at.plus(60 - i64::from(at.time.second()))?;
                // A new minute, so everything has to be looked at again.
                continue 'wrap;
            }
            return Some(at.second);
        }
    }

    /// Both day fields must fit if one of them was a star, either one if none was.
    fn fits_day(&self, time: civil::DateTime) -> bool {
        let month = has(self.day_of_month, time.day());
        let week = has(self.day_of_week, time.weekday().to_sunday_zero_offset());
        if (self.day_of_month | self.day_of_week) & STAR != 0 {
            month && week
        } else {
            month || week
        }
    }
}

fn has(set: u64, value: i8) -> bool {
    set & (1 << value) != 0
}

/// An instant, and what clocks in a zone show at it.
#[derive(Clone, Copy)]
struct Local<'a> {
    second: i64,
    time: civil::DateTime,
    zone: &'a TimeZone,
}

impl<'a> Local<'a> {
    fn new(second: i64, zone: &'a TimeZone) -> Option<Self> {
        let time = zone.to_datetime(Timestamp::from_second(second).ok()?);
        Some(Self { second, time, zone })
    }

    /// The instant at which clocks show this date and hour, sharp. For an hour that they skip, one
    /// an hour off; for one that they repeat, either.
    fn on(self, date: civil::Date, hour: i8) -> Option<Self> {
        let offset = |second| {
            let instant = Timestamp::from_second(second).ok()?;
            Some(i64::from(self.zone.to_offset(instant).seconds()))
        };
        let as_utc = TimeZone::UTC
            .to_timestamp(date.at(hour, 0, 0, 0))
            .ok()?
            .as_second();
        let second = as_utc - offset(as_utc - offset(as_utc)?)?;
        Self::new(second, self.zone)
    }

    fn plus(self, seconds: i64) -> Option<Self> {
        Self::new(self.second.checked_add(seconds)?, self.zone)
    }

    /// The first of the next month.
    fn next_month(self) -> Option<civil::Date> {
        self.time.date().last_of_month().tomorrow().ok()
    }

    /// Mends a midnight that clocks skip: from 23 of the day before on to the first of the day. A
    /// day that begins at 1 is left so, where robfig goes back an hour and then misses that day.
    fn first_of_day(self) -> Option<Self> {
        match i64::from(self.time.hour()) {
            hour if hour > 12 => self.plus((24 - hour) * 3600),
            _ => Some(self),
        }
    }
}
