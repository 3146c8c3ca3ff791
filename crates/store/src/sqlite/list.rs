//! Lists and counts.
//!
//! In the default order a page is read off an index, and rows that the filter refuses are passed
//! over. That is slow when the filter lets few through, so conditions that an index knows are first
//! tried with a small limit: if few rows match, the list starts from those instead. SQLite's own
//! planner has no way to know how many a value matches.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::compile::{Sql, behind_prefix, operand};
use super::reader::Failure;
use super::row::{COLUMN_COUNT, COLUMNS, read, type_number, unsigned, uuid};
use super::schema::OPEN;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::filter::{Column, Comparison, Filter, Kind, OrderBy, Value, checked_order, words};
use crate::model::Page;

/// A condition with at most so many rows is where a list starts from.
const FEW: u64 = 2000;

/// A list that is ready to run.
pub(super) struct List {
    query: Query,
    order: Vec<OrderBy>,
    after: Option<Cursor>,
    by_default: bool,
    limit: usize,
}

/// A count that is ready to run.
pub(super) struct Count {
    query: Query,
    group_by: Vec<Column>,
}

/// Which rows.
struct Query {
    namespace: Uuid,
    all_divisions: bool,
    filter: Sql,
    /// Narrower than the filter or as wide, and answered by an index: selects of numbers.
    starts: Vec<Sql>,
    /// Implied by the filter, and tells SQLite where in the index of the default order to look.
    bounds: Sql,
}

impl List {
    pub(super) fn new(
        namespace: Uuid,
        filter: &Filter,
        order: &[OrderBy],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Self, StoreError> {
        let query = Query::new(namespace, filter)?;
        let by_default = order.is_empty();
        let order = checked_order(order)?;
        let after = after
            .map(|bytes| Cursor::decode(bytes, &order))
            .transpose()?;
        Ok(Self {
            query,
            order,
            after,
            by_default,
            limit: limit.clamp(1, usize::MAX / 2),
        })
    }

    pub(super) fn run(&self, conn: &Connection) -> Result<Page, Failure> {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS);
        for by in &self.order {
            sql.push(", ");
            sql.column(&by.column);
        }
        sql.append(self.query.conditions(conn)?);
        if let Some(cursor) = &self.after {
            sql.push(" AND ");
            self.behind(&mut sql, cursor);
        }
        sql.push(" ORDER BY ");
        if self.by_default {
            sql.push("e.close_time DESC, e.start_time DESC, e.run_id DESC");
        } else {
            sql.order(&self.order);
        }
        sql.push(" LIMIT ");
        // One more than asked for tells whether there is a next page.
        sql.bind(i64::try_from(self.limit + 1).unwrap_or(i64::MAX));
        self.read(conn, &sql)
    }

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
            _ => sql.behind(cursor, &self.order),
        }
    }

    fn read(&self, conn: &Connection, sql: &Sql) -> Result<Page, Failure> {
        let mut statement = conn.prepare(&sql.text)?;
        let mut rows = statement.query(params_from_iter(&sql.params))?;
        let mut page = Page::default();
        let mut last = None;
        while let Some(row) = rows.next()? {
            if page.rows.len() == self.limit {
                page.next = last.map(|cursor: Cursor| cursor.encode());
                break;
            }
            let (key, index_row, _) = read(row)?;
            let values = (COLUMN_COUNT..).zip(&self.order);
            let values = values.map(|(index, by)| value(row, index, &by.column));
            last = Some(Cursor {
                values: values.collect::<rusqlite::Result<_>>()?,
                run_id: key.run_id,
            });
            page.rows.push((key, index_row));
        }
        Ok(page)
    }
}

impl Count {
    pub(super) fn new(
        namespace: Uuid,
        filter: &Filter,
        group_by: &[Column],
    ) -> Result<Self, StoreError> {
        group_by.iter().try_for_each(Column::check_single)?;
        Ok(Self {
            query: Query::new(namespace, filter)?,
            group_by: group_by.to_vec(),
        })
    }

    pub(super) fn run(&self, conn: &Connection) -> Result<Vec<(Vec<Value>, u64)>, Failure> {
        let mut sql = Sql::new("SELECT count(*)");
        for column in &self.group_by {
            sql.push(", ");
            sql.column(column);
        }
        sql.append(self.query.conditions(conn)?);
        let places: Vec<_> = (2..self.group_by.len() + 2)
            .map(|place| place.to_string())
            .collect();
        if !places.is_empty() {
            sql.push(&format!(" GROUP BY {} ORDER BY ", places.join(", ")));
            sql.push(&format!("{} NULLS LAST", places.join(" NULLS LAST, ")));
        }
        let mut statement = conn.prepare(&sql.text)?;
        let groups = statement.query_map(params_from_iter(&sql.params), |row| {
            let values = (1..)
                .zip(&self.group_by)
                .map(|(index, column)| value(row, index, column));
            Ok((
                values.collect::<rusqlite::Result<Vec<_>>>()?,
                unsigned(row, 0)?,
            ))
        })?;
        Ok(groups.collect::<rusqlite::Result<Vec<_>>>()?)
    }
}

impl Query {
    fn new(namespace: Uuid, filter: &Filter) -> Result<Self, StoreError> {
        filter.check()?;
        let mut sql = Sql::default();
        sql.filter(filter);
        let mut query = Self {
            namespace,
            all_divisions: filter.names_division(),
            filter: sql,
            starts: Vec::new(),
            bounds: Sql::default(),
        };
        query.conjunct(filter);
        Ok(query)
    }

    /// From `FROM` on, up to the conditions.
    fn conditions(&self, conn: &Connection) -> Result<Sql, Failure> {
        let start = self.start(conn)?;
        let mut sql = Sql::new(" FROM executions AS e WHERE ");
        // A plus keeps SQLite from using an index for a condition.
        let plus = if start.is_some() { "+" } else { "" };
        sql.push(plus);
        sql.push("e.namespace = ");
        sql.bind(self.namespace.as_bytes().to_vec());
        if !self.all_divisions {
            sql.push(&format!(" AND {plus}e.division IS NULL"));
        }
        match start {
            Some(start) => {
                sql.push(" AND e.number IN (");
                sql.append(start.clone());
                sql.push(")");
            }
            None => sql.append(self.bounds.clone()),
        }
        sql.push(" AND ");
        sql.append(self.filter.clone());
        Ok(sql)
    }

    /// The first condition with few rows.
    fn start(&self, conn: &Connection) -> rusqlite::Result<Option<&Sql>> {
        for start in &self.starts {
            let probe = format!(
                "SELECT count(*) FROM (SELECT 1 FROM ({}) LIMIT {})",
                start.text,
                FEW + 1
            );
            let count = conn.query_row(&probe, params_from_iter(&start.params), |row| {
                unsigned(row, 0)
            })?;
            if count <= FEW {
                return Ok(Some(start));
            }
        }
        Ok(None)
    }

    /// Looks at the conditions that must all hold for what indexes know.
    fn conjunct(&mut self, filter: &Filter) {
        match filter {
            Filter::And(parts) => parts.iter().for_each(|part| self.conjunct(part)),
            Filter::Compare {
                column,
                op: Comparison::Eq,
                value,
            } => {
                self.start_from(column, std::slice::from_ref(value));
                self.bound(column, Comparison::Eq, value);
            }
            Filter::Compare { column, op, value } => self.bound(column, *op, value),
            Filter::In { column, values } => self.start_from(column, values),
            Filter::Between { column, low, high } => {
                self.bound(column, Comparison::Ge, low);
                self.bound(column, Comparison::Le, high);
            }
            Filter::IsNull(Column::CloseTime) => {
                self.bounds.push(&format!(" AND e.close_time = {OPEN}"));
            }
            Filter::StartsWith {
                column: Column::WorkflowId,
                prefix,
            } => {
                let mut sql = Sql::new(START_WORKFLOW);
                sql.bind(self.namespace.as_bytes().to_vec());
                sql.push(" AND workflow_id >= ");
                sql.bind(prefix.clone());
                if let Some(high) = behind_prefix(prefix) {
                    sql.push(" AND workflow_id < ");
                    sql.bind(high);
                }
                self.starts.push(sql);
            }
            Filter::Contains { column, value } => {
                self.start_from(column, &[Value::Text(value.clone())]);
            }
            Filter::AnyToken { column, tokens } => {
                let words = tokens
                    .iter()
                    .flat_map(|token| words(token))
                    .map(Value::Text);
                self.start_from(column, &words.collect::<Vec<_>>());
            }
            _ => {}
        }
    }

    fn start_from(&mut self, column: &Column, values: &[Value]) {
        let mut sql;
        match column {
            Column::WorkflowId => {
                sql = Sql::new(START_WORKFLOW);
                sql.bind(self.namespace.as_bytes().to_vec());
                sql.push(" AND workflow_id IN (");
            }
            Column::RunId => sql = Sql::new("SELECT number FROM executions WHERE run_id IN ("),
            Column::Attribute(name, attribute_type) => {
                sql = Sql::new("SELECT execution FROM attributes WHERE name = ");
                sql.bind(name.to_string());
                sql.push(" AND type = ");
                sql.bind(type_number(*attribute_type));
                sql.push(" AND value IN (");
            }
            _ => return,
        }
        for (index, value) in values.iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " });
            sql.bind(operand(column, value));
        }
        sql.push(")");
        self.starts.push(sql);
    }

    /// A bound on the close time is written a second time, without the function around the column.
    fn bound(&mut self, column: &Column, op: Comparison, value: &Value) {
        let operator = match op {
            Comparison::Eq => " = ",
            Comparison::Lt => " < ",
            Comparison::Le => " <= ",
            Comparison::Gt => " > ",
            Comparison::Ge => " >= ",
            Comparison::Ne => return,
        };
        if *column == Column::CloseTime {
            self.bounds.push(" AND e.close_time");
            self.bounds.push(operator);
            self.bounds.bind(operand(column, value));
        }
    }
}

const START_WORKFLOW: &str = "SELECT number FROM executions WHERE namespace = ";

/// A value of an order or of a group.
fn value(row: &rusqlite::Row<'_>, index: usize, column: &Column) -> rusqlite::Result<Value> {
    Ok(match (row.get_ref(index)?, column.kind()) {
        (ValueRef::Null, _) => Value::Null,
        (_, Kind::Uuid) => Value::Uuid(uuid(row, index)?),
        (_, Kind::Bool) => Value::Bool(row.get(index)?),
        (_, Kind::Double) => Value::Double(row.get(index)?),
        (_, Kind::Int) => Value::Int(row.get(index)?),
        (_, Kind::Text | Kind::Words | Kind::Set) => Value::Text(row.get(index)?),
    })
}
