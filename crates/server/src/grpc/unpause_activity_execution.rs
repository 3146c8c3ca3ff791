//! UnpauseActivityExecution: attempts are handed out again.

use std::sync::Arc;

use engine::workflow::Input;
use engine::{Namespace, activity};
use proto::temporal::api::workflowservice::v1::unpause_activity_request::Activity;
use proto::temporal::api::workflowservice::v1::{
    UnpauseActivityExecutionRequest, UnpauseActivityExecutionResponse, UnpauseActivityRequest,
};
use uuid::Uuid;

use super::activity_operator::{self, Command};
use super::call::NamespaceCall;
use super::{Frontend, Server};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UnpauseActivityExecutionRequest>,
) -> Result<UnpauseActivityExecutionResponse, WireError> {
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
    activity_operator::check_jitter(request.jitter.as_ref())?;
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
    request: UnpauseActivityExecutionRequest,
) -> Result<UnpauseActivityExecutionResponse, WireError> {
    let input = Input::UnpauseActivity(Box::new(UnpauseActivityRequest {
        identity: request.identity,
        activity: Some(Activity::Id(request.activity_id)),
        jitter: request.jitter,
        ..UnpauseActivityRequest::default()
    }));
    activity_operator::step(server, namespace, request.workflow_id, run_id, input).await?;
    Ok(UnpauseActivityExecutionResponse {})
}

/// A standalone activity.
async fn standalone(
    server: &Frontend,
    namespace: &Arc<Namespace>,
    run_id: Option<Uuid>,
    request: UnpauseActivityExecutionRequest,
) -> Result<UnpauseActivityExecutionResponse, WireError> {
    let id = request.activity_id.clone();
    let input = activity::Input::Unpause(Box::new(request));
    let shards = &server.node.shards;
    shards.step(namespace, id, run_id, input).await?;
    Ok(UnpauseActivityExecutionResponse {})
}
