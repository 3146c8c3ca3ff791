//! ResetActivity and ResetActivityExecution (behaviour, section 5.6): the next attempt is the first one again.
//! What waits is handed out, at once or within a jitter; a worker that has an attempt is told with its heartbeat.

use proto::temporal::api::workflowservice::v1::ResetActivityRequest;
use proto::temporal::api::workflowservice::v1::reset_activity_request::Activity;

use super::activity_selection::{Selection, go_on_at, offer_if_ready, select};
use crate::rejection::Rejection;
use crate::time::duration;
use crate::workflow::record::{ActivityReset, ChangeKind};
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn reset(
    mut step: Step<'_>,
    request: ResetActivityRequest,
) -> Result<Transition, Rejection> {
    let selection = match &request.activity {
        Some(Activity::Type(name)) => Selection::Type(name),
        Some(Activity::Id(id)) => Selection::Id(id),
        Some(Activity::MatchAll(_)) => Selection::All,
        None => Selection::Id(""),
    };
    let ids = match select(step.state, &selection) {
        Ok(ids) => ids,
        Err(rejection) => return step.reject(rejection),
    };
    let jitter = duration(request.jitter.as_ref());
    for id in ids {
        let at = go_on_at(&mut step, jitter);
        step.change(ChangeKind::ActivityReset(ActivityReset {
            scheduled_event_id: id,
            scheduled_time: at.0,
            reset_heartbeat: request.reset_heartbeat,
            keep_paused: request.keep_paused,
            restore_original_options: request.restore_original_options,
        }));
        offer_if_ready(&mut step, id);
    }
    step.done(Reply::Done)
}
