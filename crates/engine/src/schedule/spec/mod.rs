//! **When a schedule is due**: a spec, checked and brought into the form that clients see, and the times
//! that match it (behaviour, section 8).
//!
//! May depend on: `jiff`, for the offsets of time zones.
//!
//! A time matches if any calendar or interval matches it and no exclusion does. All times are whole
//! seconds, and jitter then moves each by a delay that depends on nothing but the time and the schedule.

mod calendar;
mod cron_string;
mod jitter;
mod ranges;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::tz::TimeZone;
use proto::temporal::api::schedule::v1::{
    CalendarSpec, IntervalSpec, Range, ScheduleSpec, StructuredCalendarSpec,
};

use crate::time::{Timestamp, duration};
use crate::zone;
use calendar::Calendar;

const SECOND_NS: i64 = 1_000_000_000;

/// 2101-01-01 in UTC, in seconds: no schedule reaches it.
const END_OF_TIME: i64 = 4_133_980_800;

/// Why a spec is refused, in the wire's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(String);

impl SpecError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A checked spec, ready to be asked for times.
#[derive(Clone, Debug)]
pub struct Spec {
    canonical: ScheduleSpec,
    zone: TimeZone,
    calendars: Vec<Calendar>,
    excluded: Vec<Calendar>,
}

/// The next time of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A time.
    At {
        /// The time that the spec names.
        nominal: Timestamp,
        /// The same, moved by jitter.
        actual: Timestamp,
    },
    /// There is none any more.
    Never,
    /// Exclusions hide so many times that the search was given up for now: there is none up to here.
    NotUntil(Timestamp),
}

impl Spec {
    /// Checks a spec.
    ///
    /// # Errors
    /// When it breaks a documented rule.
    pub fn compile(spec: &ScheduleSpec) -> Result<Self, SpecError> {
        let canonical = canonical(spec)?;
        let zone = zone_of(&canonical)?;
        let compiled = |all: &[StructuredCalendarSpec]| all.iter().map(Calendar::new).collect();
        Ok(Self {
            calendars: compiled(&canonical.structured_calendar),
            excluded: compiled(&canonical.exclude_structured_calendar),
            zone,
            canonical,
        })
    }

    /// The form that is kept and shown: calendars and cron strings have become structured calendars.
    pub fn canonical(&self) -> &ScheduleSpec {
        &self.canonical
    }

    /// The first time after `after`. `seed` makes the jitter of a schedule its own; no more than
    /// `excluded_max` excluded times are passed over.
    pub fn next(&self, seed: &str, after: Timestamp, excluded_max: usize) -> Next {
        let start = self.canonical.start_time.as_ref();
        let start = start.map_or(Timestamp(0), Timestamp::from_proto);
        let earliest = start.0.saturating_sub(SECOND_NS);
        let mut second = after.0.max(earliest).div_euclid(SECOND_NS);
        for _ in 0..=excluded_max {
            let Some(nominal) = self.nominal_after(second) else {
                return Next::Never;
            };
            let at = Timestamp(nominal.saturating_mul(SECOND_NS));
            let end = self.canonical.end_time.as_ref();
            if nominal >= END_OF_TIME || end.is_some_and(|end| at > Timestamp::from_proto(end)) {
                return Next::Never;
            }
            if !self.is_excluded(nominal) {
                return Next::At {
                    nominal: at,
                    actual: at.after(self.jitter(seed, nominal)),
                };
            }
            second = nominal;
        }
        Next::NotUntil(Timestamp(second.saturating_mul(SECOND_NS)))
    }

    /// The first second after this one that a calendar or an interval matches, excluded or not.
    fn nominal_after(&self, second: i64) -> Option<i64> {
        let calendars = self.calendars.iter();
        let calendars = calendars.filter_map(|calendar| calendar.next(second, &self.zone));
        let intervals = self.canonical.interval.iter();
        let intervals = intervals.filter_map(|interval| interval_after(interval, second));
        calendars.chain(intervals).min()
    }

    fn is_excluded(&self, second: i64) -> bool {
        let mut excluded = self.excluded.iter();
        excluded.any(|calendar| calendar.matches(second, &self.zone))
    }

    /// How much later than its nominal time an action is due: never as late as the next nominal time.
    fn jitter(&self, seed: &str, nominal: i64) -> Duration {
        let most = duration(self.canonical.jitter.as_ref());
        if most.is_zero() {
            return most;
        }
        let most = match self.nominal_after(nominal) {
            // Times only go forward.
            Some(next) => most.min(Duration::from_secs((next - nominal).unsigned_abs())),
            None => most,
        };
        jitter::of(seed, nominal, most)
    }
}

/// Intervals are counted from the epoch.
fn interval_after(interval: &IntervalSpec, second: i64) -> Option<i64> {
    let seconds = |wire| i64::try_from(duration(wire).as_secs()).unwrap_or(i64::MAX);
    let every = seconds(interval.interval.as_ref()).max(1);
    let phase = seconds(interval.phase.as_ref());
    let passed = second.checked_sub(phase)?.div_euclid(every);
    passed
        .checked_add(1)?
        .checked_mul(every)?
        .checked_add(phase)
}

/// Defaults filled in, for showing: ends of ranges, and steps.
pub fn fill_ranges(spec: &mut ScheduleSpec) {
    let all = spec.structured_calendar.iter_mut();
    for calendar in all.chain(&mut spec.exclude_structured_calendar) {
        let fields = [
            &mut calendar.second,
            &mut calendar.minute,
            &mut calendar.hour,
            &mut calendar.day_of_month,
            &mut calendar.month,
            &mut calendar.year,
            &mut calendar.day_of_week,
        ];
        for range in fields.into_iter().flatten() {
            range.end = range.end.max(range.start);
            if range.step == 0 {
                range.step = 1;
            }
        }
    }
}

fn canonical(spec: &ScheduleSpec) -> Result<ScheduleSpec, SpecError> {
    for interval in &spec.interval {
        check_duration(interval.interval.as_ref(), "interval")?;
        check_duration(interval.phase.as_ref(), "phase")?;
    }
    let mut spec = spec.clone();
    for calendar in std::mem::take(&mut spec.calendar) {
        spec.structured_calendar.push(structured(&calendar)?);
    }
    for calendar in std::mem::take(&mut spec.exclude_calendar) {
        spec.exclude_structured_calendar
            .push(structured(&calendar)?);
    }
    let mut zone: Option<String> = None;
    for text in std::mem::take(&mut spec.cron_string) {
        let parsed = cron_string::parse(&text)?;
        if zone.as_ref().is_some_and(|zone| *zone != parsed.zone) {
            return Err(conflicting_zones());
        }
        zone = Some(parsed.zone);
        match parsed.times {
            cron_string::Times::Calendar(calendar) => spec.structured_calendar.push(calendar),
            cron_string::Times::Interval(interval) => spec.interval.push(interval),
        }
    }
    if let Some(zone) = zone.filter(|zone| !zone.is_empty()) {
        let other = !spec.timezone_name.is_empty() && spec.timezone_name != zone;
        if other || !spec.timezone_data.is_empty() {
            return Err(conflicting_zones());
        }
        spec.timezone_name = zone;
    }
    for calendar in &spec.structured_calendar {
        check_calendar(calendar)?;
    }
    for interval in &spec.interval {
        check_interval(interval)?;
    }
    Ok(spec)
}

fn conflicting_zones() -> SpecError {
    SpecError::new("conflicting timezone names")
}

/// A wire duration whose parts disagree, or that is out of range, is none.
fn check_duration(wire: Option<&proto::Duration>, name: &str) -> Result<(), SpecError> {
    /// Ten thousand years, as protobuf defines it.
    const SECONDS_MAX: i64 = 315_576_000_000;
    let Some(&proto::Duration { seconds, nanos }) = wire else {
        return Ok(());
    };
    let wrong = if !(-SECONDS_MAX..=SECONDS_MAX).contains(&seconds) {
        "exceeds +-10000 years"
    } else if nanos.unsigned_abs() >= 1_000_000_000 {
        "has out-of-range nanos"
    } else if (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
        "has seconds and nanos with different signs"
    } else {
        return Ok(());
    };
    Err(SpecError(format!(
        "{name} is not a valid duration: duration ({seconds}s, {nanos}ns) {wrong}"
    )))
}

fn check_interval(interval: &IntervalSpec) -> Result<(), SpecError> {
    let nanos = |wire: Option<&proto::Duration>| {
        wire.map_or(0, |d| {
            i128::from(d.seconds) * i128::from(SECOND_NS) + i128::from(d.nanos)
        })
    };
    let every = nanos(interval.interval.as_ref());
    let phase = nanos(interval.phase.as_ref());
    if every < i128::from(SECOND_NS) {
        Err(SpecError::new("interval is too small"))
    } else if phase < 0 {
        Err(SpecError::new("phase is negative"))
    } else if phase >= every {
        Err(SpecError::new("phase cannot be greater than Interval"))
    } else {
        Ok(())
    }
}

/// What a field of a calendar may hold, by the name that errors use.
const SECOND: ranges::Field = ranges::Field::new("Second", 0, 59);
const MINUTE: ranges::Field = ranges::Field::new("Minute", 0, 59);
const HOUR: ranges::Field = ranges::Field::new("Hour", 0, 23);
const DAY_OF_MONTH: ranges::Field = ranges::Field::new("DayOfMonth", 1, 31);
const MONTH: ranges::Field = ranges::Field::new("Month", 1, 12).named(&ranges::MONTHS, 3);
const YEAR: ranges::Field = ranges::Field::new("Year", YEAR_MIN, YEAR_MAX).any_by_default();
const DAY_OF_WEEK: ranges::Field = ranges::Field::new("DayOfWeek", 0, 6);
/// Text may call Sunday 7.
const DAY_OF_WEEK_TEXT: ranges::Field =
    ranges::Field::new("DayOfWeek", 0, 7).named(&ranges::DAYS, 2);

/// The first year that a calendar may name.
const YEAR_MIN: i32 = 2000;
/// The last year in which a schedule is due.
const YEAR_MAX: i32 = 2100;
/// Bytes of a calendar's comment.
const COMMENT_MAX: usize = 200;

/// A calendar of texts as one of ranges.
fn structured(calendar: &CalendarSpec) -> Result<StructuredCalendarSpec, SpecError> {
    let mut errors: Vec<String> = Vec::new();
    let mut parse = |field: &ranges::Field, text: &str, default: &str| {
        ranges::parse(field, text, default).unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        })
    };
    let structured = StructuredCalendarSpec {
        second: parse(&SECOND, &calendar.second, "0"),
        minute: parse(&MINUTE, &calendar.minute, "0"),
        hour: parse(&HOUR, &calendar.hour, "0"),
        day_of_week: parse(&DAY_OF_WEEK_TEXT, &calendar.day_of_week, "*"),
        day_of_month: parse(&DAY_OF_MONTH, &calendar.day_of_month, "*"),
        month: parse(&MONTH, &calendar.month, "*"),
        year: parse(&YEAR, &calendar.year, "*"),
        comment: calendar.comment.clone(),
    };
    if errors.is_empty() {
        Ok(structured)
    } else {
        Err(SpecError(errors.join(", ")))
    }
}

fn check_calendar(calendar: &StructuredCalendarSpec) -> Result<(), SpecError> {
    let mut errors: Vec<String> = Vec::new();
    let mut check = |ranges: &[Range], field: &ranges::Field| {
        let (name, min, max) = (field.name, field.min, field.max);
        for range in ranges {
            if !(min..=max).contains(&range.start) {
                errors.push(format!("{name} Start is not in range [{min}-{max}]"));
            }
            if range.end != 0 && (range.end < range.start || range.end > max) {
                errors.push(format!(
                    "{name} End is before Start or not in range [{min}-{max}]"
                ));
            }
            if range.step < 0 {
                errors.push(format!("{name} has invalid Step"));
            }
        }
    };
    check(&calendar.second, &SECOND);
    check(&calendar.minute, &MINUTE);
    check(&calendar.hour, &HOUR);
    check(&calendar.day_of_month, &DAY_OF_MONTH);
    check(&calendar.month, &MONTH);
    check(&calendar.year, &YEAR);
    check(&calendar.day_of_week, &DAY_OF_WEEK);
    if calendar.comment.len() > COMMENT_MAX {
        errors.push("comment is too long".to_owned());
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(SpecError(format!(
            "invalid calendar spec: {}",
            errors.join(", ")
        )))
    }
}

fn zone_of(spec: &ScheduleSpec) -> Result<TimeZone, SpecError> {
    let name = spec.timezone_name.as_str();
    if !spec.timezone_data.is_empty() {
        return TimeZone::tzif(name, &spec.timezone_data)
            .map_err(|_| SpecError::new("malformed time zone information"));
    }
    if name.contains("..") || name.starts_with(['/', '\\']) {
        return Err(SpecError::new("time: invalid location name"));
    }
    zone::named(name).ok_or_else(|| SpecError(format!("unknown time zone {name}")))
}
