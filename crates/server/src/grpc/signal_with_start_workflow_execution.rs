//! SignalWithStartWorkflowExecution.

use engine::Namespace;
use engine::limits::Limits;
use engine::time::Timestamp;
use engine::workflow::StartInput;
use prost::Message;
use proto::temporal::api::enums::v1::{EventType, WorkflowIdConflictPolicy};
use proto::temporal::api::workflowservice::v1::{
    SignalWithStartWorkflowExecutionRequest, SignalWithStartWorkflowExecutionResponse,
};
use uuid::Uuid;

use super::call::NamespaceCall;
use super::signal_workflow_execution::request_link;
use super::start_workflow_execution::timeouts;
use super::{Server, deployment, time_skipping, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<SignalWithStartWorkflowExecutionRequest>,
) -> Result<SignalWithStartWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    check(
        &mut request,
        &namespace,
        &server.limits,
        server.node.clock.now(),
    )?;
    let (workflow_id, request_id) = (request.workflow_id.clone(), request.request_id.clone());
    let version_override = request.versioning_override.clone();
    let input = StartInput::SignalWithStart(Box::new(request));
    let reply = server.node.shards.start(&namespace, input).await?.reply;
    deployment::reactivate(&server, namespace.id, version_override.as_ref()).await;
    let run_id = reply.run_id.to_string();
    let signaled = EventType::WorkflowExecutionSignaled;
    let link = request_link(&namespace, &workflow_id, &run_id, &request_id, signaled);
    Ok(SignalWithStartWorkflowExecutionResponse {
        first_execution_run_id: reply.first_execution_run_id,
        started: reply.started,
        signal_link: Some(link),
        run_id,
    })
}

/// Checks a request in the reference's order, and fills in what it leaves open.
fn check(
    request: &mut SignalWithStartWorkflowExecutionRequest,
    namespace: &Namespace,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), WireError> {
    validate::workflow_id(&request.workflow_id, limits)?;
    if request.signal_name.is_empty() {
        return Err(WireError::invalid("signal not set"));
    }
    let (length, max) = (request.signal_name.len(), limits.id_length_max);
    if length > max {
        let text = format!("signal name exceeds maximum allowed length ({length}/{max})");
        return Err(WireError::invalid(text));
    }
    // This RPC has words of its own.
    let name = request
        .workflow_type
        .as_ref()
        .map_or("", |kind| kind.name.as_str());
    if name.is_empty() {
        return Err(WireError::invalid("workflow type not set"));
    }
    let length = name.len();
    if length > max {
        let text = format!("workflow type name exceeds maximum allowed length ({length}/{max})");
        return Err(WireError::invalid(text));
    }
    validate::task_queue(request.task_queue.as_ref(), limits)?;
    let length = request.request_id.len();
    if length > max {
        let text = format!("Request ID exceeds maximum allowed length ({length}/{max})");
        return Err(WireError::invalid(text));
    }
    timeouts(
        request.workflow_execution_timeout.as_ref(),
        request.workflow_run_timeout.as_ref(),
        request.workflow_task_timeout.as_ref(),
    )?;
    validate::retry_policy(&mut request.retry_policy)?;
    let delay = request.workflow_start_delay.as_ref();
    validate::first_task_delay(&request.cron_schedule, delay, now.0)?;
    validate::id_policies(
        request.workflow_id_reuse_policy,
        request.workflow_id_conflict_policy,
    )?;
    if request.workflow_id_conflict_policy == WorkflowIdConflictPolicy::Fail as i32 {
        return Err(WireError::invalid(
            "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported \
             for this operation.",
        ));
    }
    validate::search_attributes(&mut request.search_attributes, namespace, limits)?;
    validate::priority(request.priority.as_ref())?;
    validate::links(&request.links)?;
    time_skipping::check(request.time_skipping_config.as_mut(), limits)?;
    validate::blob_size(
        request.input.as_ref().map_or(0, Message::encoded_len),
        limits,
    )?;
    validate::blob_size(
        request
            .signal_input
            .as_ref()
            .map_or(0, Message::encoded_len),
        limits,
    )?;
    validate::memo(request.memo.as_ref(), limits)?;
    if request.request_id.is_empty() {
        request.request_id = Uuid::new_v4().to_string();
    }
    Ok(())
}
