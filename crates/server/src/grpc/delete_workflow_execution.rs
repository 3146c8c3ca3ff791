//! DeleteWorkflowExecution: an open run is terminated first.

use engine::execution::Kind;
use proto::temporal::api::workflowservice::v1::{
    DeleteWorkflowExecutionRequest, DeleteWorkflowExecutionResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DeleteWorkflowExecutionRequest>,
) -> Result<DeleteWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let execution = validate::execution(request.workflow_execution.as_ref())?;
    server
        .node
        .shards
        .delete(
            &namespace,
            Kind::Workflow,
            execution.workflow_id,
            execution.run_id,
        )
        .await?;
    Ok(DeleteWorkflowExecutionResponse {})
}
