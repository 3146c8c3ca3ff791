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
use crate::filter::{Column, Filter, Kind, OrderBy, Value, checked_order, ties_descend};
use crate::model::Page;

/// A list that is ready to run.
pub(super) struct List {
    query: Query,
    order: Vec<OrderBy>,
    after: Option<Cursor>,
    by_default: bool,
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
        let by_default = order.is_empty() || order == checked_order(&[])?;
        let order = checked_order(order)?;
        let after = after
            .map(|bytes| Cursor::decode(bytes, &order))
            .transpose()?;
        Ok(Self {
            query: Query::new(namespace, filter),
            order,
            after,
            by_default,
            limit: limit.clamp(1, usize::MAX / 2),
        })
    }

    pub(super) fn run(&self, conn: &Connection) -> Result<Page, Failure> {
        let plan = Plan::new(conn, &self.query)?;
        let mut found = Found::default();
        match &self.order[..] {
            [first, ..] if plan.is_ordered() && matches!(first.column, Column::Attribute(..)) => {
                self.by_attribute(conn, &plan, first, &mut found)?;
            }
            _ => self.read(conn, &self.plain(&plan), &mut found)?,
        }
        Ok(found.page)
    }

    /// Rows as the plan finds them, sorted if its index does not have them so.
    fn plain(&self, plan: &Plan<'_>) -> Sql {
        let index = match &self.order[..] {
            _ if self.by_default => Some(plan.index()),
            [by] if by.column == Column::WorkflowId => Some("executions_workflow"),
            [by] if by.column == Column::StartTime && !self.query.all_divisions => {
                Some("executions_start")
            }
            _ => None,
        };
        let mut sql = self.select(plan);
        sql.append(plan.conditions(index));
        if let Some(cursor) = &self.after {
            sql.push(" AND ");
            self.behind(&mut sql, cursor);
        }
        sql.push(" ORDER BY ");
        sql.order(&self.order);
        sql
    }

    fn select(&self, plan: &Plan<'_>) -> Sql {
        let mut sql = Sql::new("SELECT ", &plan.ids);
        sql.push(COLUMNS);
        for by in &self.order {
            sql.push(", ");
            sql.column(&by.column);
        }
        sql
    }

    /// By an attribute first: rows that have it come off its index; those without are greater than
    /// all others.
    fn by_attribute(
        &self,
        conn: &Connection,
        plan: &Plan<'_>,
        first: &OrderBy,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let reached = self.after.as_ref().and_then(|cursor| cursor.values.first());
        let begun_with_missing = reached == Some(&Value::Null);
        if first.descending {
            if reached.is_none() || begun_with_missing {
                self.read(conn, &self.without(plan, first), found)?;
            }
            if !found.is_full(self.limit) {
                self.read(conn, &self.with(plan, first), found)?;
            }
            return Ok(());
        }
        if !begun_with_missing {
            self.read(conn, &self.with(plan, first), found)?;
        }
        if !found.is_full(self.limit) {
            self.read(conn, &self.without(plan, first), found)?;
        }
        Ok(())
    }

    /// The rows that have the attribute.
    fn with(&self, plan: &Plan<'_>, first: &OrderBy) -> Sql {
        let mut sql = self.select(plan);
        let id = plan.ids.of(&first.column).unwrap_or(0);
        sql.push(&format!(
            " FROM attributes AS k INDEXED BY attributes_value CROSS JOIN executions AS e \
             ON e.number = k.execution WHERE k.attribute = {id}"
        ));
        let descending = first.descending;
        let reached = self.after.as_ref().and_then(|cursor| {
            let value = cursor.values.first()?;
            (*value != Value::Null).then(|| (cursor, operand(&first.column, value)))
        });
        if let Some((cursor, value)) = reached {
            if self.order.len() == 1 {
                sql.push(" AND (k.value, k.run_id)");
                sql.push(if descending { " < (" } else { " > (" });
                sql.bind(value);
                sql.push(", ");
                sql.bind(cursor.run_id.as_bytes().to_vec());
                sql.push(")");
            } else {
                sql.push(if descending {
                    " AND k.value <= "
                } else {
                    " AND k.value >= "
                });
                sql.bind(value);
                sql.push(" AND ");
                sql.behind(cursor, &self.order);
            }
        }
        sql.append(plan.filter());
        let direction = |descending| if descending { " DESC" } else { " ASC" };
        sql.push(" ORDER BY k.value");
        sql.push(direction(descending));
        sql.push(", ");
        if let [_] = &self.order[..] {
            sql.push("k.run_id");
            sql.push(direction(descending));
        } else {
            sql.order(&self.order[1..]);
        }
        sql
    }

    /// The rows that do not have the attribute.
    fn without(&self, plan: &Plan<'_>, first: &OrderBy) -> Sql {
        let alone = self.order.len() == 1;
        let mut sql = self.select(plan);
        sql.append(plan.conditions(alone.then_some("executions_run")));
        let id = plan.ids.of(&first.column).unwrap_or(0);
        sql.push(&format!(
            " AND NOT EXISTS (SELECT 1 FROM attributes AS n \
             WHERE n.execution = e.number AND n.attribute = {id})"
        ));
        if let Some(cursor) = &self.after
            && cursor.values.first() == Some(&Value::Null)
        {
            sql.push(" AND ");
            let rest = Cursor {
                values: cursor.values[1..].to_vec(),
                run_id: cursor.run_id,
            };
            sql.behind_by(&rest, &self.order[1..], ties_descend(&self.order));
        }
        sql.push(" ORDER BY ");
        sql.order_by(&self.order[1..], ties_descend(&self.order));
        sql
    }

    /// Whether a row lies behind the cursor, so that an index need not begin before it.
    fn behind(&self, sql: &mut Sql, cursor: &Cursor) {
        match &cursor.values[..] {
            [close_time, Value::Int(start_time)] if self.by_default => {
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
            [value] if matches!(self.order[0].column, Column::StartTime | Column::WorkflowId) => {
                let value: SqlValue = operand(&self.order[0].column, value);
                let column = match self.order[0].column {
                    Column::StartTime => "e.start_time",
                    _ => "e.workflow_id",
                };
                let operator = if self.order[0].descending { "<" } else { ">" };
                sql.push(&format!("({column}, e.run_id) {operator} ("));
                sql.bind(value);
                sql.push(", ");
                sql.bind(cursor.run_id.as_bytes().to_vec());
                sql.push(")");
            }
            _ => sql.behind(cursor, &self.order),
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
            let values = (COLUMN_COUNT..).zip(&self.order);
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
