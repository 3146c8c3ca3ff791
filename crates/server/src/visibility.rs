//! Lists and counts: from a query's text to the store's filter, and from rows to the wire.

use bytes::Bytes;
use engine::Namespace;
use engine::time::{Timestamp, wire};
use prost::Message;
use proto::temporal::api::common::v1::{Memo, SearchAttributes, WorkflowExecution, WorkflowType};
use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::filter::v1::StartTimeFilter;
use proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use proto::temporal::api::workflowservice::v1::CountWorkflowExecutionsResponse;
use store::{Column, Comparison, ExecutionKey, Filter, Row, Store, Value};
use uuid::Uuid;

use crate::error::WireError;

/// Rows on a page at most; also what an unset page size means.
const PAGE_SIZE_MAX: usize = 1000;

/// The filter that a list's query asks for.
///
/// # Errors
/// INVALID_ARGUMENT with the documented texts (behaviour, section 9.1).
pub fn filter(query: &str, _namespace: &Namespace, _now: Timestamp) -> Result<Filter, WireError> {
    if query.trim().is_empty() {
        return Ok(Filter::True);
    }
    Err(WireError::unimplemented("list filters are not served yet"))
}

/// Counts what a query lets through, in groups if it asks for them.
///
/// # Errors
/// As [`filter`]; what the store refuses.
pub async fn count(
    store: &dyn Store,
    query: &str,
    namespace: &Namespace,
    now: Timestamp,
) -> Result<CountWorkflowExecutionsResponse, WireError> {
    let filter = filter(query, namespace, now)?;
    let groups = store.count(namespace.id, &filter, &[]).await?;
    let count = groups.iter().map(|(_, count)| i64::try_from(*count).unwrap_or(i64::MAX)).sum();
    Ok(CountWorkflowExecutionsResponse { count, groups: Vec::new() })
}

/// One page, and the token of the next.
///
/// # Errors
/// What the store refuses: a token that it did not give out is an unexpected error, as in the reference.
pub async fn list(
    store: &dyn Store,
    namespace: Uuid,
    filter: &Filter,
    token: &Bytes,
    page_size: i32,
) -> Result<(Vec<WorkflowExecutionInfo>, Bytes), WireError> {
    let limit = match usize::try_from(page_size) {
        Ok(size) if (1..=PAGE_SIZE_MAX).contains(&size) => size,
        _ => PAGE_SIZE_MAX,
    };
    let after = (!token.is_empty()).then_some(token.as_ref());
    let page = store.list(namespace, filter, &[], after, limit).await?;
    let shown = page.rows.into_iter().map(|(key, row)| info(&key, row)).collect();
    Ok((shown, page.next.map(Bytes::from).unwrap_or_default()))
}

/// Rows of this status.
pub fn status_is(status: WorkflowExecutionStatus) -> Filter {
    let value = Value::Int(i64::from(i32::from(status)));
    Filter::Compare { column: Column::Status, op: Comparison::Eq, value }
}

/// Rows with this text.
pub fn text_is(column: Column, text: String) -> Filter {
    Filter::Compare { column, op: Comparison::Eq, value: Value::Text(text) }
}

/// Rows whose time is within a legacy filter's bounds.
///
/// # Errors
/// INVALID_ARGUMENT when the bounds are the wrong way round.
pub fn started_within(
    filter: Option<&StartTimeFilter>,
    column: Column,
) -> Result<Option<Filter>, WireError> {
    let Some(filter) = filter else { return Ok(None) };
    let nanos = |time: &proto::Timestamp| Timestamp::from_proto(time).0;
    let low = filter.earliest_time.as_ref().map_or(0, nanos);
    let high = filter.latest_time.as_ref().map_or(i64::MAX, nanos);
    if low > high {
        return Err(WireError::invalid(
            "EarliestTime in StartTimeFilter should not be larger than LatestTime.",
        ));
    }
    Ok(Some(Filter::Between { column, low: Value::Int(low), high: Value::Int(high) }))
}

/// A row as lists show it.
fn info(key: &ExecutionKey, row: Row) -> WorkflowExecutionInfo {
    let time = |nanos: i64| Timestamp(nanos).to_proto();
    let execution = |workflow_id: &str, run_id: Uuid| WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.to_string(),
    };
    let closed = row.close_time.is_some();
    let when_closed = |value: i64| if closed { value } else { 0 };
    let duration = row.close_time.map(|close| {
        wire(Timestamp(close).since(Timestamp(row.execution_time)))
    });
    WorkflowExecutionInfo {
        execution: Some(execution(&key.workflow_id, key.run_id)),
        r#type: Some(WorkflowType { name: row.workflow_type.to_string() }),
        start_time: Some(time(row.start_time)),
        close_time: row.close_time.map(time),
        status: row.status,
        history_length: when_closed(row.history_length),
        parent_execution: row.parent.as_ref().map(|(id, run)| execution(id, *run)),
        execution_time: Some(time(row.execution_time)),
        memo: Some(Memo::decode(row.memo).unwrap_or_default()),
        search_attributes: Some(SearchAttributes::decode(row.search_attributes).unwrap_or_default()),
        task_queue: row.task_queue.to_string(),
        state_transition_count: when_closed(row.state_transition_count),
        history_size_bytes: when_closed(row.history_size),
        execution_duration: duration,
        root_execution: Some(execution(&row.root.0, row.root.1)),
        ..Default::default()
    }
}
