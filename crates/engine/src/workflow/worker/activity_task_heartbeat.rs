//! RecordActivityTaskHeartbeat and its by-id form (behaviour, sections 3.6 and 5.5).

use prost::Message;
use proto::temporal::api::common::v1::Payloads;

use super::{activity_task, activity_task_failed};
use crate::rejection::Rejection;
use crate::workflow::command::server_failure;
use crate::workflow::input::{ActivityFailed, ActivityTarget};
use crate::workflow::record::{ActivityHeartbeat, ChangeKind};
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn heartbeat(
    mut step: Step<'_>,
    target: &ActivityTarget,
    details: Option<Payloads>,
    identity: String,
) -> Result<Transition, Rejection> {
    let id = match activity_task::resolve_started(step.state, target) {
        Ok(id) => id,
        Err(rejection) => return step.reject(rejection),
    };
    if details.as_ref().map_or(0, Message::encoded_len) > step.env.limits.blob_size_error {
        let failed = ActivityFailed {
            failure: Some(server_failure("Heartbeat details exceed size limit.", true)),
            last_heartbeat_details: None,
            identity,
            worker_version: None,
        };
        activity_task_failed::record(&mut step, id, failed);
        return step.done(Reply::Heartbeat {
            cancel_requested: true,
            activity_paused: false,
            activity_reset: false,
        });
    }
    let activity = step.state.activities.get(&id);
    let reply = Reply::Heartbeat {
        cancel_requested: activity.is_some_and(|a| a.cancel_requested_event_id != 0),
        activity_paused: activity.is_some_and(|a| a.pause.is_some()),
        activity_reset: activity.is_some_and(|a| a.reset),
    };
    let time = step.time().0;
    step.change(ChangeKind::ActivityHeartbeat(ActivityHeartbeat {
        scheduled_event_id: id,
        time,
        details,
    }));
    step.done(reply)
}
