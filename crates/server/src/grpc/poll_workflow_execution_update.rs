//! PollWorkflowExecutionUpdate: waits for a known update; without a stage to wait for it only looks.

use proto::temporal::api::workflowservice::v1::{
    PollWorkflowExecutionUpdateRequest, PollWorkflowExecutionUpdateResponse,
};

use super::call::NamespaceCall;
use super::update_workflow_execution::{reference, wait};
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PollWorkflowExecutionUpdateRequest>,
) -> Result<PollWorkflowExecutionUpdateResponse, WireError> {
    let NamespaceCall {
        request,
        namespace,
        metadata,
    } = call;
    let Some(wanted) = request.update_ref else {
        return Err(WireError::invalid("UpdateRef is not set on request."));
    };
    let execution = wanted.workflow_execution.unwrap_or_default();
    if execution.workflow_id.is_empty() {
        return Err(WireError::invalid(
            "Can't load workflow execution.  WorkflowId not set.",
        ));
    }
    let run_id = validate::run_id(&execution.run_id, "RunId is not valid UUID.")?;
    let stage = request.wait_policy.unwrap_or_default().lifecycle_stage();
    let wait = wait(&server, &metadata, stage);
    let (workflow_id, update_id) = (execution.workflow_id, wanted.update_id);
    let updated = server
        .node
        .poll_update(&namespace, &workflow_id, run_id, &update_id, wait)
        .await?;
    Ok(PollWorkflowExecutionUpdateResponse {
        outcome: updated.outcome,
        stage: updated.stage.into(),
        update_ref: Some(reference(
            workflow_id,
            updated.run_id.to_string(),
            update_id,
        )),
    })
}
