//! PollActivityTaskQueue: a long poll for an activity task.

use proto::temporal::api::enums::v1::TaskQueueType;
use proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse,
};

use super::call::NamespaceCall;
use super::poll_workflow_task_queue::poll;
use super::{Server, deployment};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PollActivityTaskQueueRequest>,
) -> Result<PollActivityTaskQueueResponse, WireError> {
    let NamespaceCall {
        request,
        namespace,
        metadata,
    } = call;
    let poll = poll(
        &server,
        &metadata,
        request.task_queue.as_ref(),
        request.identity,
    )?;
    let Some(mut poll) = poll else {
        return Ok(PollActivityTaskQueueResponse::default());
    };
    poll.max_tasks_per_second = request
        .task_queue_metadata
        .and_then(|metadata| metadata.max_tasks_per_second);
    poll.worker_instance_key = request.worker_instance_key;
    let kind = TaskQueueType::Activity;
    deployment::join(
        &server,
        namespace.id,
        &mut poll,
        request.deployment_options,
        request.worker_version_capabilities,
        kind,
    )
    .await?;
    let polled = server.node.poll_activity_task(&namespace, poll).await?;
    Ok(polled.map(|polled| *polled).unwrap_or_default())
}
