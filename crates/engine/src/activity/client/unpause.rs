//! UnpauseActivityExecution without a workflow (behaviour, section 5.6).

use proto::temporal::api::workflowservice::v1::UnpauseActivityExecutionRequest;

use super::{is_repeat, precondition, with_jitter};
use crate::activity::record::{ChangeKind, Unpaused};
use crate::activity::state::Status;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn unpause(
    step: &mut Step<'_>,
    request: &UnpauseActivityExecutionRequest,
) -> Result<Reply, Rejection> {
    if is_repeat(&request.request_id, &step.state.core.unpause_request_id) {
        return Ok(Reply::Done);
    }
    let status = step.state.status();
    if !status.is_open() {
        return Err(precondition(format!(
            "activity is in terminal state {status:?}"
        )));
    }
    if !matches!(status, Status::Paused | Status::PauseRequested) {
        return Err(precondition(format!(
            "activity is in non-unpausable state {status:?}"
        )));
    }
    let at = with_jitter(step, request.jitter.as_ref());
    let core = &step.state.core;
    // A retry's interval that has not passed yet still counts.
    let retry = match core.retry_interval {
        0 => Timestamp::MIN,
        interval => Timestamp(core.ended_time.saturating_add(interval)),
    };
    step.change(ChangeKind::Unpaused(Unpaused {
        request_id: request.request_id.clone(),
        dispatch_time: at.max(retry).0,
    }));
    step.offer_if_ready();
    Ok(Reply::Done)
}
