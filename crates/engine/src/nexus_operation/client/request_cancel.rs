//! RequestCancelNexusOperationExecution: the handler is asked to stop, as soon as it has started.

use proto::temporal::api::workflowservice::v1::RequestCancelNexusOperationExecutionRequest;

use super::precondition;
use crate::nexus_operation::ask::ask_to_cancel;
use crate::nexus_operation::record::{ChangeKind, Request};
use crate::nexus_operation::step::Step;
use crate::rejection::Rejection;

pub(in crate::nexus_operation) fn request_cancel(
    step: &mut Step<'_>,
    request: RequestCancelNexusOperationExecutionRequest,
) -> Result<(), Rejection> {
    let before = step.state.core.cancel.as_ref();
    // A repeat may come after the operation has ended.
    if before.is_some_and(|before| before.request_id == request.request_id) {
        return Ok(());
    }
    if !step.state.is_open() {
        return Err(precondition("operation already completed"));
    }
    if let Some(before) = before {
        return Err(precondition(format!(
            "cancellation already requested with request ID {}",
            before.request_id
        )));
    }
    step.change(ChangeKind::CancelRequested(Request {
        identity: request.identity,
        request_id: request.request_id,
        reason: request.reason,
    }));
    ask_to_cancel(step);
    Ok(())
}
