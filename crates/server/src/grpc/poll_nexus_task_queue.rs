//! PollNexusTaskQueue: a long poll for a request to a Nexus handler.

use proto::temporal::api::enums::v1::TaskQueueType;
use proto::temporal::api::workflowservice::v1::{
    PollNexusTaskQueueRequest, PollNexusTaskQueueResponse,
};

use super::call::NamespaceCall;
use super::poll_workflow_task_queue::poll;
use super::{Server, deployment};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PollNexusTaskQueueRequest>,
) -> Result<PollNexusTaskQueueResponse, WireError> {
    let NamespaceCall {
        request,
        namespace,
        metadata,
    } = call;
    server
        .worker_heartbeats
        .record(namespace.id, request.worker_heartbeat);
    let poll = poll(
        &server,
        &metadata,
        request.task_queue.as_ref(),
        request.identity,
    )?;
    let Some(mut poll) = poll else {
        return Ok(PollNexusTaskQueueResponse::default());
    };
    poll.worker_instance_key = request.worker_instance_key;
    let kind = TaskQueueType::Nexus;
    deployment::join(
        &server,
        namespace.id,
        &mut poll,
        request.deployment_options,
        request.worker_version_capabilities,
        kind,
    )
    .await?;
    let polled = server.node.poll_nexus_task(&namespace, poll).await;
    Ok(polled.map(|polled| *polled).unwrap_or_default())
}
