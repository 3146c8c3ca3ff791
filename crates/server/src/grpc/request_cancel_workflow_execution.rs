//! RequestCancelWorkflowExecution. Silent on a closed run, and when already requested.

use engine::workflow::Input;
use engine::workflow::input::RequestCancel;
use proto::temporal::api::workflowservice::v1::{
    RequestCancelWorkflowExecutionRequest, RequestCancelWorkflowExecutionResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RequestCancelWorkflowExecutionRequest>,
) -> Result<RequestCancelWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let execution = validate::execution(request.workflow_execution.as_ref())?;
    validate::links(&request.links)?;
    let input = Input::RequestCancel(RequestCancel {
        reason: request.reason,
        identity: request.identity,
        request_id: request.request_id,
        links: request.links,
        first_execution_run_id: request.first_execution_run_id,
    });
    server
        .node
        .shards
        .step(&namespace, execution.workflow_id, execution.run_id, input)
        .await?;
    Ok(RequestCancelWorkflowExecutionResponse {})
}
