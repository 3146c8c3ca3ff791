//! Cron strings of schedules: 5 to 7 fields, a zone in front, a comment behind, `@every` and its kin. They
//! are a notation for calendars and intervals, and not the crons of [`crate::cron`]: those say `or` where
//! two day fields are given, know no years, and count `@every` from the run before.

use proto::temporal::api::schedule::v1::{CalendarSpec, IntervalSpec, StructuredCalendarSpec};

use super::{SpecError, structured};
use crate::cron::duration;

/// What a cron string says.
pub(super) struct Parsed {
    pub(super) times: Times,
    /// The zone in front; empty when there is none.
    pub(super) zone: String,
}

/// When.
pub(super) enum Times {
    Calendar(StructuredCalendarSpec),
    Interval(IntervalSpec),
}

pub(super) fn parse(text: &str) -> Result<Parsed, SpecError> {
    let text = text.trim();
    let (zone, text) = match text.split_once('=') {
        Some(("TZ" | "CRON_TZ", rest)) => rest
            .split_once(' ')
            .ok_or_else(|| SpecError::new("CronString has time zone but missing fields"))?,
        _ => ("", text),
    };
    let (fields, comment) = text.split_once('#').unwrap_or((text, ""));
    let fields = fields.trim();
    if fields.starts_with("@every") {
        let times = Times::Interval(every(fields)?);
        // An interval has no zone, and one in front of it is as if it were not there.
        return Ok(Parsed {
            times,
            zone: String::new(),
        });
    }
    let calendar = CalendarSpec {
        comment: comment.trim().to_owned(),
        ..calendar(descriptor(fields))?
    };
    Ok(Parsed {
        times: Times::Calendar(structured(&calendar)?),
        zone: zone.to_owned(),
    })
}

fn descriptor(text: &str) -> &str {
    match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => text,
    }
}

fn calendar(text: &str) -> Result<CalendarSpec, SpecError> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let (second, rest, year) = match &fields[..] {
        rest @ [_, _, _, _, _] => ("", rest, ""),
        [rest @ .., year] if rest.len() == 5 => ("", rest, *year),
        [second, rest @ .., year] if rest.len() == 5 => (*second, rest, *year),
        _ => return Err(SpecError::new("CronString does not have 5-7 fields")),
    };
    let field = |index: usize| rest[index].to_owned();
    Ok(CalendarSpec {
        second: second.to_owned(),
        minute: field(0),
        hour: field(1),
        day_of_month: field(2),
        month: field(3),
        day_of_week: field(4),
        year: year.to_owned(),
        comment: String::new(),
    })
}

/// `@every 14h`, or with a phase `@every 14h/3h`.
fn every(text: &str) -> Result<IntervalSpec, SpecError> {
    let (_, spans) = text
        .split_once(' ')
        .ok_or_else(|| SpecError::new("CronString does not have interval after @every"))?;
    let (interval, phase) = spans.split_once('/').unwrap_or((spans, ""));
    Ok(IntervalSpec {
        interval: Some(span(interval)?),
        phase: if phase.is_empty() {
            None
        } else {
            Some(span(phase)?)
        },
    })
}

fn span(text: &str) -> Result<proto::Duration, SpecError> {
    let nanos = duration::parse_with_days(text)
        .ok_or_else(|| SpecError(format!("time: invalid duration \"{text}\"")))?;
    Ok(proto::Duration {
        seconds: nanos / 1_000_000_000,
        // A remainder of a division by 10^9 always fits.
        nanos: (nanos % 1_000_000_000) as i32,
    })
}
