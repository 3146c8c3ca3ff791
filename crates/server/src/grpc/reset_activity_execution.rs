//! ResetActivityExecution: the next attempt is the first one again.

use std::sync::Arc;

use engine::workflow::Input;
use engine::{Namespace, activity};
use proto::temporal::api::workflowservice::v1::reset_activity_request::Activity;
use proto::temporal::api::workflowservice::v1::{
    ResetActivityExecutionRequest, ResetActivityExecutionResponse, ResetActivityRequest,
};
use uuid::Uuid;

use super::activity_operator::{self, Command};
use super::call::NamespaceCall;
use super::{Frontend, Server};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ResetActivityExecutionRequest>,
) -> Result<ResetActivityExecutionResponse, WireError> {
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
    request: ResetActivityExecutionRequest,
) -> Result<ResetActivityExecutionResponse, WireError> {
    let input = Input::ResetActivity(Box::new(ResetActivityRequest {
        identity: request.identity,
        activity: Some(Activity::Id(request.activity_id)),
        reset_heartbeat: request.reset_heartbeat,
        keep_paused: request.keep_paused,
        jitter: request.jitter,
        restore_original_options: request.restore_original_options,
        ..ResetActivityRequest::default()
    }));
    activity_operator::step(server, namespace, request.workflow_id, run_id, input).await?;
    Ok(ResetActivityExecutionResponse {})
}

/// A standalone activity.
async fn standalone(
    server: &Frontend,
    namespace: &Arc<Namespace>,
    run_id: Option<Uuid>,
    request: ResetActivityExecutionRequest,
) -> Result<ResetActivityExecutionResponse, WireError> {
    let id = request.activity_id.clone();
    let input = activity::Input::Reset(Box::new(request));
    let shards = &server.node.shards;
    shards.step(namespace, id, run_id, input).await?;
    Ok(ResetActivityExecutionResponse {})
}
