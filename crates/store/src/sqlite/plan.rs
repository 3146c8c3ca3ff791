//! Where a list or a count begins: which index, by what the filter says.
//!
//! SQLite's planner has no way to know how many rows a value has. So a condition that an index knows is
//! first tried with a small limit: if few rows match, the list starts from those, whatever its order.
//! Otherwise it reads rows in its order off the narrowest index that has them so, and passes over those
//! that the filter refuses.

use std::rc::Rc;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, Statement, params_from_iter};
use uuid::Uuid;

use super::compile::{AttributeIds, Sql, behind_prefix, operand, operator};
use super::row::unsigned;
use super::schema::OPEN;
use crate::filter::{Column, Comparison, Filter, Kind, Value, words};

/// A condition with at most so many rows is where a list starts from. Fetching these costs about what
/// looking for a page of them in a million rows does.
const FEW: u64 = 5000;

/// Which rows.
pub(super) struct Query {
    pub(super) namespace: Uuid,
    pub(super) all_divisions: bool,
    pub(super) filter: Filter,
}

/// A query against what is stored now.
pub(super) struct Plan<'a> {
    query: &'a Query,
    pub(super) ids: Rc<AttributeIds>,
    start: Option<Sql>,
    /// An index that has the rows in the default order, and only those with some value.
    narrow: Option<&'static str>,
    /// Implied by the filter, and tells SQLite where in an index of the default order to look.
    bounds: Sql,
}

impl Query {
    pub(super) fn new(namespace: Uuid, filter: &Filter) -> Self {
        Self {
            namespace,
            all_divisions: filter.names_division(),
            filter: filter.clone(),
        }
    }
}

impl<'a> Plan<'a> {
    pub(super) fn new(conn: &Connection, query: &'a Query) -> rusqlite::Result<Self> {
        let ids = AttributeIds::read(conn, query.namespace)?;
        let mut conditions = Conditions::new(query, &ids);
        conditions.read(&query.filter);
        let starts = conditions.starts();
        let mut plan = Self {
            query,
            start: None,
            narrow: narrowest(conn, query, &conditions)?,
            bounds: conditions.bounds,
            ids,
        };
        for start in starts {
            if has_few(conn, &start)? {
                plan.start = Some(start);
                break;
            }
        }
        Ok(plan)
    }

    /// As [`Plan::new`], for a count: all that matches is read, so any start is better than none.
    pub(super) fn for_count(conn: &Connection, query: &'a Query) -> rusqlite::Result<Self> {
        let mut plan = Self::new(conn, query)?;
        if plan.start.is_none() && plan.narrow.is_none() {
            let mut conditions = Conditions::new(query, &plan.ids);
            conditions.read(&query.filter);
            plan.start = conditions.starts().into_iter().next();
        }
        Ok(plan)
    }

    /// Whether it reads rows in the order of an index.
    pub(super) fn is_ordered(&self) -> bool {
        self.start.is_none()
    }

    /// The index of the default order that serves best.
    pub(super) fn index(&self) -> &'static str {
        self.narrow.unwrap_or("executions_list")
    }

    /// From `FROM` on, up to the conditions. Without a start, rows come from `index`, or from where
    /// SQLite likes.
    pub(super) fn conditions(&self, index: Option<&str>) -> Sql {
        let mut sql = Sql::new(" FROM executions AS e", &self.ids);
        match (&self.start, index) {
            (Some(start), _) => {
                sql.push(" NOT INDEXED WHERE e.number IN (");
                sql.append(start.clone());
                sql.push(") AND ");
            }
            (None, Some(index)) => sql.push(&format!(" INDEXED BY {index} WHERE ")),
            (None, None) => sql.push(" WHERE "),
        }
        sql.push("e.namespace = ");
        sql.bind(self.query.namespace.as_bytes().to_vec());
        if self.start.is_none() {
            sql.append(self.bounds.clone());
        }
        sql.append(self.filter());
        sql
    }

    /// What a row must be like, but for its namespace.
    pub(super) fn filter(&self) -> Sql {
        let mut sql = Sql::new("", &self.ids);
        if !self.query.all_divisions {
            sql.push(" AND e.division IS NULL");
        }
        sql.push(" AND ");
        sql.filter(&self.query.filter);
        sql
    }
}

/// Prepares a query. Where SQLite sees that nothing can match, it has no use for the index that the query
/// names, and says so.
pub(super) fn prepare<'c>(conn: &'c Connection, text: &str) -> rusqlite::Result<Statement<'c>> {
    match conn.prepare(text) {
        Err(error) if error.to_string().contains("no query solution") => {
            let mut free = String::new();
            for (place, piece) in text.split(" INDEXED BY ").enumerate() {
                let name = piece.find(' ').filter(|_| place > 0).unwrap_or(0);
                free.push_str(&piece[name..]);
            }
            conn.prepare(&free)
        }
        prepared => prepared,
    }
}

fn has_few(conn: &Connection, start: &Sql) -> rusqlite::Result<bool> {
    let probe = format!(
        "SELECT count(*) FROM (SELECT 1 FROM ({}) LIMIT {})",
        start.text,
        FEW + 1
    );
    let mut probe = prepare(conn, &probe)?;
    let count = probe.query_row(params_from_iter(&start.params), |row| unsigned(row, 0))?;
    Ok(count <= FEW)
}

/// The index among those that know one of the values which the fewest rows have.
fn narrowest(
    conn: &Connection,
    query: &Query,
    conditions: &Conditions<'_>,
) -> rusqlite::Result<Option<&'static str>> {
    let mut best: Option<(i64, &'static str)> = None;
    for (index, column, value) in &conditions.narrow {
        let sql = format!(
            "SELECT sum(count) FROM counts WHERE namespace = ?1 AND division = 0 AND {column} = ?2"
        );
        let mut select = conn.prepare_cached(&sql)?;
        let count = select
            .query_row((query.namespace.as_bytes().as_slice(), value), |row| {
                row.get::<_, Option<i64>>(0)
            })
            .optional()?;
        let count = count.flatten().unwrap_or(0);
        if best.is_none_or(|(least, _)| count < least) {
            best = Some((count, index));
        }
    }
    Ok(best.map(|(_, index)| index))
}

/// The conditions that must all hold, as far as indexes know them.
struct Conditions<'a> {
    query: &'a Query,
    ids: &'a Rc<AttributeIds>,
    starts: Vec<Sql>,
    /// Bounds by column; those of one column make one start.
    ranges: Vec<(Column, Vec<(Comparison, SqlValue)>)>,
    /// Index, column of `counts`, value.
    narrow: Vec<(&'static str, &'static str, SqlValue)>,
    statuses: Vec<SqlValue>,
    is_closed: bool,
    bounds: Sql,
}

impl<'a> Conditions<'a> {
    fn new(query: &'a Query, ids: &'a Rc<AttributeIds>) -> Self {
        Self {
            query,
            ids,
            starts: Vec::new(),
            ranges: Vec::new(),
            narrow: Vec::new(),
            statuses: Vec::new(),
            is_closed: false,
            bounds: Sql::new("", ids),
        }
    }

    fn read(&mut self, filter: &Filter) {
        self.part(filter);
        if self.is_closed {
            let statuses = std::mem::take(&mut self.statuses).into_iter();
            let narrow = statuses.map(|status| ("executions_status", "status", status));
            self.narrow.extend(narrow);
        }
    }

    /// The starts, those from equalities first.
    fn starts(&mut self) -> Vec<Sql> {
        let ranges = std::mem::take(&mut self.ranges);
        for (column, bounds) in ranges {
            self.start_within(&column, &bounds);
        }
        std::mem::take(&mut self.starts)
    }

    fn part(&mut self, filter: &Filter) {
        match filter {
            Filter::And(parts) => parts.iter().for_each(|part| self.part(part)),
            Filter::Compare { column, op, value } => {
                if *op == Comparison::Eq {
                    self.is_one_of(column, std::slice::from_ref(value));
                }
                self.bound(column, *op, value);
            }
            Filter::In { column, values } => self.is_one_of(column, values),
            Filter::Between { column, low, high } => {
                self.bound(column, Comparison::Ge, low);
                self.bound(column, Comparison::Le, high);
            }
            Filter::IsNull(Column::CloseTime) => {
                self.bounds.push(&format!(" AND e.close_time = {OPEN}"));
            }
            Filter::Not(part) if **part == Filter::IsNull(Column::CloseTime) => {
                self.is_closed = true;
                self.bounds.push(&format!(" AND e.close_time < {OPEN}"));
            }
            Filter::StartsWith { column, prefix } => {
                let mut bounds = vec![(Comparison::Ge, SqlValue::Text(prefix.clone()))];
                let high = behind_prefix(prefix).map(SqlValue::Text);
                bounds.extend(high.map(|high| (Comparison::Lt, high)));
                self.start_within(column, &bounds);
            }
            Filter::Contains { column, value } => {
                self.is_one_of(column, &[Value::Text(value.clone())]);
            }
            Filter::AnyToken { column, tokens } => {
                let words = tokens
                    .iter()
                    .flat_map(|token| words(token))
                    .map(Value::Text);
                self.is_one_of(column, &words.collect::<Vec<_>>());
            }
            _ => {}
        }
    }

    fn is_one_of(&mut self, column: &Column, values: &[Value]) {
        let operands = || values.iter().map(|value| operand(column, value));
        let in_divisions = self.query.all_divisions;
        match (column, values) {
            (Column::WorkflowType, [value]) if !in_divisions => {
                let value = operand(column, value);
                self.narrow
                    .push(("executions_type", "workflow_type", value));
            }
            (Column::TaskQueue, [value]) if !in_divisions => {
                let value = operand(column, value);
                self.narrow.push(("executions_queue", "task_queue", value));
            }
            (Column::Status, [value]) if !in_divisions => {
                self.statuses.push(operand(column, value));
            }
            (Column::WorkflowType, _) if !in_divisions => {
                self.start_from(&["workflow_type"], "executions_type", operands);
            }
            (Column::TaskQueue, _) if !in_divisions => {
                self.start_from(&["task_queue"], "executions_queue", operands);
            }
            (Column::WorkflowId, _) => {
                self.start_from(&["workflow_id"], "executions_workflow", operands);
            }
            (Column::ParentWorkflowId, _) => {
                self.start_from(&["parent_workflow_id"], "executions_parent", operands);
            }
            (Column::RunId, _) => self.start_from(&["run_id"], "executions_run", operands),
            (Column::ParentRunId, _) => {
                self.start_from(&["parent_run_id"], "executions_parent_run", operands);
            }
            (Column::RootWorkflowId, _) => {
                self.start_from(&["root_workflow_id", "workflow_id"], "", operands);
            }
            (Column::RootRunId, _) => {
                self.start_from(&["root_run_id", "run_id"], "", operands);
            }
            (Column::Attribute(..), _) => {
                let mut sql = self.attribute_start(column);
                sql.push(" AND value IN ");
                sql.bind_list(operands());
                self.starts.push(sql);
            }
            _ => {}
        }
    }

    /// Starts from the rows that have one of the values in any of the columns.
    fn start_from<V: Iterator<Item = SqlValue>>(
        &mut self,
        columns: &[&str],
        index: &str,
        values: impl Fn() -> V,
    ) {
        if values().next().is_none() {
            return;
        }
        let mut sql = Sql::new("", self.ids);
        for column in columns {
            let by = match index {
                "" => String::new(),
                index => format!(" INDEXED BY {index}"),
            };
            let union = if sql.text.is_empty() {
                ""
            } else {
                " UNION ALL "
            };
            sql.push(&format!(
                "{union}SELECT number FROM executions{by} WHERE namespace = "
            ));
            sql.bind(self.query.namespace.as_bytes().to_vec());
            if matches!(index, "executions_type" | "executions_queue") {
                sql.push(" AND division IS NULL");
            }
            sql.push(&format!(" AND {column} IN "));
            sql.bind_list(values());
        }
        self.starts.push(sql);
    }

    fn attribute_start(&self, column: &Column) -> Sql {
        let id = self.ids.of(column).unwrap_or(0);
        let text = format!("SELECT execution FROM attributes WHERE attribute = {id}");
        Sql::new(&text, self.ids)
    }

    fn start_within(&mut self, column: &Column, bounds: &[(Comparison, SqlValue)]) {
        let namespace = |sql: &mut Sql, namespace: Uuid| {
            sql.bind(namespace.as_bytes().to_vec());
        };
        let (mut sql, name) = match column {
            Column::WorkflowId => {
                let mut sql = Sql::new(
                    "SELECT number FROM executions INDEXED BY executions_workflow \
                     WHERE namespace = ",
                    self.ids,
                );
                namespace(&mut sql, self.query.namespace);
                (sql, "workflow_id")
            }
            Column::StartTime if !self.query.all_divisions => {
                let mut sql = Sql::new(
                    "SELECT number FROM executions INDEXED BY executions_start \
                     WHERE division IS NULL AND namespace = ",
                    self.ids,
                );
                namespace(&mut sql, self.query.namespace);
                (sql, "start_time")
            }
            Column::Attribute(..) if !matches!(column.kind(), Kind::Words | Kind::Set) => {
                (self.attribute_start(column), "value")
            }
            _ => return,
        };
        for (op, value) in bounds {
            sql.push(&format!(" AND {name}{}", operator(*op)));
            sql.bind(value.clone());
        }
        self.starts.push(sql);
    }

    fn bound(&mut self, column: &Column, op: Comparison, value: &Value) {
        if op == Comparison::Ne {
            return;
        }
        let value = operand(column, value);
        match (column, op) {
            // A bound on the close time is written a second time, without the function around the
            // column.
            (Column::CloseTime, op) => self.close_bound(op, value),
            (Column::StartTime, op) => self.range(column, op, value),
            (_, Comparison::Eq) => {}
            _ => self.range(column, op, value),
        }
    }

    fn close_bound(&mut self, op: Comparison, value: SqlValue) {
        self.bounds.push(" AND e.close_time");
        self.bounds.push(operator(op));
        self.bounds.bind(value);
    }

    fn range(&mut self, column: &Column, op: Comparison, value: SqlValue) {
        match self.ranges.iter_mut().find(|(known, _)| known == column) {
            Some((_, bounds)) => bounds.push((op, value)),
            None => self.ranges.push((column.clone(), vec![(op, value)])),
        }
    }
}
