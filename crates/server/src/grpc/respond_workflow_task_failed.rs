//! RespondWorkflowTaskFailed.

use engine::workflow::Input;
use engine::workflow::token::{self, WorkflowTaskToken};
use proto::temporal::api::workflowservice::v1::{
    RespondWorkflowTaskFailedRequest, RespondWorkflowTaskFailedResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RespondWorkflowTaskFailedRequest>,
    token: WorkflowTaskToken,
) -> Result<RespondWorkflowTaskFailedResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    validate::identity(&request.identity, &server.limits)?;
    let (workflow_id, run_id) = (token.workflow_id.clone(), token::id(&token.run_id));
    let input = Input::WorkflowTaskFailed(token, Box::new(request));
    server
        .node
        .shards
        .step(&namespace, workflow_id, Some(run_id), input)
        .await?;
    Ok(RespondWorkflowTaskFailedResponse {})
}
