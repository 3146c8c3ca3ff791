//! RespondActivityTaskCanceled and its by-id form (behaviour, section 5.5).

use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::history::v1::ActivityTaskCanceledEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::activity_task;
use crate::rejection::Rejection;
use crate::workflow::input::ActivityTarget;
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn cancel(
    mut step: Step<'_>,
    target: &ActivityTarget,
    details: Option<Payloads>,
    identity: String,
) -> Result<Transition, Rejection> {
    let id = match activity_task::resolve_started(step.state, target) {
        Ok(id) => id,
        Err(rejection) => return step.reject(rejection),
    };
    let requested = step
        .state
        .activities
        .get(&id)
        .map_or(0, |a| a.cancel_requested_event_id);
    if requested == 0 {
        return step.reject(Rejection::invalid(
            "unable to mark activity as canceled without activity being request canceled first",
        ));
    }
    let started_event_id = activity_task::record_started(&mut step, id, None);
    activity_task::record_close(
        &mut step,
        Attributes::ActivityTaskCanceledEventAttributes(ActivityTaskCanceledEventAttributes {
            details,
            latest_cancel_requested_event_id: requested,
            scheduled_event_id: id,
            started_event_id,
            identity,
            worker_version: None,
        }),
    );
    step.done(Reply::Done)
}
