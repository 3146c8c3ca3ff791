//! The store's index row of a state.

use std::sync::Arc;

use engine::Namespace;
use engine::execution::Execution;
use engine::search_attributes::value::Value;
use store::{AttributeValue, Row};
use uuid::Uuid;

/// The row of a run, as the store keeps it.
pub(super) fn row(state: &Execution, namespace: &Namespace, current: bool) -> Row {
    let row = state.row(namespace);
    Row {
        current,
        status: row.status,
        workflow_type: row.workflow_type,
        task_queue: row.task_queue,
        start_time: row.start_time.0,
        execution_time: row.execution_time.0,
        close_time: row.close_time.map(|at| at.0),
        history_length: row.history_length,
        history_size: row.history_size,
        state_transition_count: row.state_transition_count,
        parent: row.parent.map(execution),
        root: execution(row.root),
        memo: row.memo,
        search_attributes: row.search_attributes,
        attributes: row
            .attributes
            .into_iter()
            .map(|(name, value)| (name.into(), typed(value)))
            .collect(),
        division: state.kind().division().map(Arc::from),
    }
}

/// A workflow id and a run id. The engine made the latter from one; another system's is shown as nil.
fn execution((workflow_id, run_id): (String, String)) -> (Arc<str>, Uuid) {
    (
        workflow_id.into(),
        Uuid::try_parse(&run_id).unwrap_or_default(),
    )
}

fn typed(value: Value) -> AttributeValue {
    match value {
        Value::Text(text) => AttributeValue::Text(text),
        Value::Keyword(text) => AttributeValue::Keyword(text),
        Value::Int(number) => AttributeValue::Int(number),
        Value::Double(number) => AttributeValue::Double(number),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Datetime(at) => AttributeValue::Datetime(at),
        Value::KeywordList(texts) => AttributeValue::KeywordList(texts),
    }
}
