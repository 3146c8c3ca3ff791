//! ListNexusOperationExecutions.

use engine::execution::Kind;
use engine::nexus_operation::Listed;
use engine::time::{Timestamp, wire};
use engine::visibility::Scope;
use prost::Message;
use proto::temporal::api::common::v1::SearchAttributes;
use proto::temporal::api::nexus::v1::NexusOperationExecutionListInfo;
use proto::temporal::api::workflowservice::v1::{
    ListNexusOperationExecutionsRequest, ListNexusOperationExecutionsResponse,
};
use store::{ExecutionKey, Row};

use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;
use crate::visibility::{self, Scoped};

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<ListNexusOperationExecutionsRequest>,
) -> Result<ListNexusOperationExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let query = Scoped::parse(
        &request.query,
        &namespace,
        Scope::NexusOperations,
        Kind::NexusOperation,
    )?;
    let store = server.node.store.as_ref();
    let token = request.next_page_token;
    let size = request.page_size;
    let page = visibility::page(store, namespace.id, &query.filter, &token, size);
    let (rows, next_page_token) = page.await?;
    let operations = rows.into_iter().map(|(key, row)| info(&key, row));
    Ok(ListNexusOperationExecutionsResponse {
        operations: operations.collect(),
        next_page_token,
    })
}

fn info(key: &ExecutionKey, row: Row) -> NexusOperationExecutionListInfo {
    let time = |nanos: i64| Some(Timestamp(nanos).to_proto());
    let started = Timestamp(row.start_time);
    let listed = Listed::decode(row.memo).unwrap_or_default();
    NexusOperationExecutionListInfo {
        operation_id: key.workflow_id.to_string(),
        run_id: key.run_id.to_string(),
        endpoint: row.task_queue.to_string(),
        service: listed.service,
        operation: row.workflow_type.to_string(),
        schedule_time: time(row.start_time),
        close_time: row.close_time.and_then(time),
        status: row.status,
        search_attributes: Some(
            SearchAttributes::decode(row.search_attributes).unwrap_or_default(),
        ),
        state_transition_count: row.state_transition_count,
        execution_duration: row
            .close_time
            .map(|close| wire(Timestamp(close).since(started))),
        state_size_bytes: row.history_size,
    }
}
