//! StartWorkflowExecution.

use engine::Namespace;
use engine::limits::Limits;
use engine::nexus::callback;
use engine::time::Timestamp;
use engine::workflow::{StartInput, StartReply};
use prost::Message;
use proto::temporal::api::common::v1::Link;
use proto::temporal::api::common::v1::link::workflow_event::{EventReference, Reference};
use proto::temporal::api::common::v1::link::{Variant, WorkflowEvent};
use proto::temporal::api::enums::v1::EventType;
use proto::temporal::api::workflowservice::v1::{
    StartWorkflowExecutionRequest, StartWorkflowExecutionResponse,
};
use uuid::Uuid;

use super::call::NamespaceCall;
use super::signal_workflow_execution::request_link;
use super::{Server, deployment, task_view, time_skipping, validate};
use crate::error::WireError;
use crate::wire::{self, Reply};

/// The response's field for an eager workflow task.
const EAGER_WORKFLOW_TASK: u32 = 2;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<StartWorkflowExecutionRequest>,
) -> Result<Reply<StartWorkflowExecutionResponse>, WireError> {
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
    let workflow_id = request.workflow_id.clone();
    let attaches = request
        .on_conflict_options
        .is_some_and(|options| options.attach_request_id);
    let attached = attaches.then(|| request.request_id.clone());
    let version_override = request.versioning_override.clone();
    let started = server
        .node
        .shards
        .start(&namespace, StartInput::Start(Box::new(request)))
        .await?;
    deployment::reactivate(&server, namespace.id, version_override.as_ref()).await;
    let response = response(&namespace, &workflow_id, &started.reply, attached);
    let run_id = response.run_id.clone();
    let (Some(task), Some(history)) = (started.reply.eager_workflow_task, started.history) else {
        return Ok(response.into());
    };
    let eager = task_view::workflow_task(&workflow_id, &run_id, task, history, Vec::new());
    Ok(Reply::with(
        response,
        EAGER_WORKFLOW_TASK,
        vec![wire::encode(&eager)],
    ))
}

/// The answer, but for an eager task. A request id that was attached to a run has a link of its own.
pub(super) fn response(
    namespace: &Namespace,
    workflow_id: &str,
    reply: &StartReply,
    attached: Option<String>,
) -> StartWorkflowExecutionResponse {
    let run_id = reply.run_id.to_string();
    let link = match attached {
        Some(request_id) if !reply.started => {
            let updated = EventType::WorkflowExecutionOptionsUpdated;
            request_link(namespace, workflow_id, &run_id, &request_id, updated)
        }
        _ => first_event(namespace, workflow_id, &run_id),
    };
    StartWorkflowExecutionResponse {
        first_execution_run_id: reply.first_execution_run_id.clone(),
        started: reply.started,
        status: reply.status.into(),
        link: Some(link),
        eager_workflow_task: None,
        run_id,
    }
}

/// Checks a request in the reference's order, and fills in what it leaves open.
pub(super) fn check(
    request: &mut StartWorkflowExecutionRequest,
    namespace: &Namespace,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), WireError> {
    validate::workflow_id(&request.workflow_id, limits)?;
    validate::retry_policy(&mut request.retry_policy)?;
    let delay = request.workflow_start_delay.as_ref();
    validate::first_task_delay(&request.cron_schedule, delay, now.0)?;
    validate::workflow_type(request.workflow_type.as_ref(), limits)?;
    validate::task_queue(request.task_queue.as_ref(), limits)?;
    timeouts(
        request.workflow_execution_timeout.as_ref(),
        request.workflow_run_timeout.as_ref(),
        request.workflow_task_timeout.as_ref(),
    )?;
    validate::request_id(&request.request_id, limits)?;
    validate::id_policies(
        request.workflow_id_reuse_policy,
        request.workflow_id_conflict_policy,
    )?;
    if let Some(options) = &request.on_conflict_options
        && options.attach_completion_callbacks
        && !options.attach_request_id
    {
        return Err(WireError::invalid(
            "attaching request ID is required for attaching completion callbacks",
        ));
    }
    validate::search_attributes(&mut request.search_attributes, namespace, limits)?;
    validate::priority(request.priority.as_ref())?;
    callback::check(&mut request.completion_callbacks, limits)?;
    // A callback shows its links itself.
    request.links.retain(|link| {
        let callbacks = &request.completion_callbacks;
        !callbacks
            .iter()
            .any(|callback| callback.links.contains(link))
    });
    validate::all_links(&request.links, &request.completion_callbacks)?;
    time_skipping::check(request.time_skipping_config.as_mut(), limits)?;
    validate::blob_size(
        request.input.as_ref().map_or(0, Message::encoded_len),
        limits,
    )?;
    validate::memo(request.memo.as_ref(), limits)?;
    if request.request_id.is_empty() {
        request.request_id = Uuid::new_v4().to_string();
    }
    Ok(())
}

/// The three timeouts of a run.
pub(super) fn timeouts(
    execution: Option<&proto::Duration>,
    run: Option<&proto::Duration>,
    task: Option<&proto::Duration>,
) -> Result<(), WireError> {
    validate::timeout(execution, "WorkflowExecutionTimeoutSeconds")?;
    validate::timeout(run, "WorkflowRunTimeoutSeconds")?;
    validate::timeout(task, "WorkflowTaskTimeoutSeconds")
}

fn first_event(namespace: &Namespace, workflow_id: &str, run_id: &str) -> Link {
    let reference = EventReference {
        event_id: 1,
        event_type: EventType::WorkflowExecutionStarted.into(),
    };
    Link {
        variant: Some(Variant::WorkflowEvent(WorkflowEvent {
            namespace: namespace.name.to_string(),
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
            reference: Some(Reference::EventRef(reference)),
        })),
    }
}
