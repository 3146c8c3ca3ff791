//! UnpauseWorkflowExecution: a paused run goes on.

use engine::workflow::Input;
use proto::temporal::api::workflowservice::v1::{
    UnpauseWorkflowExecutionRequest, UnpauseWorkflowExecutionResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UnpauseWorkflowExecutionRequest>,
) -> Result<UnpauseWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    for (text, name) in [
        (&request.reason, "reason"),
        (&request.request_id, "request id"),
        (&request.identity, "identity"),
    ] {
        validate::length(text, &server.limits, &format!("{name} is too long."))?;
    }
    if request.workflow_id.is_empty() {
        return Err(WireError::invalid(
            "Can't load workflow execution.  WorkflowId not set.",
        ));
    }
    let run_id = validate::run_id(&request.run_id, "RunId is not valid UUID.")?;
    let workflow_id = request.workflow_id.clone();
    let input = Input::UnpauseWorkflow(Box::new(request));
    let shards = &server.node.shards;
    shards.step(&namespace, workflow_id, run_id, input).await?;
    Ok(UnpauseWorkflowExecutionResponse {})
}
