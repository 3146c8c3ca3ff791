//! ListActivityExecutions.

use engine::execution::Kind;
use engine::time::{Timestamp, wire};
use engine::visibility::Scope;
use prost::Message;
use proto::temporal::api::activity::v1::ActivityExecutionListInfo;
use proto::temporal::api::common::v1::{ActivityType, SearchAttributes};
use proto::temporal::api::workflowservice::v1::{
    ListActivityExecutionsRequest, ListActivityExecutionsResponse,
};
use store::{ExecutionKey, Row};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::visibility::{self, Scoped};

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ListActivityExecutionsRequest>,
) -> Result<ListActivityExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let query = Scoped::parse(
        &request.query,
        &namespace,
        Scope::Activities,
        Kind::Activity,
    )?;
    let store = server.node.store.as_ref();
    let token = request.next_page_token;
    let size = request.page_size;
    let page = visibility::page(store, namespace.id, &query.filter, &token, size);
    let (rows, next_page_token) = page.await?;
    let executions = rows.into_iter().map(|(key, row)| info(&key, row));
    Ok(ListActivityExecutionsResponse {
        executions: executions.collect(),
        next_page_token,
    })
}

fn info(key: &ExecutionKey, row: Row) -> ActivityExecutionListInfo {
    let time = |nanos: i64| Some(Timestamp(nanos).to_proto());
    let started = Timestamp(row.start_time);
    ActivityExecutionListInfo {
        activity_id: key.workflow_id.to_string(),
        run_id: key.run_id.to_string(),
        activity_type: Some(ActivityType {
            name: row.workflow_type.to_string(),
        }),
        schedule_time: time(row.start_time),
        close_time: row.close_time.and_then(time),
        status: row.status,
        search_attributes: Some(
            SearchAttributes::decode(row.search_attributes).unwrap_or_default(),
        ),
        task_queue: row.task_queue.to_string(),
        state_transition_count: row.state_transition_count,
        state_size_bytes: row.history_size,
        execution_duration: row
            .close_time
            .map(|close| wire(Timestamp(close).since(started))),
        execution_time: time(row.execution_time),
    }
}
