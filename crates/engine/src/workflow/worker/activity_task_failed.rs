//! RespondActivityTaskFailed and its by-id form: another attempt, or the end (behaviour, section 5.4).

use prost::Message;
use proto::temporal::api::common::v1::WorkerVersionStamp;
use proto::temporal::api::enums::v1::RetryState;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::history::v1::ActivityTaskFailedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::activity_task;
use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::retry::{self, Decision};
use crate::workflow::command::server_failure;
use crate::workflow::input::{ActivityFailed, ActivityTarget};
use crate::workflow::record::{ActivityRetried, ChangeKind};
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn fail(
    mut step: Step<'_>,
    target: &ActivityTarget,
    mut failed: ActivityFailed,
) -> Result<Transition, Rejection> {
    let id = match activity_task::resolve_started(step.state, target) {
        Ok(id) => id,
        Err(rejection) => return step.reject(rejection),
    };
    let app = |f: &Failure| {
        matches!(
            f.failure_info,
            Some(FailureInfo::ApplicationFailureInfo(_) | FailureInfo::ServerFailureInfo(_))
        )
    };
    if failed.failure.as_ref().is_some_and(|f| !app(f)) {
        return step.reject(Rejection::invalid(
            "Failure must have ApplicationFailureInfo.",
        ));
    }
    let limit = step.env.limits.blob_size_error;
    if failed.failure.as_ref().map_or(0, Message::encoded_len) > limit {
        failed.failure = Some(server_failure("Failure exceeds size limit.", true));
    }
    record(&mut step, id, failed);
    step.done(Reply::ActivityTaskFailed)
}

/// Records the end of an attempt that failed: a retry, which leaves no event, or the close.
pub(crate) fn record(step: &mut Step<'_>, id: EventId, failed: ActivityFailed) {
    let failure = failed.failure.unwrap_or_default();
    match decide(step, id, &failure) {
        Decision::Retry { after } => {
            let details = failed.last_heartbeat_details;
            retry_after(step, id, failure, after, details);
        }
        Decision::NoRetry(retry_state) => {
            let worker = (failed.identity, failed.worker_version);
            close(step, id, failure, retry_state, worker);
        }
    }
}

/// Whether another attempt follows.
pub(crate) fn decide(step: &Step<'_>, id: EventId, failure: &Failure) -> Decision {
    let Some(activity) = step.state.activities.get(&id) else {
        return Decision::NoRetry(RetryState::Unspecified);
    };
    let attempt = retry::Attempt {
        policy: activity.retry_policy(),
        attempt: activity.attempt,
        cancel_requested: activity.cancel_requested_event_id != 0,
        expires_at_ns: activity.expires_at().map(|at| at.0),
    };
    let decision = retry::decide_activity(attempt, failure, step.time().0);
    // Neither attempts nor time run out for a paused one: it waits for its operator (section 5.6).
    match decision {
        Decision::NoRetry(RetryState::MaximumAttemptsReached | RetryState::Timeout)
            if activity.pause.is_some() =>
        {
            Decision::Retry {
                after: std::time::Duration::ZERO,
            }
        }
        decision => decision,
    }
}

/// Schedules the next attempt. It is offered when its time has come.
pub(crate) fn retry_after(
    step: &mut Step<'_>,
    id: EventId,
    failure: Failure,
    after: std::time::Duration,
    heartbeat_details: Option<proto::temporal::api::common::v1::Payloads>,
) {
    let Some(attempt) = step
        .state
        .activities
        .get(&id)
        .map(|activity| activity.attempt)
    else {
        return;
    };
    let now = step.time();
    step.change(ChangeKind::ActivityRetried(Box::new(ActivityRetried {
        scheduled_event_id: id,
        attempt: attempt.saturating_add(1),
        scheduled_time: now.after(after).0,
        ended_time: now.0,
        failure: Some(kept(failure, step.env.limits.activity_failure_size_max)),
        heartbeat_details,
    })));
    if after.is_zero() {
        step.offer_activity(id);
    }
}

/// A failure as it is kept between attempts: a large one is cut (behaviour, section 3.2).
pub(crate) fn kept(failure: Failure, limit: usize) -> Failure {
    if failure.encoded_len() <= limit {
        return failure;
    }
    let cut = |text: &str| {
        let mut end = text.len().min(limit / 4);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    };
    let inner = Failure {
        message: cut(&failure.message),
        source: cut(&failure.source),
        stack_trace: cut(&failure.stack_trace),
        failure_info: failure.failure_info.map(|info| match info {
            FailureInfo::ApplicationFailureInfo(mut app) => {
                app.details = None;
                app.r#type = cut(&app.r#type);
                FailureInfo::ApplicationFailureInfo(app)
            }
            other => other,
        }),
        ..Failure::default()
    };
    let mut outer = server_failure("Failure exceeds size limit.", false);
    outer.cause = Some(Box::new(inner));
    outer
}

fn close(
    step: &mut Step<'_>,
    id: EventId,
    failure: Failure,
    retry_state: RetryState,
    (identity, worker_version): (String, Option<WorkerVersionStamp>),
) {
    let started_event_id = activity_task::record_started(step, id, worker_version);
    activity_task::record_close(
        step,
        Attributes::ActivityTaskFailedEventAttributes(ActivityTaskFailedEventAttributes {
            failure: Some(failure),
            scheduled_event_id: id,
            started_event_id,
            identity,
            retry_state: retry_state as i32,
            ..ActivityTaskFailedEventAttributes::default()
        }),
    );
}
