//! Counts: what the table of counts knows, what an attribute's index knows, and the rest row by row.

use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::compile::Sql;
use super::list::value;
use super::plan::{Plan, Query, prepare};
use super::reader::Failure;
use super::row::unsigned;
use super::schema::OPEN;
use crate::error::StoreError;
use crate::filter::{Column, Filter, Value};

/// A count that is ready to run.
pub(super) struct Count {
    query: Query,
    group_by: Vec<Column>,
}

/// Groups, with how many rows each has.
type Groups = Vec<(Vec<Value>, u64)>;

impl Count {
    pub(super) fn new(
        namespace: Uuid,
        filter: &Filter,
        group_by: &[Column],
    ) -> Result<Self, StoreError> {
        filter.check()?;
        group_by.iter().try_for_each(Column::check_single)?;
        Ok(Self {
            query: Query::new(namespace, filter),
            group_by: group_by.to_vec(),
        })
    }

    pub(super) fn run(&self, conn: &Connection) -> Result<Groups, Failure> {
        if is_counted(&self.query.filter) && self.group_by.iter().all(is_counted_column) {
            return self.counted(conn);
        }
        let plan = Plan::for_count(conn, &self.query)?;
        if let [column @ Column::Attribute(..)] = &self.group_by[..]
            && self.query.filter == Filter::True
            && !self.has_divisions(conn)?
        {
            return self.by_attribute(conn, &plan, column);
        }
        let mut sql = Sql::new("SELECT count(*)", &plan.ids);
        self.columns(&mut sql);
        let index = (!self.query.all_divisions).then(|| plan.index());
        sql.append(plan.conditions(index));
        self.groups(conn, sql)
    }

    /// From the table of counts: it looks like rows that stand for many.
    fn counted(&self, conn: &Connection) -> Result<Groups, Failure> {
        let ids = std::rc::Rc::default();
        let mut sql = Sql::new("SELECT ifnull(sum(e.count), 0)", &ids);
        self.columns(&mut sql);
        sql.push(&format!(
            " FROM (SELECT nullif(division, 0) AS division, workflow_type, task_queue, status, \
             iif(open, {OPEN}, 0) AS close_time, count FROM counts WHERE namespace = "
        ));
        sql.bind(self.query.namespace.as_bytes().to_vec());
        sql.push(") AS e WHERE ");
        if !self.query.all_divisions {
            sql.push("e.division IS NULL AND ");
        }
        sql.filter(&self.query.filter);
        self.groups(conn, sql)
    }

    /// All rows by an attribute: its index has those that have it.
    fn by_attribute(
        &self,
        conn: &Connection,
        plan: &Plan<'_>,
        column: &Column,
    ) -> Result<Groups, Failure> {
        let id = plan.ids.of(column).unwrap_or(0);
        let sql = format!(
            "SELECT count(*), value FROM attributes INDEXED BY attributes_value \
             WHERE attribute = {id} GROUP BY value ORDER BY value"
        );
        let mut groups = self.groups_of(conn, &Sql::new(&sql, &plan.ids))?;
        let all = conn.query_row(
            "SELECT ifnull(sum(count), 0) FROM counts WHERE namespace = ?1",
            [self.query.namespace.as_bytes().as_slice()],
            |row| unsigned(row, 0),
        )?;
        let with: u64 = groups.iter().map(|(_, count)| count).sum();
        if all > with {
            groups.push((vec![Value::Null], all - with));
        }
        Ok(groups)
    }

    fn has_divisions(&self, conn: &Connection) -> rusqlite::Result<bool> {
        conn.prepare_cached("SELECT 1 FROM counts WHERE namespace = ?1 AND division > 0")?
            .exists([self.query.namespace.as_bytes().as_slice()])
    }

    fn columns(&self, sql: &mut Sql) {
        for column in &self.group_by {
            sql.push(", ");
            sql.column(column);
        }
    }

    fn groups(&self, conn: &Connection, mut sql: Sql) -> Result<Groups, Failure> {
        let places: Vec<_> = (2..self.group_by.len() + 2)
            .map(|place| place.to_string())
            .collect();
        if !places.is_empty() {
            sql.push(&format!(" GROUP BY {} ORDER BY ", places.join(", ")));
            sql.push(&format!("{} NULLS LAST", places.join(" NULLS LAST, ")));
        }
        self.groups_of(conn, &sql)
    }

    fn groups_of(&self, conn: &Connection, sql: &Sql) -> Result<Groups, Failure> {
        let mut statement = prepare(conn, &sql.text)?;
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

/// Whether the table of counts can tell what the filter lets through.
fn is_counted(filter: &Filter) -> bool {
    match filter {
        Filter::True | Filter::IsNull(Column::CloseTime) => true,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().all(is_counted),
        Filter::Not(part) => is_counted(part),
        Filter::Compare { column, .. }
        | Filter::In { column, .. }
        | Filter::Between { column, .. }
        | Filter::IsNull(column)
        | Filter::StartsWith { column, .. } => is_counted_column(column),
        Filter::AnyToken { .. } | Filter::Contains { .. } => false,
    }
}

fn is_counted_column(column: &Column) -> bool {
    matches!(
        column,
        Column::WorkflowType | Column::TaskQueue | Column::Status | Column::Division
    )
}
