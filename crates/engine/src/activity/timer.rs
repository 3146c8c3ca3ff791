//! What time does: a delay or an interval passes, or one of the four time-outs (behaviour, section 5.3).

use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::enums::v1::{ActivityExecutionStatus, RetryState, TimeoutType};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, TimeoutFailureInfo};

use super::callback;
use super::record::Closed;
use super::state::{State, Status};
use super::step::Step;
use super::worker::failed;
use crate::rejection::Rejection;
use crate::retry::Decision;
use crate::time::Timestamp;
use crate::workflow::transition::Reply;

pub(super) fn fire(step: &mut Step<'_>) -> Result<Reply, Rejection> {
    // An attempt's end can leave one that is ready at once, and that one is not due for more than an offer.
    if let Some(timeout) = due(step.state, step.time()) {
        time_out(step, timeout);
    }
    step.offer_if_ready();
    callback::call_due(step);
    Ok(Reply::Done)
}

/// The overall time-out goes first: with it, nothing else matters any more.
fn due(state: &State, now: Timestamp) -> Option<TimeoutType> {
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let status = state.status();
    if status.is_open() && is_due(state.expires_at()) {
        return Some(TimeoutType::ScheduleToClose);
    }
    if status == Status::Scheduled && is_due(state.schedule_to_start_at()) {
        return Some(TimeoutType::ScheduleToStart);
    }
    if !status.has_attempt() {
        return None;
    }
    if is_due(state.start_to_close_at()) {
        return Some(TimeoutType::StartToClose);
    }
    is_due(state.heartbeat_at()).then_some(TimeoutType::Heartbeat)
}

fn time_out(step: &mut Step<'_>, timeout: TimeoutType) {
    let core = &step.state.core;
    let details = core.heartbeat_details.clone();
    let cause = core.last_failure.clone().map(Box::new);
    let of_attempt = matches!(timeout, TimeoutType::StartToClose | TimeoutType::Heartbeat);
    let mut retry_state = RetryState::Timeout;
    let mut failure = failure(timeout, details.clone());
    if of_attempt {
        let ended = self::failure(timeout, None);
        match failed::decide(step, &ended) {
            Decision::Retry { after } => {
                failed::retry_after(step, Some(ended), after, false);
                return;
            }
            // No room for another attempt before the overall time-out: that is what ends it.
            Decision::NoRetry(RetryState::Timeout) => {
                let text = "Not enough time to schedule next retry before activity ScheduleToClose timeout, \
                            giving up retrying";
                failure = self::failure(TimeoutType::ScheduleToClose, details);
                failure.message = text.to_owned();
            }
            Decision::NoRetry(state) => retry_state = state,
        }
    } else if timeout == TimeoutType::ScheduleToClose
        && step.state.status() == Status::CancelRequested
    {
        retry_state = RetryState::CancelRequested;
    }
    failure.cause = cause;
    step.close(Closed {
        status: ActivityExecutionStatus::TimedOut as i32,
        failure: Some(failure),
        retry_state: retry_state as i32,
        of_attempt,
        ..Closed::default()
    });
}

fn failure(timeout: TimeoutType, last_heartbeat_details: Option<Payloads>) -> Failure {
    let name = match timeout {
        TimeoutType::StartToClose => "StartToClose",
        TimeoutType::ScheduleToStart => "ScheduleToStart",
        TimeoutType::ScheduleToClose => "ScheduleToClose",
        TimeoutType::Heartbeat => "Heartbeat",
        TimeoutType::Unspecified => "Unspecified",
    };
    Failure {
        message: format!("activity {name} timeout"),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: timeout as i32,
            last_heartbeat_details,
        })),
        ..Failure::default()
    }
}
