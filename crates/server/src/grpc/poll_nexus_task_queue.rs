//! PollNexusTaskQueue: workers poll for Nexus tasks even where there are none, so the poll is held
//! as long as any other and then answered with nothing.

use proto::temporal::api::workflowservice::v1::{
    PollNexusTaskQueueRequest, PollNexusTaskQueueResponse,
};

use super::Server;
use super::call::NamespaceCall;
use super::poll_workflow_task_queue::poll;
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
    if let Some(poll) = poll {
        let mut stopping = server.stopping.clone();
        tokio::select! {
            () = tokio::time::sleep_until(poll.until) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
    Ok(PollNexusTaskQueueResponse::default())
}
