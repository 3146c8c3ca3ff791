//! PauseActivity and PauseActivityExecution (behaviour, section 5.6): no further attempt is handed out; one
//! that a worker has may be finished.

use proto::temporal::api::workflowservice::v1::PauseActivityRequest;
use proto::temporal::api::workflowservice::v1::pause_activity_request::Activity;

use super::activity_selection::{Selection, select};
use crate::rejection::Rejection;
use crate::workflow::record::{ActivityPaused, ChangeKind};
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn pause(
    mut step: Step<'_>,
    request: PauseActivityRequest,
) -> Result<Transition, Rejection> {
    let selection = match &request.activity {
        Some(Activity::Type(name)) => Selection::Type(name),
        Some(Activity::Id(id)) => Selection::Id(id),
        None => Selection::Id(""),
    };
    let ids = match select(step.state, &selection) {
        Ok(ids) => ids,
        Err(rejection) => return step.reject(rejection),
    };
    for id in ids {
        let activity = step.state.activities.get(&id);
        let before = activity.and_then(|activity| activity.pause.clone());
        match before {
            // The same request once more.
            Some(pause) if *pause.request_id == request.request_id => continue,
            Some(_) => {
                let message = "activity is already paused".to_owned();
                return step.reject(Rejection::FailedPrecondition(message));
            }
            None => {}
        }
        step.change(ChangeKind::ActivityPaused(ActivityPaused {
            scheduled_event_id: id,
            identity: request.identity.clone(),
            reason: request.reason.clone(),
            request_id: request.request_id.clone(),
        }));
    }
    step.done(Reply::Done)
}
