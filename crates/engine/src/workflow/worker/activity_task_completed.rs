//! RespondActivityTaskCompleted and its by-id form (behaviour, section 5.2).

use prost::Message;
use proto::temporal::api::history::v1::ActivityTaskCompletedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{activity_task, activity_task_failed};
use crate::rejection::Rejection;
use crate::workflow::command::server_failure;
use crate::workflow::input::{ActivityCompleted, ActivityFailed, ActivityTarget};
use crate::workflow::record::{ActivityStarted, ChangeKind};
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn complete(
    mut step: Step<'_>,
    target: &ActivityTarget,
    completed: ActivityCompleted,
) -> Result<Transition, Rejection> {
    let ActivityCompleted {
        result,
        identity,
        worker_version,
    } = completed;
    let id = match activity_task::resolve(step.state, target) {
        Ok(id) => id,
        Err(rejection) => return step.reject(rejection),
    };
    if result.as_ref().map_or(0, Message::encoded_len) > step.env.limits.blob_size_error {
        let failed = ActivityFailed {
            failure: Some(server_failure("Complete result exceeds size limit.", true)),
            last_heartbeat_details: None,
            identity,
            worker_version,
        };
        activity_task_failed::record(&mut step, id, failed);
        return step.done(Reply::Done);
    }
    let unstarted = step
        .state
        .activities
        .get(&id)
        .is_some_and(|a| a.started.is_none());
    if unstarted {
        // Completed by id before any worker had it: history still shows a start.
        let started = ActivityStarted {
            scheduled_event_id: id,
            time: step.time().0,
            identity: identity.clone(),
            request_id: String::new(),
        };
        step.change(ChangeKind::ActivityStarted(started));
    }
    let started_event_id = activity_task::record_started(&mut step, id, worker_version);
    activity_task::record_close(
        &mut step,
        Attributes::ActivityTaskCompletedEventAttributes(ActivityTaskCompletedEventAttributes {
            result,
            scheduled_event_id: id,
            started_event_id,
            identity,
            worker_version: None,
        }),
    );
    step.done(Reply::Done)
}
