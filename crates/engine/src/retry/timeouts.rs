//! An activity's four timeouts: checked, deduced from one another, and capped (behaviour,
//! section 5.1).

use std::time::Duration;

pub use crate::time::{DURATION_MAX, wire as to_wire};

/// Why a wire duration is refused. `Display` is the end of a message on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Less than zero.
    #[error("negative duration")]
    Negative,
    /// Seconds say one sign and nanoseconds the other.
    #[error("duration has seconds and nanos with different signs")]
    MixedSigns,
}

/// A wire duration as a span: absent is zero, too long is [`DURATION_MAX`].
pub fn capped(wire: Option<&proto::Duration>) -> Result<Duration, DurationError> {
    let Some(wire) = wire else {
        return Ok(Duration::ZERO);
    };
    if (wire.seconds > 0 && wire.nanos < 0) || (wire.seconds < 0 && wire.nanos > 0) {
        return Err(DurationError::MixedSigns);
    }
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(wire.seconds), u64::try_from(wire.nanos)) else {
        return Err(DurationError::Negative);
    };
    Ok(Duration::from_secs(seconds)
        .saturating_add(Duration::from_nanos(nanos))
        .min(DURATION_MAX))
}

/// The four timeouts of an activity. Zero means unset before [`normalise`], unlimited after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivityTimeouts {
    /// From the first schedule to the end of the last attempt.
    pub schedule_to_close: Duration,
    /// From an attempt's schedule to its start.
    pub schedule_to_start: Duration,
    /// From an attempt's start to its end.
    pub start_to_close: Duration,
    /// Between two heartbeats.
    pub heartbeat: Duration,
}

/// Why timeouts are refused. `Display` is the message on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeoutsError {
    /// One of them is negative or malformed.
    #[error("invalid {name}: {error}")]
    Invalid {
        /// The field, as messages name it.
        name: &'static str,
        /// What is wrong with it.
        error: DurationError,
    },
    /// Neither of the two that say when an attempt is over is set.
    #[error(
        "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. \
         ActivityId={activity_id} ActivityType={activity_type}"
    )]
    Missing {
        /// The activity's id.
        activity_id: String,
        /// The activity's type.
        activity_type: String,
    },
}

impl ActivityTimeouts {
    /// Reads the four wire fields, in the order in which the reference checks them.
    pub fn from_wire(
        schedule_to_close: Option<&proto::Duration>,
        schedule_to_start: Option<&proto::Duration>,
        start_to_close: Option<&proto::Duration>,
        heartbeat: Option<&proto::Duration>,
    ) -> Result<Self, TimeoutsError> {
        let read =
            |name, wire| capped(wire).map_err(|error| TimeoutsError::Invalid { name, error });
        Ok(Self {
            schedule_to_close: read("ScheduleToCloseTimeout", schedule_to_close)?,
            schedule_to_start: read("ScheduleToStartTimeout", schedule_to_start)?,
            start_to_close: read("StartToCloseTimeout", start_to_close)?,
            heartbeat: read("HeartbeatTimeout", heartbeat)?,
        })
    }
}

/// Deduces the unset timeouts and caps all by the workflow's run timeout (zero: none, which is
/// also the case of a standalone activity). The names are for the message only.
pub fn normalise(
    timeouts: ActivityTimeouts,
    run_timeout: Duration,
    activity_id: &str,
    activity_type: &str,
) -> Result<ActivityTimeouts, TimeoutsError> {
    let mut out = timeouts;
    let limit = timeouts.schedule_to_close;
    if !limit.is_zero() {
        out.schedule_to_start = set_or(timeouts.schedule_to_start, limit).min(limit);
        out.start_to_close = set_or(timeouts.start_to_close, limit).min(limit);
    } else if !timeouts.start_to_close.is_zero() {
        out.schedule_to_close = run_timeout;
        out.schedule_to_start = set_or(timeouts.schedule_to_start, run_timeout);
    } else {
        return Err(TimeoutsError::Missing {
            activity_id: activity_id.to_owned(),
            activity_type: activity_type.to_owned(),
        });
    }
    if !run_timeout.is_zero() {
        out.schedule_to_close = out.schedule_to_close.min(run_timeout);
        out.schedule_to_start = out.schedule_to_start.min(run_timeout);
        out.start_to_close = out.start_to_close.min(run_timeout);
        out.heartbeat = out.heartbeat.min(run_timeout);
    }
    out.heartbeat = out.heartbeat.min(out.start_to_close);
    Ok(out)
}

fn set_or(span: Duration, fallback: Duration) -> Duration {
    if span.is_zero() { fallback } else { span }
}
