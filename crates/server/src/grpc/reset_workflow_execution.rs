//! ResetWorkflowExecution: a run that goes on from an earlier workflow task of another.

use proto::temporal::api::workflow::v1::post_reset_operation::Variant;
use proto::temporal::api::workflowservice::v1::{
    ResetWorkflowExecutionRequest, ResetWorkflowExecutionResponse,
};

use super::call::NamespaceCall;
use super::{Server, update_workflow_execution_options, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ResetWorkflowExecutionRequest>,
) -> Result<ResetWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    if request.request_id.is_empty() {
        return Err(WireError::invalid("RequestId is not set on request."));
    }
    validate::request_id(&request.request_id, &server.limits)?;
    let execution = validate::execution(request.workflow_execution.as_ref())?;
    for operation in &mut request.post_reset_operations {
        if let Some(Variant::UpdateWorkflowOptions(update)) = &mut operation.variant
            && let Some(options) = &mut update.workflow_execution_options
        {
            update_workflow_execution_options::check(options, &server.limits)?;
        }
    }
    let shards = &server.node.shards;
    let (workflow_id, run_id) = (execution.workflow_id, execution.run_id);
    let new_run = shards.reset(&namespace, workflow_id, run_id, request);
    Ok(ResetWorkflowExecutionResponse {
        run_id: new_run.await?.to_string(),
    })
}
