//! What the reports on an activity share: which activity is meant, and its close (behaviour, 5.2).

use proto::temporal::api::common::v1::WorkerVersionStamp;
use proto::temporal::api::history::v1::ActivityTaskStartedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::workflow::input::ActivityTarget;
use crate::workflow::state::State;
use crate::workflow::step::{Extras, Step};

/// The pending activity that a report is about. By id, one that no worker has yet is found too.
pub(crate) fn resolve(state: &State, target: &ActivityTarget) -> Result<EventId, Rejection> {
    if !state.is_open() {
        return Err(Rejection::AlreadyCompleted);
    }
    match target {
        ActivityTarget::Token(token) => {
            let held = state
                .activities
                .get(&token.scheduled_event_id)
                .is_some_and(|activity| {
                    !activity.closing
                        && activity.attempt == token.attempt
                        && activity
                            .started
                            .as_ref()
                            .is_some_and(|s| s.time.0 == token.started_time)
                });
            if held {
                Ok(token.scheduled_event_id)
            } else {
                Err(Rejection::ActivityTaskNotFound)
            }
        }
        ActivityTarget::Id(activity_id) => state
            .activity_ids
            .get(activity_id.as_str())
            .map(|found| found.0)
            .filter(|id| {
                state
                    .activities
                    .get(id)
                    .is_some_and(|activity| !activity.closing)
            })
            .ok_or_else(|| Rejection::ActivityNotFound {
                activity_id: activity_id.clone(),
            }),
    }
}

/// As [`resolve`], for reports that make sense only of an attempt that a worker has.
pub(crate) fn resolve_started(
    state: &State,
    target: &ActivityTarget,
) -> Result<EventId, Rejection> {
    let id = resolve(state, target)?;
    let started = state
        .activities
        .get(&id)
        .is_some_and(|activity| activity.started.is_some());
    if started {
        Ok(id)
    } else {
        Err(Rejection::ActivityTaskNotFound)
    }
}

/// Records the start of the last attempt, which history shows only now, together with the close. An
/// activity that nobody had leaves none. Returns the id, 0 when there is none or while it is buffered.
///
/// The build shown is that of the worker which ends the attempt, as the reference shows it.
pub(crate) fn record_started(
    step: &mut Step<'_>,
    id: EventId,
    worker_version: Option<WorkerVersionStamp>,
) -> EventId {
    let Some(activity) = step.state.activities.get(&id) else {
        return 0;
    };
    let Some(started) = activity.started.clone() else {
        return 0;
    };
    let attributes = ActivityTaskStartedEventAttributes {
        scheduled_event_id: id,
        identity: started.identity.to_string(),
        request_id: started.request_id.to_string(),
        attempt: activity.attempt,
        last_failure: activity.last_failure.as_deref().cloned(),
        worker_version,
        ..ActivityTaskStartedEventAttributes::default()
    };
    step.external_at(
        Attributes::ActivityTaskStartedEventAttributes(attributes),
        Extras::default(),
        started.time,
    )
}

/// Records the close and lets a workflow task follow.
pub(crate) fn record_close(step: &mut Step<'_>, attributes: Attributes) {
    step.external(attributes, Extras::default());
    step.enforce_buffer_limits();
    step.ensure_workflow_task();
}
