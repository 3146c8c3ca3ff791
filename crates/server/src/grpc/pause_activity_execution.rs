//! PauseActivityExecution: no further attempt is handed out.

use std::sync::Arc;

use engine::workflow::Input;
use engine::{Namespace, activity};
use proto::temporal::api::workflowservice::v1::pause_activity_request::Activity;
use proto::temporal::api::workflowservice::v1::{
    PauseActivityExecutionRequest, PauseActivityExecutionResponse, PauseActivityRequest,
};
use uuid::Uuid;

use super::activity_operator::{self, Command};
use super::call::NamespaceCall;
use super::{Frontend, Server};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PauseActivityExecutionRequest>,
) -> Result<PauseActivityExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let command = Command {
        activity_id: &request.activity_id,
        run_id: &request.run_id,
        identity: &request.identity,
        request_id: &mut request.request_id,
    };
    let run_id = activity_operator::check(command, &server)?;
    if request.reason.len() > server.limits.blob_size_error {
        return Err(WireError::invalid("reason exceeds length limit"));
    }
    if request.workflow_id.is_empty() {
        standalone(&server, &namespace, run_id, request).await
    } else {
        in_workflow(&server, &namespace, run_id, request).await
    }
}

/// An activity of a workflow.
async fn in_workflow(
    server: &Frontend,
    namespace: &Arc<Namespace>,
    run_id: Option<Uuid>,
    request: PauseActivityExecutionRequest,
) -> Result<PauseActivityExecutionResponse, WireError> {
    let input = Input::PauseActivity(Box::new(PauseActivityRequest {
        identity: request.identity,
        activity: Some(Activity::Id(request.activity_id)),
        reason: request.reason,
        request_id: request.request_id,
        ..PauseActivityRequest::default()
    }));
    activity_operator::step(server, namespace, request.workflow_id, run_id, input).await?;
    Ok(PauseActivityExecutionResponse {})
}

/// A standalone activity.
async fn standalone(
    server: &Frontend,
    namespace: &Arc<Namespace>,
    run_id: Option<Uuid>,
    request: PauseActivityExecutionRequest,
) -> Result<PauseActivityExecutionResponse, WireError> {
    let id = request.activity_id.clone();
    let input = activity::Input::Pause(Box::new(request));
    let shards = &server.node.shards;
    shards.step(namespace, id, run_id, input).await?;
    Ok(PauseActivityExecutionResponse {})
}
