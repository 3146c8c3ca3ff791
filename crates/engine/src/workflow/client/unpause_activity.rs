//! UnpauseActivity and UnpauseActivityExecution (behaviour, section 5.6): what waits is handed out, at once or
//! within a jitter. One that is not paused stays as it is.

use proto::temporal::api::workflowservice::v1::UnpauseActivityRequest;
use proto::temporal::api::workflowservice::v1::unpause_activity_request::Activity;

use super::activity_selection::{Selection, go_on_at, offer_if_ready, select};
use crate::rejection::Rejection;
use crate::time::duration;
use crate::workflow::record::{ActivityUnpaused, ChangeKind};
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn unpause(
    mut step: Step<'_>,
    request: UnpauseActivityRequest,
) -> Result<Transition, Rejection> {
    let selection = match &request.activity {
        Some(Activity::Type(name)) => Selection::Type(name),
        Some(Activity::Id(id)) => Selection::Id(id),
        Some(Activity::UnpauseAll(_)) => Selection::All,
        None => Selection::Id(""),
    };
    let ids = match select(step.state, &selection) {
        Ok(ids) => ids,
        Err(rejection) => return step.reject(rejection),
    };
    let jitter = duration(request.jitter.as_ref());
    for id in ids {
        let activity = step.state.activities.get(&id);
        if activity.is_none_or(|activity| activity.pause.is_none()) {
            continue;
        }
        let at = go_on_at(&mut step, jitter);
        step.change(ChangeKind::ActivityUnpaused(ActivityUnpaused {
            scheduled_event_id: id,
            scheduled_time: at.0,
            reset_attempts: request.reset_attempts,
            reset_heartbeat: request.reset_heartbeat,
        }));
        offer_if_ready(&mut step, id);
    }
    step.done(Reply::Done)
}
