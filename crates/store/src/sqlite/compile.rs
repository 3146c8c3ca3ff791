//! From filters and orders to SQL with bound parameters. Nothing that a user wrote becomes part of
//! the text.

use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value as SqlValue;
use uuid::Uuid;

use super::row::type_number;
use super::schema::OPEN;
use crate::cursor::Cursor;
use crate::filter::{Column, Comparison, Filter, Kind, OrderBy, Value, ties_descend, words};

/// Registers what the generated text calls.
pub(super) fn add_functions(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("uuid_text", 1, flags, |context| {
        let bytes: Option<[u8; 16]> = context.get(0)?;
        Ok(bytes.map(|bytes| Uuid::from_bytes(bytes).to_string()))
    })
}

/// The numbers of a namespace's search attributes.
#[derive(Debug, Default)]
pub(super) struct AttributeIds(HashMap<(String, i64), i64>);

impl AttributeIds {
    pub(super) fn read(conn: &Connection, namespace: Uuid) -> rusqlite::Result<Rc<Self>> {
        let mut select =
            conn.prepare_cached("SELECT name, type, id FROM attribute_names WHERE namespace = ?1")?;
        let names = select.query_map([namespace.as_bytes().as_slice()], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })?;
        Ok(Rc::new(Self(names.collect::<rusqlite::Result<_>>()?)))
    }

    /// The number of an attribute. Other columns have none, nor have attributes that no run has.
    pub(super) fn of(&self, column: &Column) -> Option<i64> {
        let Column::Attribute(name, attribute_type) = column else {
            return None;
        };
        let key = (name.to_string(), type_number(*attribute_type));
        self.0.get(&key).copied()
    }
}

/// A piece of SQL with the values for its parameters, in the order of the text.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) params: Vec<SqlValue>,
    ids: Rc<AttributeIds>,
}

impl Sql {
    pub(super) fn new(text: &str, ids: &Rc<AttributeIds>) -> Self {
        Self {
            text: text.into(),
            params: Vec::new(),
            ids: ids.clone(),
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends a parameter.
    pub(super) fn bind(&mut self, value: impl Into<SqlValue>) {
        self.text.push('?');
        self.params.push(value.into());
    }

    pub(super) fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.params.extend(other.params);
    }

    pub(super) fn bind_list(&mut self, values: impl IntoIterator<Item = SqlValue>) {
        self.push("(");
        for (index, value) in values.into_iter().enumerate() {
            self.push(if index == 0 { "" } else { ", " });
            self.bind(value);
        }
        self.push(")");
    }

    /// The value of a column, as an expression over `executions AS e`. NULL when it is missing.
    pub(super) fn column(&mut self, column: &Column) {
        match column {
            Column::WorkflowId => self.push("e.workflow_id"),
            Column::RunId => self.push("e.run_id"),
            Column::WorkflowType => self.push("e.workflow_type"),
            Column::Status => self.push("e.status"),
            Column::TaskQueue => self.push("e.task_queue"),
            Column::StartTime => self.push("e.start_time"),
            Column::ExecutionTime => self.push("e.execution_time"),
            Column::CloseTime => self.push(&format!("nullif(e.close_time, {OPEN})")),
            Column::HistoryLength => self.push("e.history_length"),
            Column::HistorySize => self.push("e.history_size"),
            Column::StateTransitionCount => self.push("e.state_transition_count"),
            // `max` of several values is NULL if one of them is.
            Column::ExecutionDuration => self.push(&format!(
                "max(nullif(e.close_time, {OPEN}) - e.execution_time, 0)"
            )),
            Column::ParentWorkflowId => self.push("e.parent_workflow_id"),
            Column::ParentRunId => self.push("e.parent_run_id"),
            Column::RootWorkflowId => self.push("ifnull(e.root_workflow_id, e.workflow_id)"),
            Column::RootRunId => self.push("ifnull(e.root_run_id, e.run_id)"),
            Column::Division => self.push("e.division"),
            Column::Attribute(..) => self.attribute("a.value", column),
        }
    }

    /// An expression over the values of an attribute; NULL without one, unless it is an aggregate
    /// that says otherwise.
    fn attribute(&mut self, expression: &str, column: &Column) {
        self.attribute_with(Self::new(expression, &self.ids), column);
    }

    fn attribute_with(&mut self, expression: Self, column: &Column) {
        self.push("(SELECT ");
        self.append(expression);
        let id = self.ids.of(column).unwrap_or(0);
        self.push(" FROM attributes AS a WHERE a.execution = e.number");
        // No attribute has the number 0.
        self.push(&format!(" AND a.attribute = {id})"));
    }

    /// A filter, as an expression that is true, false or NULL.
    pub(super) fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::True => self.push("1"),
            Filter::And(parts) => self.joined(parts, " AND ", "1"),
            Filter::Or(parts) => self.joined(parts, " OR ", "0"),
            Filter::Not(part) => {
                self.push("(NOT ");
                self.filter(part);
                self.push(")");
            }
            Filter::Compare { column, op, value } => self.compare(column, *op, value),
            Filter::In { column, values } if column.kind() == Kind::Set => {
                self.any_of(
                    column,
                    values.iter().filter_map(|value| match value {
                        Value::Text(keyword) => Some(keyword.clone()),
                        _ => None,
                    }),
                );
            }
            Filter::In { column, values } => self.one_of(column, values),
            Filter::Between { column, low, high } => {
                self.push("(");
                self.compare(column, Comparison::Ge, low);
                self.push(" AND ");
                self.compare(column, Comparison::Le, high);
                self.push(")");
            }
            Filter::IsNull(column) if matches!(column.kind(), Kind::Words | Kind::Set) => {
                self.attribute("count(*) = 0", column);
            }
            Filter::IsNull(column) => {
                self.push("(");
                self.column(column);
                self.push(" IS NULL)");
            }
            Filter::StartsWith { column, prefix } => self.starts_with(column, prefix),
            Filter::AnyToken { column, tokens } => {
                self.any_of(column, tokens.iter().flat_map(|token| words(token)));
            }
            Filter::Contains { column, value } => self.any_of(column, [value.clone()]),
        }
    }

    fn joined(&mut self, parts: &[Filter], with: &str, none: &str) {
        if parts.is_empty() {
            return self.push(none);
        }
        self.push("(");
        for (index, part) in parts.iter().enumerate() {
            self.push(if index == 0 { "" } else { with });
            self.filter(part);
        }
        self.push(")");
    }

    fn compare(&mut self, column: &Column, op: Comparison, value: &Value) {
        let value = operand(column, value);
        self.push("(");
        self.operand_column(column, &value);
        self.push(operator(op));
        self.bind(value);
        self.push(")");
    }

    /// A run id is compared with other text as text.
    fn operand_column(&mut self, column: &Column, value: &SqlValue) {
        let as_text = column.kind() == Kind::Uuid && matches!(value, SqlValue::Text(_));
        self.push(if as_text { "uuid_text(" } else { "" });
        self.column(column);
        self.push(if as_text { ")" } else { "" });
    }

    fn one_of(&mut self, column: &Column, values: &[Value]) {
        let values = values.iter().map(|value| operand(column, value));
        // Text that is not the text of a run id equals none.
        let not_a_run =
            |value: &SqlValue| column.kind() == Kind::Uuid && matches!(value, SqlValue::Text(_));
        let values: Vec<_> = values.filter(|value| !not_a_run(value)).collect();
        if values.is_empty() {
            return self.false_if_present(column);
        }
        self.push("(");
        self.column(column);
        self.push(" IN ");
        self.bind_list(values);
        self.push(")");
    }

    /// SQLite's empty IN is false for NULL too.
    fn false_if_present(&mut self, column: &Column) {
        self.push("iif(");
        self.column(column);
        self.push(" IS NULL, NULL, 0)");
    }

    fn starts_with(&mut self, column: &Column, prefix: &str) {
        let low = SqlValue::Text(prefix.to_owned());
        self.push("(");
        self.operand_column(column, &low);
        self.push(" >= ");
        self.bind(low);
        if let Some(high) = behind_prefix(prefix).map(SqlValue::Text) {
            self.push(" AND ");
            self.operand_column(column, &high);
            self.push(" < ");
            self.bind(high);
        }
        self.push(")");
    }

    /// Whether an attribute with several values has any of these.
    fn any_of(&mut self, column: &Column, values: impl IntoIterator<Item = String>) {
        let mut values = values.into_iter().map(SqlValue::Text).peekable();
        let mut any = Self::new("max(", &self.ids);
        if values.peek().is_some() {
            any.push("a.value IN ");
            any.bind_list(values);
        } else {
            any.push("0");
        }
        any.push(")");
        self.attribute_with(any, column);
    }

    /// Whether a row lies behind the cursor in this order.
    pub(super) fn behind(&mut self, cursor: &Cursor, order: &[OrderBy]) {
        self.behind_by(cursor, order, ties_descend(order));
    }

    /// As [`Sql::behind`], when the direction of ties is that of a longer order.
    pub(super) fn behind_by(&mut self, cursor: &Cursor, order: &[OrderBy], ties_descend: bool) {
        self.push("(");
        for (by, value) in order.iter().zip(&cursor.values) {
            self.behind_column(by, value);
            self.push(" OR (");
            self.column(&by.column);
            self.push(" IS ");
            self.bind(operand(&by.column, value));
            self.push(" AND (");
        }
        self.push(if ties_descend {
            "e.run_id < "
        } else {
            "e.run_id > "
        });
        self.bind(cursor.run_id.as_bytes().to_vec());
        self.push(&"))".repeat(order.len()));
        self.push(")");
    }

    fn behind_column(&mut self, by: &OrderBy, value: &Value) {
        self.push("(");
        match (value, by.descending) {
            (Value::Null, _) => self.push("0"),
            (value, descending) => {
                self.column(&by.column);
                self.push(if descending { " < " } else { " > " });
                self.bind(operand(&by.column, value));
                if !matches!(by.column, Column::StartTime | Column::WorkflowId) {
                    self.push(" OR ");
                    self.column(&by.column);
                    self.push(" IS NULL");
                }
            }
        }
        self.push(")");
    }

    /// The terms of ORDER BY. Missing values come last.
    pub(super) fn order(&mut self, order: &[OrderBy]) {
        self.order_by(order, ties_descend(order));
    }

    /// As [`Sql::order`], when the direction of ties is that of a longer order.
    pub(super) fn order_by(&mut self, order: &[OrderBy], ties_descend: bool) {
        for by in order {
            self.column(&by.column);
            self.push(match (&by.column, by.descending) {
                // To SQLite a missing value is the least.
                (_, true) => " DESC, ",
                (Column::StartTime | Column::WorkflowId, false) => " ASC, ",
                (_, false) => " ASC NULLS LAST, ",
            });
        }
        self.push(if ties_descend {
            "e.run_id DESC"
        } else {
            "e.run_id ASC"
        });
    }
}

pub(super) fn operator(op: Comparison) -> &'static str {
    match op {
        Comparison::Eq => " = ",
        Comparison::Ne => " <> ",
        Comparison::Lt => " < ",
        Comparison::Le => " <= ",
        Comparison::Gt => " > ",
        Comparison::Ge => " >= ",
    }
}

/// A value as it compares with the stored ones of this column.
#[expect(
    clippy::cast_precision_loss,
    reason = "integers compare with doubles as doubles"
)]
pub(super) fn operand(column: &Column, value: &Value) -> SqlValue {
    match (column.kind(), value) {
        (_, Value::Null) => SqlValue::Null,
        (_, Value::Bool(value)) => SqlValue::Integer((*value).into()),
        (Kind::Double, Value::Int(value)) => SqlValue::Real(*value as f64),
        (_, Value::Int(value)) => SqlValue::Integer(*value),
        (_, Value::Double(value)) => SqlValue::Real(*value),
        (_, Value::Uuid(value)) => SqlValue::Blob(value.as_bytes().to_vec()),
        // Run ids in their usual form sort as their bytes do, and can use an index.
        (Kind::Uuid, Value::Text(text)) => match Uuid::try_parse(text) {
            Ok(run_id) if run_id.to_string() == *text => SqlValue::Blob(run_id.as_bytes().to_vec()),
            _ => SqlValue::Text(text.clone()),
        },
        (_, Value::Text(text)) => SqlValue::Text(text.clone()),
    }
}

/// The least text that is greater than all that begin with `prefix`, if there is one. Texts are
/// ordered by their bytes, which is the order of their characters.
pub(super) fn behind_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The range skips what is not a character.
        if let Some(next) = (last..=char::MAX).nth(1) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::behind_prefix;

    #[test]
    fn the_end_of_a_prefix_skips_what_is_not_a_character() {
        assert_eq!(behind_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(behind_prefix("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(behind_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(behind_prefix("\u{10FFFF}"), None);
        assert_eq!(behind_prefix(""), None);
    }
}
