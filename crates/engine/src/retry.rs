//! **Retries decided**: policies checked and completed, the wait before the next attempt, and
//! whether there is a next attempt at all; for activities and for workflows.
//!
//! May depend on: `proto`. Time comes in as nanoseconds since the Unix epoch.
//!
//! Rules: behaviour sections 3.4 (defaults and messages), 5.1 ([`timeouts`]), 5.4 (order and
//! interval).

pub mod timeouts;

#[cfg(test)]
mod tests;

use std::time::Duration;

use proto::temporal::api::common::v1::RetryPolicy;
use proto::temporal::api::enums::v1::{RetryState, TimeoutType};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;

use self::timeouts::{capped, to_wire};

/// First wait of a policy that names none.
pub const DEFAULT_INITIAL_INTERVAL: Duration = Duration::from_secs(1);
/// Factor between waits of a policy that names none.
pub const DEFAULT_BACKOFF_COEFFICIENT: f64 = 2.0;
/// Longest wait of a policy that names none, in initial intervals.
pub const DEFAULT_MAXIMUM_INTERVAL_FACTOR: u32 = 100;

/// Prefix of an entry of `non_retryable_error_types` that names a timeout type.
const TIMEOUT_PREFIX: &str = "TemporalTimeout:";

/// Why a policy is refused. `Display` is the message on the wire, INVALID_ARGUMENT (section 3.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The first wait is negative or malformed.
    #[error("invalid InitialInterval set on retry policy: {0}")]
    InitialInterval(timeouts::DurationError),
    /// Waits would shrink.
    #[error("BackoffCoefficient cannot be less than 1 on retry policy.")]
    BackoffCoefficient,
    /// The longest wait is negative or malformed.
    #[error("invalid MaximumInterval set on retry policy: {0}")]
    MaximumInterval(timeouts::DurationError),
    /// The longest wait is shorter than the first.
    #[error("MaximumInterval cannot be less than InitialInterval on retry policy.")]
    MaximumBelowInitial,
    /// Fewer than no attempts.
    #[error("MaximumAttempts cannot be negative on retry policy.")]
    MaximumAttempts,
    /// A `TemporalTimeout:` entry names no timeout type.
    #[error("Invalid timeout type value: {0}.")]
    TimeoutType(String),
}

/// The policy of an activity that was scheduled without one: retried without limit (section 5.1).
pub fn default_policy() -> RetryPolicy {
    with_defaults(&RetryPolicy::default())
}

/// The policy with every unset field filled in, as it is stored (section 3.4).
pub fn with_defaults(policy: &RetryPolicy) -> RetryPolicy {
    let mut full = policy.clone();
    if is_unset(full.initial_interval.as_ref()) {
        full.initial_interval = Some(to_wire(DEFAULT_INITIAL_INTERVAL));
    }
    if is_unset(full.maximum_interval.as_ref()) {
        let initial = capped(full.initial_interval.as_ref()).unwrap_or(DEFAULT_INITIAL_INTERVAL);
        let maximum = initial.saturating_mul(DEFAULT_MAXIMUM_INTERVAL_FACTOR);
        full.maximum_interval = Some(to_wire(maximum.min(timeouts::DURATION_MAX)));
    }
    if full.backoff_coefficient == 0.0 {
        full.backoff_coefficient = DEFAULT_BACKOFF_COEFFICIENT;
    }
    full
}

fn is_unset(wire: Option<&proto::Duration>) -> bool {
    wire.is_none_or(|span| span.seconds == 0 && span.nanos == 0)
}

/// Checks a policy whose defaults are filled in, in the reference's order. One attempt at most
/// means no retry, and then nothing else is looked at (section 3.4).
pub fn validate(policy: &RetryPolicy) -> Result<(), PolicyError> {
    if policy.maximum_attempts == 1 {
        return Ok(());
    }
    let initial = capped(policy.initial_interval.as_ref()).map_err(PolicyError::InitialInterval)?;
    if policy.backoff_coefficient < 1.0 || policy.backoff_coefficient.is_nan() {
        return Err(PolicyError::BackoffCoefficient);
    }
    let maximum = capped(policy.maximum_interval.as_ref()).map_err(PolicyError::MaximumInterval)?;
    if !maximum.is_zero() && maximum < initial {
        return Err(PolicyError::MaximumBelowInitial);
    }
    if policy.maximum_attempts < 0 {
        return Err(PolicyError::MaximumAttempts);
    }
    for entry in &policy.non_retryable_error_types {
        if let Some(name) = entry.strip_prefix(TIMEOUT_PREFIX)
            && !is_timeout_type(name)
        {
            return Err(PolicyError::TimeoutType(name.to_owned()));
        }
    }
    Ok(())
}

/// Fills in the defaults, then validates: what a request or a command goes through.
pub fn completed(policy: &RetryPolicy) -> Result<RetryPolicy, PolicyError> {
    let full = with_defaults(policy);
    validate(&full)?;
    Ok(full)
}

fn is_timeout_type(name: &str) -> bool {
    const TYPES: [TimeoutType; 4] = [
        TimeoutType::StartToClose,
        TimeoutType::ScheduleToStart,
        TimeoutType::ScheduleToClose,
        TimeoutType::Heartbeat,
    ];
    TYPES
        .iter()
        .any(|t| name == t.as_str_name() || name == timeout_name(*t))
}

fn timeout_name(timeout: TimeoutType) -> &'static str {
    match timeout {
        TimeoutType::Unspecified => "Unspecified",
        TimeoutType::StartToClose => "StartToClose",
        TimeoutType::ScheduleToStart => "ScheduleToStart",
        TimeoutType::ScheduleToClose => "ScheduleToClose",
        TimeoutType::Heartbeat => "Heartbeat",
    }
}

/// Whether a failure permits another attempt (section 5.4). Of timeouts, only start-to-close and
/// heartbeat ones do, unless a `TemporalTimeout:` entry says otherwise.
pub fn is_retryable(failure: &Failure, non_retryable_error_types: &[String]) -> bool {
    let listed = |name: &str| non_retryable_error_types.iter().any(|entry| entry == name);
    match &failure.failure_info {
        Some(FailureInfo::TerminatedFailureInfo(_) | FailureInfo::CanceledFailureInfo(_)) => false,
        Some(FailureInfo::TimeoutFailureInfo(info)) => match info.timeout_type() {
            kind @ (TimeoutType::StartToClose | TimeoutType::Heartbeat) => {
                !listed(&format!("{TIMEOUT_PREFIX}{}", timeout_name(kind)))
            }
            _ => false,
        },
        Some(FailureInfo::ServerFailureInfo(info)) => !info.non_retryable,
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            !info.non_retryable && !listed(&info.r#type)
        }
        _ => true,
    }
}

/// The wait that an application failure asks for, if any: `next_retry_delay`. A negative one
/// counts as none at all, that is, retry now.
pub fn next_retry_delay(failure: &Failure) -> Option<Duration> {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => info
            .next_retry_delay
            .as_ref()
            .map(|delay| capped(Some(delay)).unwrap_or_default()),
        _ => None,
    }
}

/// The wait between attempt `attempt` (counted from 1) and the one after it:
/// `initial × coefficient^(attempt − 1)`, at most the policy's maximum. No jitter (section 5.4).
///
/// `next_retry_delay` replaces the interval; whether it also replaces the maximum is the caller's
/// matter, see [`decide_activity`] and [`decide_workflow`].
pub fn next_interval(
    policy: &RetryPolicy,
    attempt: i32,
    next_retry_delay: Option<Duration>,
) -> Duration {
    let maximum = capped(policy.maximum_interval.as_ref()).unwrap_or_default();
    let interval = next_retry_delay.unwrap_or_else(|| exponential(policy, attempt));
    if maximum.is_zero() {
        interval
    } else {
        interval.min(maximum)
    }
}

fn exponential(policy: &RetryPolicy, attempt: i32) -> Duration {
    let initial = capped(policy.initial_interval.as_ref()).unwrap_or_default();
    let exponent = attempt.saturating_sub(1).max(0);
    let nanos = initial.as_nanos() as f64 * policy.backoff_coefficient.powi(exponent);
    // Too large, or no number at all: as long as any span may be. The caller's cap then holds.
    let largest = timeouts::DURATION_MAX.as_nanos() as f64;
    if nanos < largest {
        Duration::from_nanos(nanos as u64)
    } else {
        timeouts::DURATION_MAX
    }
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt.
    Retry {
        /// Time from the failure to the next attempt.
        after: Duration,
    },
    /// The failure is final.
    NoRetry(RetryState),
}

impl Decision {
    /// The `retry_state` that goes with this decision on the wire.
    pub fn retry_state(self) -> RetryState {
        match self {
            Self::Retry { .. } => RetryState::InProgress,
            Self::NoRetry(state) => state,
        }
    }
}

/// What a decision looks at besides the failure.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The stored policy, with its defaults; without one nothing is retried.
    pub policy: Option<&'a RetryPolicy>,
    /// The attempt that failed, counted from 1.
    pub attempt: i32,
    /// Whether the activity was asked to stop. Always false for a workflow.
    pub cancel_requested: bool,
    /// When attempts end: an activity's schedule-to-close, a workflow's execution expiration.
    /// Nanoseconds since the epoch; none when unlimited.
    pub expires_at_ns: Option<i64>,
}

/// Whether an activity is tried again after `failure` at `now_ns` (section 5.4, in that order).
///
/// A `next_retry_delay` replaces the interval and the maximum. One of zero retries at once, where
/// the reference closes the activity with TIMEOUT: it mistakes the zero for an absent interval.
pub fn decide_activity(attempt: Attempt<'_>, failure: &Failure, now_ns: i64) -> Decision {
    if attempt.policy.is_some() && attempt.cancel_requested {
        return Decision::NoRetry(RetryState::CancelRequested);
    }
    if let (Some(_), Some(FailureInfo::TimeoutFailureInfo(info))) =
        (attempt.policy, &failure.failure_info)
        && matches!(
            info.timeout_type(),
            TimeoutType::ScheduleToStart | TimeoutType::ScheduleToClose
        )
    {
        return Decision::NoRetry(RetryState::Timeout);
    }
    decide(attempt, failure, now_ns, |policy| {
        next_retry_delay(failure).unwrap_or_else(|| next_interval(policy, attempt.attempt, None))
    })
}

/// Whether a workflow is run again after `failure` at `now_ns`. As for activities, but the
/// policy's maximum also holds for a `next_retry_delay` (section 5.4).
pub fn decide_workflow(attempt: Attempt<'_>, failure: &Failure, now_ns: i64) -> Decision {
    decide(attempt, failure, now_ns, |policy| {
        next_interval(policy, attempt.attempt, next_retry_delay(failure))
    })
}

fn decide(
    attempt: Attempt<'_>,
    failure: &Failure,
    now_ns: i64,
    interval: impl FnOnce(&RetryPolicy) -> Duration,
) -> Decision {
    let Some(policy) = attempt.policy else {
        return Decision::NoRetry(RetryState::RetryPolicyNotSet);
    };
    if !is_retryable(failure, &policy.non_retryable_error_types) {
        return Decision::NoRetry(RetryState::NonRetryableFailure);
    }
    if policy.maximum_attempts > 0 && attempt.attempt >= policy.maximum_attempts {
        return Decision::NoRetry(RetryState::MaximumAttemptsReached);
    }
    let after = interval(policy);
    let next_ns = now_ns.saturating_add(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX));
    if attempt
        .expires_at_ns
        .is_some_and(|expires| next_ns > expires)
    {
        return Decision::NoRetry(RetryState::Timeout);
    }
    Decision::Retry { after }
}
