//! TerminateWorkflowExecution.

use engine::workflow::Input;
use proto::temporal::api::workflowservice::v1::{
    TerminateWorkflowExecutionRequest, TerminateWorkflowExecutionResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<TerminateWorkflowExecutionRequest>,
) -> Result<TerminateWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let execution = validate::execution(request.workflow_execution.as_ref())?;
    validate::links(&request.links)?;
    validate::blob(request.details.as_ref(), &server.limits)?;
    if request.reason.is_empty() {
        "terminated by user via frontend".clone_into(&mut request.reason);
    }
    if request.identity.is_empty() {
        "frontend-service".clone_into(&mut request.identity);
    }
    let input = Input::Terminate(Box::new(request));
    server
        .node
        .shards
        .step(&namespace, execution.workflow_id, execution.run_id, input)
        .await?;
    Ok(TerminateWorkflowExecutionResponse {})
}
