//! PollWorkflowTaskQueue: a long poll for a workflow task or a query.

use std::time::Duration;

use proto::temporal::api::common::v1::{WorkflowExecution, WorkflowType};
use proto::temporal::api::enums::v1::TaskQueueType;
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::{
    PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse,
};
use tokio::time::Instant;

use super::call::{Metadata, NamespaceCall};
use super::task_view::{HISTORY, next_page, normal_queue};
use super::{Frontend, Server, deployment, task_view, validate};
use crate::error::WireError;
use crate::matching::Poll;
use crate::node::{PolledKind, PolledWorkflowTask};
use crate::wire::Reply;

/// Shorter polls are refused: they would end before they began.
const CLIENT_TIME_MIN: Duration = Duration::from_secs(2);

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PollWorkflowTaskQueueRequest>,
) -> Result<Reply<PollWorkflowTaskQueueResponse>, WireError> {
    let NamespaceCall {
        request,
        namespace,
        metadata,
    } = call;
    let queue = request.task_queue.as_ref();
    let poll = poll(&server, &metadata, queue, request.identity)?;
    let Some(mut poll) = poll else {
        return Ok(Reply::default());
    };
    poll.worker_instance_key = request.worker_instance_key;
    let kind = TaskQueueType::Workflow;
    deployment::join(
        &server,
        namespace.id,
        &mut poll,
        request.deployment_options,
        request.worker_version_capabilities,
        kind,
    )
    .await?;
    let polled = server.node.poll_workflow_task(&namespace, poll).await?;
    Ok(polled.map_or_else(Reply::default, shown))
}

/// A valid poll, or nothing when the client's time is as good as over.
pub(super) fn poll(
    server: &Frontend,
    metadata: &Metadata,
    queue: Option<&TaskQueue>,
    identity: String,
) -> Result<Option<Poll>, WireError> {
    let now = Instant::now();
    let Some(deadline) = metadata.deadline else {
        return Err(WireError::invalid("Context timeout is not set."));
    };
    let left = deadline.saturating_duration_since(now);
    // What the network took on the way here does not count.
    if left + Duration::from_millis(50) < CLIENT_TIME_MIN {
        return Err(WireError::failed_precondition(
            "Context timeout is too short.",
        ));
    }
    validate::identity(&identity, &server.limits)?;
    let (name, sticky) = validate::served_queue(queue, &server.limits)?;
    Ok(server.node.poll_hold(Some(left)).map(|hold| Poll {
        task_queue: name.into(),
        sticky,
        identity,
        worker_instance_key: String::new(),
        max_tasks_per_second: None,
        deployment_options: None,
        version_capabilities: None,
        version: None,
        build: None,
        sdk: (
            metadata.client_name.clone(),
            metadata.client_version.clone(),
        ),
        until: now + hold,
    }))
}

fn shown(polled: PolledWorkflowTask) -> Reply<PollWorkflowTaskQueueResponse> {
    let PolledWorkflowTask {
        workflow_id,
        run_id,
        task_token,
        kind,
        history,
        backlog_count_hint,
        scaling,
    } = polled;
    let run_id = run_id.to_string();
    let mut reply = match kind {
        PolledKind::WorkflowTask { task, queries } => {
            task_view::workflow_task(&workflow_id, &run_id, *task, history, queries)
        }
        PolledKind::Query {
            query,
            workflow_type,
            previous_started_event_id,
            task_queue,
        } => {
            let message = PollWorkflowTaskQueueResponse {
                workflow_execution: Some(WorkflowExecution {
                    workflow_id: workflow_id.to_string(),
                    run_id,
                }),
                workflow_type: Some(WorkflowType {
                    name: workflow_type,
                }),
                previous_started_event_id,
                query: Some(query),
                attempt: 1,
                workflow_execution_task_queue: Some(normal_queue(&task_queue)),
                next_page_token: next_page(&history),
                ..Default::default()
            };
            Reply::with(message, HISTORY, history.fragments)
        }
    };
    reply.message.task_token = task_token;
    reply.message.backlog_count_hint = backlog_count_hint;
    reply.message.poller_scaling_decision = scaling;
    reply
}
