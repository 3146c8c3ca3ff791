//! PauseActivityExecution without a workflow (behaviour, section 5.6).

use proto::temporal::api::workflowservice::v1::PauseActivityExecutionRequest;

use super::{is_repeat, precondition};
use crate::activity::record::{ChangeKind, Request};
use crate::activity::state::Status;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn pause(
    step: &mut Step<'_>,
    request: PauseActivityExecutionRequest,
) -> Result<Reply, Rejection> {
    let last = step.state.core.pause.as_ref();
    if is_repeat(
        &request.request_id,
        last.map_or("", |pause| &pause.request_id),
    ) {
        return Ok(Reply::Done);
    }
    let status = step.state.status();
    if !matches!(status, Status::Scheduled | Status::Started) {
        return Err(precondition(format!(
            "activity is in non-pausable state {status:?}"
        )));
    }
    step.change(ChangeKind::Paused(Request {
        identity: request.identity,
        request_id: request.request_id,
        reason: request.reason,
    }));
    Ok(Reply::Done)
}
