//! ResetActivityExecution without a workflow: its attempts begin with the first again, at once or when the one
//! that a worker has is over (behaviour, section 5.6).

use proto::temporal::api::workflowservice::v1::ResetActivityExecutionRequest;

use super::{is_repeat, precondition, with_jitter};
use crate::activity::record::{ChangeKind, Reset};
use crate::activity::state::Status;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn reset(
    step: &mut Step<'_>,
    request: &ResetActivityExecutionRequest,
) -> Result<Reply, Rejection> {
    if is_repeat(&request.request_id, &step.state.core.reset_request_id) {
        return Ok(Reply::Done);
    }
    match step.state.status() {
        Status::CancelRequested => {
            return Err(precondition(
                "cannot reset an activity with a pending cancellation",
            ));
        }
        Status::ResetRequested => {
            return Err(precondition(
                "cannot reset an activity with a pending reset",
            ));
        }
        status if !status.is_open() => {
            return Err(precondition("activity execution is not running"));
        }
        _ => {}
    }
    let at = with_jitter(step, request.jitter.as_ref());
    step.row_changed = request.restore_original_options;
    step.change(ChangeKind::Reset(Reset {
        request_id: request.request_id.clone(),
        dispatch_time: at.0,
        clears_heartbeat: request.reset_heartbeat,
        restores_options: request.restore_original_options,
        keeps_paused: request.keep_paused,
    }));
    step.offer_if_ready();
    Ok(Reply::Done)
}
