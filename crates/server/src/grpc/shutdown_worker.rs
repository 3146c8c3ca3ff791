//! ShutdownWorker: tasks of the worker's sticky queue go to others at once.

use proto::temporal::api::workflowservice::v1::{ShutdownWorkerRequest, ShutdownWorkerResponse};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ShutdownWorkerRequest>,
) -> Result<ShutdownWorkerResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    if !request.sticky_task_queue.is_empty() {
        server
            .node
            .matching
            .unload_sticky(namespace.id, &request.sticky_task_queue);
    }
    server
        .worker_heartbeats
        .forget(namespace.id, &request.worker_instance_key);
    Ok(ShutdownWorkerResponse {})
}
