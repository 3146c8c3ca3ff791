//! Lists: one page of rows, in whatever order.

use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::compile::{Sql, operand};
use super::plan::{Plan, Query, prepare};
use super::reader::Failure;
use super::row::{COLUMN_COUNT, COLUMNS, read, uuid};
use super::schema::OPEN;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::filter::{Column, Filter, Kind, Order, OrderBy, Value, ties_descend};
use crate::model::Page;

/// A list that is ready to run.
pub(super) struct List {
    query: Query,
    order: Order,
    after: Option<Cursor>,
    limit: usize,
}

impl List {
    pub(super) fn new(
        namespace: Uuid,
        filter: &Filter,
        order: &[OrderBy],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Self, StoreError> {
        filter.check()?;
        let order = Order::new(order)?;
        let after = after
            .map(|bytes| Cursor::decode(bytes, &order))
            .transpose()?;
        Ok(Self {
            query: Query::new(namespace, filter),
            order,
            after,
            limit: limit.clamp(1, usize::MAX / 2),
        })
    }

    pub(super) fn run(&self, conn: &Connection) -> Result<Page, Failure> {
        let plan = Plan::new(conn, &self.query)?;
        let mut found = Found::default();
        match &self.order.by[..] {
            _ if !plan.is_ordered() => self.read(conn, &self.sorted(&plan), &mut found)?,
            [first, ..] if !self.order.is_default && is_in_parts(&first.column) => {
                self.in_parts(conn, &plan, first, &mut found)?;
            }
            _ => self.read(conn, &self.plain(&plan), &mut found)?,
        }
        Ok(found.page)
    }

    /// The few rows that the plan starts from, sorted. What is sorted is only what the order needs:
    /// whole rows are fetched when it is known which ones make the page.
    fn sorted(&self, plan: &Plan<'_>) -> Sql {
        let mut sql = self.select(plan);
        sql.push(" FROM executions AS e WHERE e.number IN (SELECT e.number");
        self.conditions(&mut sql, plan, None);
        sql.push(&format!(" LIMIT {})", self.limit.saturating_add(1)));
        self.push_order(&mut sql);
        sql
    }

    /// Rows as an index has them, sorted if none has them so.
    fn plain(&self, plan: &Plan<'_>) -> Sql {
        let index = match &self.order.by[..] {
            _ if self.order.is_default => Some(plan.index()),
            [by] if by.column == Column::WorkflowId => Some("executions_workflow"),
            [by] if by.column == Column::StartTime && !self.query.all_divisions => {
                Some("executions_start")
            }
            _ => None,
        };
        let mut sql = self.select(plan);
        self.conditions(&mut sql, plan, index);
        sql
    }

    /// From `FROM` on, with the order.
    fn conditions(&self, sql: &mut Sql, plan: &Plan<'_>, index: Option<&str>) {
        sql.append(plan.conditions(index));
        if let Some(cursor) = &self.after {
            sql.push(" AND ");
            self.behind(sql, cursor);
        }
        self.push_order(sql);
    }

    fn push_order(&self, sql: &mut Sql) {
        sql.push(" ORDER BY ");
        if self.order.is_default {
            // Open runs have the greatest number, and indexes have the columns as they are.
            sql.push("e.close_time DESC, e.start_time DESC, e.run_id DESC");
        } else {
            sql.order(&self.order.by);
        }
    }

    fn select(&self, plan: &Plan<'_>) -> Sql {
        let mut sql = Sql::new("SELECT ", &plan.ids);
        sql.push(COLUMNS);
        for by in &self.order.by {
            sql.push(", ");
            sql.column(&by.column);
        }
        sql
    }

    /// By a column of which an index knows the rows that have a value, in its order; then those
    /// without.
    fn in_parts(
        &self,
        conn: &Connection,
        plan: &Plan<'_>,
        first: &OrderBy,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let reached = self.after.as_ref().and_then(|cursor| cursor.values.first());
        if reached != Some(&Value::Null) {
            self.read(conn, &self.with(plan, first), found)?;
        }
        if !found.is_full(self.limit) {
            self.read(conn, &self.without(plan, first), found)?;
        }
        Ok(())
    }

    /// The rows that have a value in the first column of the order.
    fn with(&self, plan: &Plan<'_>, first: &OrderBy) -> Sql {
        let mut sql = self.select(plan);
        let (value, run_id) = if first.column == Column::CloseTime {
            sql.append(plan.conditions(Some(plan.index())));
            sql.push(&format!(" AND e.close_time < {OPEN}"));
            ("e.close_time", "e.run_id")
        } else {
            let id = plan.ids.of(&first.column).unwrap_or(0);
            sql.push(&format!(
                " FROM attributes AS k INDEXED BY attributes_value CROSS JOIN executions AS e \
                 ON e.number = k.execution WHERE k.attribute = {id}"
            ));
            sql.append(plan.filter());
            ("k.value", "k.run_id")
        };
        let alone = self.order.by.len() == 1;
        if let Some(cursor) = &self.after
            && let Some(reached) = cursor.values.first().filter(|value| **value != Value::Null)
        {
            let reached = operand(&first.column, reached);
            let operator = if first.descending { "<" } else { ">" };
            if alone {
                sql.push(&format!(" AND ({value}, {run_id}) {operator} ("));
                sql.bind(reached);
                sql.push(", ");
                sql.bind(cursor.run_id.as_bytes().to_vec());
                sql.push(")");
            } else {
                sql.push(&format!(" AND {value} {operator}= "));
                sql.bind(reached);
                sql.push(" AND ");
                sql.behind(cursor, &self.order.by);
            }
        }
        let direction = if first.descending { "DESC" } else { "ASC" };
        sql.push(&format!(" ORDER BY {value} {direction}, "));
        if alone {
            sql.push(&format!("{run_id} {direction}"));
        } else {
            sql.order(&self.order.by[1..]);
        }
        sql
    }

    /// The rows that have none.
    fn without(&self, plan: &Plan<'_>, first: &OrderBy) -> Sql {
        let rest = self.order.by.get(1..).unwrap_or_default();
        let ties = ties_descend(&self.order.by);
        let mut sql = self.select(plan);
        if first.column == Column::CloseTime {
            sql.append(plan.conditions(Some(plan.index())));
            sql.push(&format!(" AND e.close_time = {OPEN}"));
        } else {
            sql.append(plan.conditions(rest.is_empty().then_some("executions_run")));
            let id = plan.ids.of(&first.column).unwrap_or(0);
            sql.push(&format!(
                " AND NOT EXISTS (SELECT 1 FROM attributes AS n \
                 WHERE n.execution = e.number AND n.attribute = {id})"
            ));
        }
        if let Some(cursor) = &self.after
            && cursor.values.first() == Some(&Value::Null)
        {
            sql.push(" AND ");
            let behind = Cursor {
                values: cursor.values[1..].to_vec(),
                run_id: cursor.run_id,
            };
            sql.behind_by(&behind, rest, ties);
        }
        sql.push(" ORDER BY ");
        sql.order_by(rest, ties);
        sql
    }

    /// Whether a row lies behind the cursor, so that an index need not begin before it.
    fn behind(&self, sql: &mut Sql, cursor: &Cursor) {
        match &cursor.values[..] {
            [close_time, Value::Int(start_time)] if self.order.is_default => {
                let close_time = match close_time {
                    Value::Int(close_time) => *close_time,
                    _ => OPEN,
                };
                sql.push("(e.close_time, e.start_time, e.run_id) < (");
                sql.bind(close_time);
                sql.push(", ");
                sql.bind(*start_time);
                sql.push(", ");
                sql.bind(cursor.run_id.as_bytes().to_vec());
                sql.push(")");
            }
            [value]
                if matches!(
                    self.order.by[0].column,
                    Column::StartTime | Column::WorkflowId
                ) =>
            {
                let value: SqlValue = operand(&self.order.by[0].column, value);
                let column = match self.order.by[0].column {
                    Column::StartTime => "e.start_time",
                    _ => "e.workflow_id",
                };
                let operator = if self.order.by[0].descending {
                    "<"
                } else {
                    ">"
                };
                sql.push(&format!("({column}, e.run_id) {operator} ("));
                sql.bind(value);
                sql.push(", ");
                sql.bind(cursor.run_id.as_bytes().to_vec());
                sql.push(")");
            }
            _ => sql.behind(cursor, &self.order.by),
        }
    }

    fn read(&self, conn: &Connection, sql: &Sql, found: &mut Found) -> Result<(), Failure> {
        // One more than asked for tells whether there is a next page.
        let limit = self.limit + 1 - found.page.rows.len();
        let mut statement = prepare(conn, &format!("{} LIMIT {limit}", sql.text))?;
        let mut rows = statement.query(params_from_iter(&sql.params))?;
        while let Some(row) = rows.next()? {
            if found.page.rows.len() == self.limit {
                found.page.next = found.last.take().map(|cursor| cursor.encode(&self.order));
                break;
            }
            let (key, index_row, _) = read(row)?;
            let values = (COLUMN_COUNT..).zip(&self.order.by);
            let values = values.map(|(index, by)| value(row, index, &by.column));
            found.last = Some(Cursor {
                values: values.collect::<rusqlite::Result<_>>()?,
                run_id: key.run_id,
            });
            found.page.rows.push((key, index_row));
        }
        Ok(())
    }
}

/// Whether an index has the rows with a value in this column in their order, so that they are read
/// apart from those without.
fn is_in_parts(column: &Column) -> bool {
    matches!(column, Column::CloseTime | Column::Attribute(..))
}

/// A page in the making.
#[derive(Default)]
struct Found {
    page: Page,
    last: Option<Cursor>,
}

impl Found {
    /// Whether it has its rows, and is known to have a next page.
    fn is_full(&self, limit: usize) -> bool {
        self.page.rows.len() == limit && self.page.next.is_some()
    }
}

/// A value of an order or of a group.
pub(super) fn value(
    row: &rusqlite::Row<'_>,
    index: usize,
    column: &Column,
) -> rusqlite::Result<Value> {
    Ok(match (row.get_ref(index)?, column.kind()) {
        (ValueRef::Null, _) => Value::Null,
        (_, Kind::Uuid) => Value::Uuid(uuid(row, index)?),
        (_, Kind::Bool) => Value::Bool(row.get(index)?),
        (_, Kind::Double) => Value::Double(row.get(index)?),
        (_, Kind::Int) => Value::Int(row.get(index)?),
        (_, Kind::Text | Kind::Words | Kind::Set) => Value::Text(row.get(index)?),
    })
}
