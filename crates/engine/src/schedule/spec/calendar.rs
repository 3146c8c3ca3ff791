//! A calendar: sets of seconds, minutes and so on, and the instants at which clocks of a zone show one
//! that is in all of them. A local time that clocks skip never comes; one that they repeat comes twice.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use proto::temporal::api::schedule::v1::{Range, StructuredCalendarSpec};

use super::YEAR_MAX;

/// Clocks go back by less than this, so times that they show again lie no further ahead.
const REPEAT_MAX: i64 = 26 * 3600;

/// One bit a value; years are listed.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    second: u64,
    minute: u64,
    hour: u64,
    day_of_month: u64,
    month: u64,
    day_of_week: u64,
    /// In order; none stands for all.
    years: Vec<i32>,
}

impl Calendar {
    pub(super) fn new(spec: &StructuredCalendarSpec) -> Self {
        let bits = |ranges: &[Range]| {
            let values = ranges.iter().flat_map(values);
            let values = values.filter(|value| (0..64).contains(value));
            values.fold(0_u64, |set, value| set | 1 << value)
        };
        let mut years: Vec<i32> = spec.year.iter().flat_map(values).collect();
        years.sort_unstable();
        years.dedup();
        Self {
            second: bits(&spec.second),
            minute: bits(&spec.minute),
            hour: bits(&spec.hour),
            day_of_month: bits(&spec.day_of_month),
            month: bits(&spec.month),
            day_of_week: bits(&spec.day_of_week),
            years,
        }
    }

    /// Whether clocks show a time of this calendar at this second.
    pub(super) fn matches(&self, second: i64, zone: &TimeZone) -> bool {
        let Some((local, _)) = local(second, zone) else {
            return false;
        };
        self.has_year(local.year())
            && self.has_day(local.date())
            && has(self.hour, local.hour())
            && has(self.minute, local.minute())
            && has(self.second, local.second())
    }

    /// The first second after this one at which clocks show a time of this calendar.
    ///
    /// Between two changes of a zone's offset clocks run evenly, so that the search is one of local times
    /// until the next change, and begins anew from there.
    pub(super) fn next(&self, after: i64, zone: &TimeZone) -> Option<i64> {
        let mut from = after.checked_add(1)?;
        loop {
            let (local, offset) = local(from, zone)?;
            let found = self.next_local(local);
            let found = found.and_then(|time| Some(offset.to_timestamp(time).ok()?.as_second()));
            let change = next_change(from, zone);
            match (found, change) {
                (Some(found), Some(change)) if found >= change => from = change,
                (Some(found), _) => return Some(found),
                (None, Some(change)) if change - from < REPEAT_MAX => from = change,
                (None, _) => return None,
            }
        }
    }

    /// The first local time of this calendar that is not before this one. Walks from coarse to fine.
    fn next_local(&self, from: DateTime) -> Option<DateTime> {
        let mut at = from;
        while i32::from(at.year()) <= YEAR_MAX {
            if !self.has_year(at.year()) {
                at = midnight(Date::new(self.next_year(at.year())?, 1, 1).ok()?);
            } else if !has(self.month, at.month()) {
                at = midnight(at.date().last_of_month().tomorrow().ok()?);
            } else if !self.has_day(at.date()) {
                at = midnight(at.date().tomorrow().ok()?);
            } else if !has(self.hour, at.hour()) {
                at = match next(self.hour, at.hour(), 23) {
                    Some(hour) => at.date().at(hour, 0, 0, 0),
                    None => midnight(at.date().tomorrow().ok()?),
                };
            } else if !has(self.minute, at.minute()) {
                at = match next(self.minute, at.minute(), 59) {
                    Some(minute) => at.date().at(at.hour(), minute, 0, 0),
                    None => next_hour(at)?,
                };
            } else if !has(self.second, at.second()) {
                at = match next(self.second, at.second(), 59) {
                    Some(second) => at.date().at(at.hour(), at.minute(), second, 0),
                    None => next_minute(at)?,
                };
            } else {
                return Some(at);
            }
        }
        None
    }

    fn has_year(&self, year: i16) -> bool {
        self.years.is_empty() || self.years.binary_search(&i32::from(year)).is_ok()
    }

    /// The first year after this one, if any is named at all.
    fn next_year(&self, year: i16) -> Option<i16> {
        let mut years = self.years.iter();
        let next = years.find(|&&named| named > i32::from(year))?;
        i16::try_from(*next).ok()
    }

    fn has_day(&self, date: Date) -> bool {
        has(self.month, date.month())
            && has(self.day_of_month, date.day())
            && has(self.day_of_week, date.weekday().to_sunday_zero_offset())
    }
}

/// The values of a range. An end before the start stands for none, and a missing step for 1.
fn values(range: &Range) -> impl Iterator<Item = i32> + use<> {
    let step = usize::try_from(range.step).unwrap_or(1).max(1);
    // Nothing that can be matched lies outside of these.
    let start = range.start.max(-1);
    let end = range.end.max(range.start).min(YEAR_MAX + 1);
    (start..=end).step_by(step)
}

fn has(set: u64, value: i8) -> bool {
    set & (1 << value) != 0
}

/// The first value of a set after this one, up to `max`.
fn next(set: u64, after: i8, max: i8) -> Option<i8> {
    (after + 1..=max).find(|&value| has(set, value))
}

fn midnight(date: Date) -> DateTime {
    date.at(0, 0, 0, 0)
}

fn next_hour(at: DateTime) -> Option<DateTime> {
    match at.hour() {
        23 => Some(midnight(at.date().tomorrow().ok()?)),
        hour => Some(at.date().at(hour + 1, 0, 0, 0)),
    }
}

fn next_minute(at: DateTime) -> Option<DateTime> {
    match at.minute() {
        59 => next_hour(at),
        minute => Some(at.date().at(at.hour(), minute + 1, 0, 0)),
    }
}

/// What clocks show at a second, and by how much they are ahead of UTC.
fn local(second: i64, zone: &TimeZone) -> Option<(DateTime, Offset)> {
    let instant = Timestamp::from_second(second).ok()?;
    let offset = zone.to_offset(instant);
    Some((offset.to_datetime(instant), offset))
}

/// When clocks are set next.
fn next_change(after: i64, zone: &TimeZone) -> Option<i64> {
    let instant = Timestamp::from_second(after).ok()?;
    let change = zone.following(instant).next()?.timestamp().as_second();
    (change > after).then_some(change)
}
