//! What time does to activities: a retry's interval passes, or one of the four time-outs (behaviour,
//! section 5.3).

use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::enums::v1::{RetryState, TimeoutType};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, TimeoutFailureInfo};
use proto::temporal::api::history::v1::ActivityTaskTimedOutEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use crate::ids::EventId;
use crate::retry::Decision;
use crate::time::Timestamp;
use crate::workflow::state::activity::Activity;
use crate::workflow::step::Step;
use crate::workflow::worker::{activity_task, activity_task_failed};

/// What an activity is due for.
enum Due {
    Dispatch,
    Timeout(TimeoutType),
}

pub(super) fn fire_due(step: &mut Step<'_>) {
    let now = step.time();
    // Each turn takes one thing out of what is due: an offer, a retry, a close.
    while let Some((at, id)) = step.state.activities.first_due() {
        if at > now {
            break;
        }
        let id = *id;
        match step
            .state
            .activities
            .get(&id)
            .and_then(|activity| due(activity, now))
        {
            Some(Due::Dispatch) => step.offer_activity(id),
            Some(Due::Timeout(timeout)) => time_out(step, id, timeout),
            None => break,
        }
    }
}

/// The overall time-out goes first: with it, nothing else matters any more. But an activity that nobody started in
/// all that time is told to have waited for a worker: users look for one then.
fn due(activity: &Activity, now: Timestamp) -> Option<Due> {
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let end = activity.expires_at();
    let to_start = activity.schedule_to_start_at();
    let to_start = to_start.filter(|_| activity.started.is_none());
    if is_due(to_start) && end.is_none_or(|end| to_start <= Some(end)) {
        return Some(Due::Timeout(TimeoutType::ScheduleToStart));
    }
    if is_due(end) {
        return Some(Due::Timeout(TimeoutType::ScheduleToClose));
    }
    if activity.started.is_none() {
        let waits = activity.may_start() && !activity.offered && activity.scheduled_time <= now;
        return waits.then_some(Due::Dispatch);
    }
    if is_due(activity.start_to_close_at()) {
        return Some(Due::Timeout(TimeoutType::StartToClose));
    }
    is_due(activity.heartbeat_at()).then_some(Due::Timeout(TimeoutType::Heartbeat))
}

fn time_out(step: &mut Step<'_>, id: EventId, timeout: TimeoutType) {
    let Some(activity) = step.state.activities.get(&id) else {
        return;
    };
    let details = activity.heartbeat_details.as_deref().cloned();
    let last_failure = activity.last_failure.as_deref().cloned();
    match timeout {
        TimeoutType::StartToClose | TimeoutType::Heartbeat => {
            let failure = failure(timeout, details.clone());
            match activity_task_failed::decide(step, id, &failure) {
                Decision::Retry { after } => {
                    activity_task_failed::retry_after(step, id, failure, after, None);
                }
                // No room for another attempt before the overall time-out: that is what ends it.
                Decision::NoRetry(RetryState::Timeout) => {
                    close(
                        step,
                        id,
                        overall(details, last_failure),
                        RetryState::Timeout,
                    );
                }
                Decision::NoRetry(state) => {
                    let failure = Failure {
                        cause: last_failure.map(Box::new),
                        ..failure
                    };
                    close(step, id, failure, state);
                }
            }
        }
        TimeoutType::ScheduleToClose => {
            close(
                step,
                id,
                overall(details, last_failure),
                RetryState::Timeout,
            );
        }
        TimeoutType::ScheduleToStart | TimeoutType::Unspecified => {
            let failure = Failure {
                cause: last_failure.map(Box::new),
                ..failure(timeout, details)
            };
            close(step, id, failure, RetryState::Timeout);
        }
    }
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
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: timeout as i32,
            last_heartbeat_details,
        })),
        ..Failure::default()
    }
}

fn overall(details: Option<Payloads>, cause: Option<Failure>) -> Failure {
    Failure {
        message:
            "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying"
                .to_owned(),
        cause: cause.map(Box::new),
        ..failure(TimeoutType::ScheduleToClose, details)
    }
}

fn close(step: &mut Step<'_>, id: EventId, failure: Failure, retry_state: RetryState) {
    let started_event_id = activity_task::record_started(step, id, None);
    activity_task::record_close(
        step,
        Attributes::ActivityTaskTimedOutEventAttributes(ActivityTaskTimedOutEventAttributes {
            failure: Some(failure),
            scheduled_event_id: id,
            started_event_id,
            retry_state: retry_state as i32,
        }),
    );
}
