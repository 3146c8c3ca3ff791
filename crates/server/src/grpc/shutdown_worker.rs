//! ShutdownWorker: tasks of the worker's sticky queue go to others at once, and its polls end.

use proto::temporal::api::enums::v1::TaskQueueType;
use proto::temporal::api::workflowservice::v1::{ShutdownWorkerRequest, ShutdownWorkerResponse};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::matching::QueueKind;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ShutdownWorkerRequest>,
) -> Result<ShutdownWorkerResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let matching = &server.node.matching;
    let instance = &request.worker_instance_key;
    if !instance.is_empty() && !request.task_queue.is_empty() {
        let kinds = kinds(request.task_queue_types());
        matching.dismiss_worker(namespace.id, &request.task_queue, &kinds, instance);
    }
    if !request.sticky_task_queue.is_empty() {
        matching.unload_sticky(namespace.id, &request.sticky_task_queue);
    }
    let heartbeats: Vec<_> = request.worker_heartbeat.into_iter().collect();
    server.worker_heartbeats.record(namespace.id, heartbeats);
    Ok(ShutdownWorkerResponse {})
}

/// The kinds that are asked for; all if none is.
fn kinds(types: impl Iterator<Item = TaskQueueType>) -> Vec<QueueKind> {
    let asked: Vec<_> = types.collect();
    let wanted = |kind: &QueueKind| asked.is_empty() || asked.contains(&kind.task_queue_type());
    QueueKind::ALL.into_iter().filter(wanted).collect()
}
