//! Between the columns of `executions` and the types of the border.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::{FromSqlError, Value as SqlValue};
use uuid::Uuid;

use super::schema::OPEN;
use crate::filter::{AttributeType, words};
use crate::model::{AttributeValue, ExecutionKey, Row};

/// The columns that [`read`] expects, in this order, of `executions AS e`.
pub(super) const COLUMNS: &str = "e.run_id, e.namespace, e.workflow_id, e.slot, e.kind, e.current, \
     e.status, e.workflow_type, e.task_queue, e.start_time, e.execution_time, e.close_time, \
     e.history_length, e.history_size, e.state_transition_count, e.parent_workflow_id, \
     e.parent_run_id, e.root_workflow_id, e.root_run_id, e.division, e.memo, e.search_attributes, \
     e.wake_at, e.number";

/// Which of them is the number of the execution.
pub(super) const NUMBER: usize = 23;

/// How many they are.
pub(super) const COLUMN_COUNT: usize = 24;

/// Reads a key from the columns `run_id, namespace, workflow_id, slot, kind`.
pub(super) fn read_key(row: &rusqlite::Row<'_>) -> rusqlite::Result<ExecutionKey> {
    Ok(ExecutionKey {
        run_id: uuid(row, 0)?,
        namespace: uuid(row, 1)?,
        workflow_id: row.get(2)?,
        slot: row.get(3)?,
        kind: row.get(4)?,
    })
}

/// Reads [`COLUMNS`]: the key, the row and the wake time. The last is the number, [`NUMBER`].
pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(ExecutionKey, Row, Option<i64>)> {
    let key = read_key(row)?;
    let run = |workflow_id, run_id| -> rusqlite::Result<Option<(Arc<str>, Uuid)>> {
        let Some(workflow_id) = row.get::<_, Option<Arc<str>>>(workflow_id)? else {
            return Ok(None);
        };
        Ok(Some((workflow_id, uuid(row, run_id)?)))
    };
    let index_row = Row {
        current: row.get(5)?,
        status: row.get(6)?,
        workflow_type: row.get(7)?,
        task_queue: row.get(8)?,
        start_time: row.get(9)?,
        execution_time: row.get(10)?,
        close_time: Some(row.get(11)?).filter(|time| *time != OPEN),
        history_length: row.get(12)?,
        history_size: row.get(13)?,
        state_transition_count: row.get(14)?,
        parent: run(15, 16)?,
        root: run(17, 18)?.unwrap_or_else(|| (key.workflow_id.clone(), key.run_id)),
        division: row.get(19)?,
        memo: blob(row, 20)?,
        search_attributes: blob(row, 21)?,
        attributes: Vec::new(),
    };
    Ok((key, index_row, row.get(22)?))
}

pub(super) fn uuid(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let value = row.get_ref(column)?;
    let bytes = value.as_blob()?;
    Ok(
        Uuid::from_slice(bytes).map_err(|_| FromSqlError::InvalidBlobSize {
            expected_size: 16,
            blob_size: bytes.len(),
        })?,
    )
}

pub(super) fn blob(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    let value = row.get_ref(column)?;
    Ok(Bytes::copy_from_slice(value.as_blob()?))
}

/// The number of a type in `attributes.type`; part of the file format.
pub(super) fn type_number(attribute_type: AttributeType) -> i64 {
    match attribute_type {
        AttributeType::Keyword => 1,
        AttributeType::Text => 2,
        AttributeType::Int => 3,
        AttributeType::Double => 4,
        AttributeType::Bool => 5,
        AttributeType::Datetime => 6,
        AttributeType::KeywordList => 7,
    }
}

/// One row of `attributes`, without the execution.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AttributeRow {
    pub(super) name: Arc<str>,
    pub(super) type_number: i64,
    pub(super) value: SqlValue,
}

/// The rows of `attributes` for an index row. A text has a row for each of its words, and one with
/// an empty word if it has none, so that it differs from a missing one.
pub(super) fn attribute_rows(row: &Row) -> Vec<AttributeRow> {
    let rows = row.attributes.iter().flat_map(|(name, value)| {
        let type_number = type_number(value.attribute_type());
        let values = attribute_values(value).into_iter();
        values.map(move |value| AttributeRow {
            name: name.clone(),
            type_number,
            value,
        })
    });
    rows.collect()
}

fn attribute_values(value: &AttributeValue) -> Vec<SqlValue> {
    let distinct = |values: BTreeSet<String>| values.into_iter().map(SqlValue::Text).collect();
    match value {
        AttributeValue::Keyword(value) => vec![SqlValue::Text(value.clone())],
        AttributeValue::Text(text) => {
            let words: Vec<_> = distinct(words(text).collect());
            if words.is_empty() {
                vec![SqlValue::Text(String::new())]
            } else {
                words
            }
        }
        AttributeValue::Int(value) | AttributeValue::Datetime(value) => {
            vec![SqlValue::Integer(*value)]
        }
        AttributeValue::Double(value) if value.is_nan() => Vec::new(),
        // Adding 0 makes one zero of the two.
        AttributeValue::Double(value) => vec![SqlValue::Real(value + 0.0)],
        AttributeValue::Bool(value) => vec![SqlValue::Integer((*value).into())],
        AttributeValue::KeywordList(values) => distinct(values.iter().cloned().collect()),
    }
}

/// Reads what is never negative.
pub(super) fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}
