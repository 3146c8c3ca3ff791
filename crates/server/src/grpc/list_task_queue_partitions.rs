//! ListTaskQueuePartitions: a queue is one partition here.

use proto::temporal::api::taskqueue::v1::TaskQueuePartitionMetadata;
use proto::temporal::api::workflowservice::v1::{
    ListTaskQueuePartitionsRequest, ListTaskQueuePartitionsResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ListTaskQueuePartitionsRequest>,
) -> Result<ListTaskQueuePartitionsResponse, WireError> {
    let (queue, _) = validate::served_queue(call.request.task_queue.as_ref(), &server.limits)?;
    let partition = TaskQueuePartitionMetadata {
        key: queue.to_owned(),
        owner_host_name: server.address.to_string(),
    };
    Ok(ListTaskQueuePartitionsResponse {
        activity_task_queue_partitions: vec![partition.clone()],
        workflow_task_queue_partitions: vec![partition],
    })
}
