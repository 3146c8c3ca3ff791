//! Lists and counts: from a query's text to the store's filter, and from rows to the wire.

use bytes::Bytes;
use engine::Namespace;
use engine::deployment::Version;
use engine::execution::Kind;
use engine::schedule;
use engine::search_attributes::SearchAttributeType;
use engine::time::{Timestamp, wire};
use engine::visibility::{
    self, CompareOp, Expr, Field, FilterError, Options, Query, Scope, SystemField,
};
use prost::Message;
use proto::temporal::api::common::v1::{
    Memo, Payload, SearchAttributes, WorkflowExecution, WorkflowType,
};
use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::filter::v1::StartTimeFilter;
use proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use proto::temporal::api::workflowservice::v1::CountWorkflowExecutionsResponse;
use proto::temporal::api::workflowservice::v1::count_workflow_executions_response::AggregationGroup;
use serde_json::json;
use store::{AttributeType, Column, Comparison, ExecutionKey, Filter, OrderBy, Row, Store, Value};
use uuid::Uuid;

use crate::error::WireError;

/// Rows on a page at most; also what an unset page size means.
const PAGE_SIZE_MAX: usize = 1000;

/// The filter that a list's query asks for.
///
/// # Errors
/// INVALID_ARGUMENT with the documented texts (behaviour, section 9.1).
pub fn filter(query: &str, namespace: &Namespace) -> Result<Filter, WireError> {
    parse(query, namespace).map(|query| expression(query.filter))
}

/// The filter and the order that a list's query asks for. An empty order is the default one.
///
/// # Errors
/// As [`filter`].
pub fn filter_and_order(
    query: &str,
    namespace: &Namespace,
) -> Result<(Filter, Vec<OrderBy>), WireError> {
    let query = parse(query, namespace)?;
    let order = query.order_by.into_iter().map(|by| OrderBy {
        column: column(by.field),
        descending: by.descending,
    });
    Ok((expression(query.filter), order.collect()))
}

/// A query about schedules that live. Queries know a schedule by its own id, rows by that of an execution.
///
/// # Errors
/// As [`filter`].
pub fn schedules(query: &str, namespace: &Namespace) -> Result<Scoped, WireError> {
    let scoped = Scoped::parse(query, namespace, Scope::Schedules, Kind::Schedule)?;
    let open = status_is(WorkflowExecutionStatus::Running);
    Ok(Scoped {
        filter: Filter::And(vec![open, with_execution_ids(scoped.filter)]),
        ..scoped
    })
}

fn with_execution_ids(filter: Filter) -> Filter {
    let all = |parts: Vec<Filter>| parts.into_iter().map(with_execution_ids).collect();
    let id = |value: Value| match value {
        Value::Text(id) => Value::Text(schedule::workflow_id(&id)),
        value => value,
    };
    let column = Column::WorkflowId;
    match filter {
        Filter::And(parts) => Filter::And(all(parts)),
        Filter::Or(parts) => Filter::Or(all(parts)),
        Filter::Not(part) => Filter::Not(Box::new(with_execution_ids(*part))),
        Filter::Compare {
            column: Column::WorkflowId,
            op,
            value,
        } => Filter::Compare {
            column,
            op,
            value: id(value),
        },
        Filter::In {
            column: Column::WorkflowId,
            values,
        } => Filter::In {
            column,
            values: values.into_iter().map(id).collect(),
        },
        Filter::Between {
            column: Column::WorkflowId,
            low,
            high,
        } => Filter::Between {
            column,
            low: id(low),
            high: id(high),
        },
        Filter::StartsWith {
            column: Column::WorkflowId,
            prefix,
        } => Filter::StartsWith {
            column,
            prefix: schedule::workflow_id(&prefix),
        },
        filter => filter,
    }
}

/// Counts what a query lets through, in groups if it asks for them.
///
/// # Errors
/// As [`filter`]; what the store refuses.
pub async fn count(
    store: &dyn Store,
    query: &str,
    namespace: &Namespace,
) -> Result<CountWorkflowExecutionsResponse, WireError> {
    let query = parse(query, namespace)?;
    if !query.order_by.is_empty() {
        let refusal = FilterError::NotSupported("'ORDER BY' clause".to_owned());
        return Err(WireError::invalid(refusal.to_string()));
    }
    let scoped = Scoped {
        filter: expression(query.filter),
        group_by: query.group_by,
    };
    let (count, groups) = scoped.count(store, namespace.id, status_name).await?;
    let groups = groups
        .into_iter()
        .map(|(group_values, count)| AggregationGroup {
            group_values,
            count,
        });
    Ok(CountWorkflowExecutionsResponse {
        count,
        groups: groups.collect(),
    })
}

/// A query about executions of one kind, in the store's words.
pub struct Scoped {
    /// Which rows.
    pub filter: Filter,
    /// Counted by which fields.
    pub group_by: Vec<Field>,
}

/// A count, and its groups with what each has in common.
type Counted = (i64, Vec<(Vec<Payload>, i64)>);

impl Scoped {
    /// Reads a query about executions of a kind that has a division of its own.
    ///
    /// # Errors
    /// As [`filter`].
    pub fn parse(
        query: &str,
        namespace: &Namespace,
        scope: Scope,
        kind: Kind,
    ) -> Result<Self, WireError> {
        let options = Options {
            scope,
            ..Options::default()
        };
        let query = parse_with(query, namespace, options)?;
        let division = kind.division().unwrap_or_default().to_owned();
        let of_kind = text_is(Column::Division, division);
        Ok(Self {
            filter: Filter::And(vec![of_kind, expression(query.filter)]),
            group_by: query.group_by,
        })
    }

    /// Counts; statuses go by their names.
    ///
    /// # Errors
    /// What the store refuses.
    pub async fn count(
        self,
        store: &dyn Store,
        namespace: Uuid,
        status_name: fn(i64) -> &'static str,
    ) -> Result<Counted, WireError> {
        let fields = self.group_by;
        let group_by: Vec<Column> = fields.iter().cloned().map(column).collect();
        let counted = store.count(namespace, &self.filter, &group_by).await?;
        let wire_count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let count = counted.iter().map(|(_, count)| wire_count(*count)).sum();
        let groups = counted.into_iter().filter(|_| !fields.is_empty());
        let groups = groups.map(|(values, count)| {
            let shown = values
                .iter()
                .zip(&fields)
                .map(|(value, field)| group_value(value, field, status_name));
            (shown.collect(), wire_count(count))
        });
        Ok((count, groups.collect()))
    }
}

/// Counts the open workflows that are pinned to a version.
///
/// # Errors
/// What the store refuses.
pub async fn count_pinned(
    store: &dyn Store,
    namespace: Uuid,
    version: &Version,
) -> Result<i64, store::StoreError> {
    let is = |column, value| Filter::Compare {
        column,
        op: Comparison::Eq,
        value,
    };
    let keyword = |name: &str, text: &str| {
        let column = Column::Attribute(name.into(), AttributeType::Keyword);
        is(column, Value::Text(text.to_owned()))
    };
    let running = i64::from(WorkflowExecutionStatus::Running as i32);
    let filter = Filter::And(vec![
        keyword("TemporalWorkerDeploymentVersion", &version.to_string()),
        keyword("TemporalWorkflowVersioningBehavior", "Pinned"),
        is(Column::Status, Value::Int(running)),
    ]);
    let counted = store.count(namespace, &filter, &[]).await?;
    let count: u64 = counted.iter().map(|(_, count)| count).sum();
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

fn parse(query: &str, namespace: &Namespace) -> Result<Query, WireError> {
    // More than the reference: any order, and groups by anything.
    let options = Options {
        extended: true,
        ..Options::default()
    };
    parse_with(query, namespace, options)
}

fn parse_with(query: &str, namespace: &Namespace, options: Options) -> Result<Query, WireError> {
    let custom = |name: &str| namespace.search_attributes.get(name).copied();
    visibility::parse(query, &custom, options)
        .map_err(|error| WireError::invalid(error.to_string()))
}

/// A filter in the store's words.
fn expression(expression: Expr) -> Filter {
    let all = |parts: Vec<Expr>| parts.into_iter().map(self::expression).collect();
    match expression {
        Expr::True => Filter::True,
        Expr::And(parts) => Filter::And(all(parts)),
        Expr::Or(parts) => Filter::Or(all(parts)),
        Expr::Not(part) => Filter::Not(Box::new(self::expression(*part))),
        Expr::Compare {
            field: field @ Field::System(SystemField::ExecutionStatus),
            op: CompareOp::Eq,
            value: visibility::Value::Int(status),
        } => of_status(field, status),
        Expr::Compare { field, op, value } => Filter::Compare {
            column: column(field),
            op: match op {
                CompareOp::Eq => Comparison::Eq,
                CompareOp::Ne => Comparison::Ne,
                CompareOp::Lt => Comparison::Lt,
                CompareOp::Le => Comparison::Le,
                CompareOp::Gt => Comparison::Gt,
                CompareOp::Ge => Comparison::Ge,
            },
            value: self::value(value),
        },
        Expr::In { field, values } => Filter::In {
            column: column(field),
            values: values.into_iter().map(value).collect(),
        },
        Expr::Between { field, low, high } => Filter::Between {
            column: column(field),
            low: value(low),
            high: value(high),
        },
        Expr::IsNull(field) => Filter::IsNull(column(field)),
        Expr::StartsWith { field, prefix } => Filter::StartsWith {
            column: column(field),
            prefix,
        },
        Expr::AnyToken { field, tokens } => Filter::AnyToken {
            column: column(field),
            tokens,
        },
        Expr::Contains { field, values } => {
            let column = column(field);
            match <[String; 1]>::try_from(values) {
                Ok([value]) => Filter::Contains { column, value },
                Err(values) => Filter::In {
                    column,
                    values: values.into_iter().map(Value::Text).collect(),
                },
            }
        }
    }
}

/// Rows of a status, and whether they are open, which the status says already: the store's indexes need it
/// said.
fn of_status(field: Field, status: i64) -> Filter {
    let is = Filter::Compare {
        column: column(field),
        op: Comparison::Eq,
        value: Value::Int(status),
    };
    let is_open = Filter::IsNull(Column::CloseTime);
    let open = [
        WorkflowExecutionStatus::Running,
        WorkflowExecutionStatus::Paused,
    ];
    if open.iter().any(|known| i64::from(*known as i32) == status) {
        Filter::And(vec![is, is_open])
    } else {
        Filter::And(vec![is, Filter::Not(Box::new(is_open))])
    }
}

fn value(value: visibility::Value) -> Value {
    match value {
        visibility::Value::Text(text) => Value::Text(text),
        visibility::Value::Int(number) => Value::Int(number),
        visibility::Value::Double(number) => Value::Double(number),
        visibility::Value::Bool(truth) => Value::Bool(truth),
    }
}

fn column(field: Field) -> Column {
    match field {
        Field::System(system) => match system {
            SystemField::WorkflowId => Column::WorkflowId,
            SystemField::RunId => Column::RunId,
            SystemField::WorkflowType => Column::WorkflowType,
            SystemField::ExecutionStatus => Column::Status,
            SystemField::TaskQueue => Column::TaskQueue,
            SystemField::StartTime => Column::StartTime,
            SystemField::ExecutionTime => Column::ExecutionTime,
            SystemField::CloseTime => Column::CloseTime,
            SystemField::HistoryLength => Column::HistoryLength,
            SystemField::HistorySizeBytes => Column::HistorySize,
            SystemField::StateTransitionCount => Column::StateTransitionCount,
            SystemField::ExecutionDuration => Column::ExecutionDuration,
            SystemField::ParentWorkflowId => Column::ParentWorkflowId,
            SystemField::ParentRunId => Column::ParentRunId,
            SystemField::RootWorkflowId => Column::RootWorkflowId,
            SystemField::RootRunId => Column::RootRunId,
            SystemField::NamespaceDivision => Column::Division,
        },
        Field::Attribute(name, kind) => Column::Attribute(name, attribute_type(kind)),
    }
}

fn attribute_type(kind: SearchAttributeType) -> AttributeType {
    match kind {
        SearchAttributeType::Text => AttributeType::Text,
        SearchAttributeType::Keyword => AttributeType::Keyword,
        SearchAttributeType::Int => AttributeType::Int,
        SearchAttributeType::Double => AttributeType::Double,
        SearchAttributeType::Bool => AttributeType::Bool,
        SearchAttributeType::Datetime => AttributeType::Datetime,
        SearchAttributeType::KeywordList => AttributeType::KeywordList,
    }
}

/// What a group has in common, as a payload with its type. A status goes by its name.
fn group_value(value: &Value, field: &Field, status_name: fn(i64) -> &'static str) -> Payload {
    let json = match (value, field) {
        (Value::Int(number), Field::System(SystemField::ExecutionStatus)) => {
            json!(status_name(*number))
        }
        (Value::Null, _) => json!(null),
        (Value::Bool(truth), _) => json!(truth),
        (Value::Int(number), _) => json!(number),
        (Value::Double(number), _) => json!(number),
        (Value::Text(text), _) => json!(text),
        (Value::Uuid(id), _) => json!(id.to_string()),
    };
    let metadata = [("encoding", "json/plain"), ("type", field.kind().name())];
    Payload {
        metadata: metadata
            .map(|(key, text)| (key.to_owned(), Bytes::from_static(text.as_bytes())))
            .into(),
        data: json.to_string().into(),
        ..Default::default()
    }
}

/// A status as queries write it.
pub fn status_name(number: i64) -> &'static str {
    use WorkflowExecutionStatus as Status;
    match i32::try_from(number)
        .ok()
        .and_then(|number| Status::try_from(number).ok())
    {
        Some(Status::Running) => "Running",
        Some(Status::Completed) => "Completed",
        Some(Status::Failed) => "Failed",
        Some(Status::Canceled) => "Canceled",
        Some(Status::Terminated) => "Terminated",
        Some(Status::ContinuedAsNew) => "ContinuedAsNew",
        Some(Status::TimedOut) => "TimedOut",
        Some(Status::Paused) => "Paused",
        Some(Status::Unspecified) | None => "Unspecified",
    }
}

/// One page, and the token of the next.
///
/// # Errors
/// What the store refuses: a token that it did not give out is an unexpected error, as in the
/// reference.
pub async fn list(
    store: &dyn Store,
    namespace: Uuid,
    filter: &Filter,
    token: &Bytes,
    page_size: i32,
) -> Result<(Vec<WorkflowExecutionInfo>, Bytes), WireError> {
    list_in_order(store, namespace, filter, &[], token, page_size).await
}

/// As [`list`], in another order than the default one.
///
/// # Errors
/// As [`list`]; also for the token of another order.
pub async fn list_in_order(
    store: &dyn Store,
    namespace: Uuid,
    filter: &Filter,
    order: &[OrderBy],
    token: &Bytes,
    page_size: i32,
) -> Result<(Vec<WorkflowExecutionInfo>, Bytes), WireError> {
    let (rows, next) = page_in_order(store, namespace, filter, order, token, page_size).await?;
    let shown = rows.into_iter().map(|(key, row)| info(&key, row));
    Ok((shown.collect(), next))
}

/// As [`list`], for rows of any kind.
///
/// # Errors
/// As [`list`].
pub async fn page(
    store: &dyn Store,
    namespace: Uuid,
    filter: &Filter,
    token: &Bytes,
    page_size: i32,
) -> Result<(Vec<(ExecutionKey, Row)>, Bytes), WireError> {
    page_in_order(store, namespace, filter, &[], token, page_size).await
}

async fn page_in_order(
    store: &dyn Store,
    namespace: Uuid,
    filter: &Filter,
    order: &[OrderBy],
    token: &Bytes,
    page_size: i32,
) -> Result<(Vec<(ExecutionKey, Row)>, Bytes), WireError> {
    let limit = match usize::try_from(page_size) {
        Ok(size) if (1..=PAGE_SIZE_MAX).contains(&size) => size,
        _ => PAGE_SIZE_MAX,
    };
    let after = (!token.is_empty()).then_some(token.as_ref());
    let page = store.list(namespace, filter, order, after, limit).await?;
    Ok((page.rows, page.next.map(Bytes::from).unwrap_or_default()))
}

/// Rows of this status.
pub fn status_is(status: WorkflowExecutionStatus) -> Filter {
    let value = Value::Int(i64::from(i32::from(status)));
    Filter::Compare {
        column: Column::Status,
        op: Comparison::Eq,
        value,
    }
}

/// Rows with this text.
pub fn text_is(column: Column, text: String) -> Filter {
    Filter::Compare {
        column,
        op: Comparison::Eq,
        value: Value::Text(text),
    }
}

/// Rows whose time is within a legacy filter's bounds.
///
/// # Errors
/// INVALID_ARGUMENT when the bounds are the wrong way round.
pub fn started_within(
    filter: Option<&StartTimeFilter>,
    column: Column,
) -> Result<Option<Filter>, WireError> {
    let Some(filter) = filter else {
        return Ok(None);
    };
    let nanos = |time: &proto::Timestamp| Timestamp::from_proto(time).0;
    let low = filter.earliest_time.as_ref().map_or(0, nanos);
    let high = filter.latest_time.as_ref().map_or(i64::MAX, nanos);
    if low > high {
        return Err(WireError::invalid(
            "EarliestTime in StartTimeFilter should not be larger than LatestTime.",
        ));
    }
    Ok(Some(Filter::Between {
        column,
        low: Value::Int(low),
        high: Value::Int(high),
    }))
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
    let duration = row
        .close_time
        .map(|close| wire(Timestamp(close).since(Timestamp(row.execution_time))));
    WorkflowExecutionInfo {
        execution: Some(execution(&key.workflow_id, key.run_id)),
        r#type: Some(WorkflowType {
            name: row.workflow_type.to_string(),
        }),
        start_time: Some(time(row.start_time)),
        close_time: row.close_time.map(time),
        status: row.status,
        history_length: when_closed(row.history_length),
        parent_execution: row.parent.as_ref().map(|(id, run)| execution(id, *run)),
        execution_time: Some(time(row.execution_time)),
        memo: Some(Memo::decode(row.memo).unwrap_or_default()),
        search_attributes: Some(
            SearchAttributes::decode(row.search_attributes).unwrap_or_default(),
        ),
        task_queue: row.task_queue.to_string(),
        state_transition_count: when_closed(row.state_transition_count),
        history_size_bytes: when_closed(row.history_size),
        execution_duration: duration,
        root_execution: Some(execution(&row.root.0, row.root.1)),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn namespace() -> Namespace {
        Namespace {
            id: Uuid::nil(),
            name: "n".into(),
            retention: Duration::ZERO,
            search_attributes: [
                ("K".to_owned(), SearchAttributeType::Keyword),
                ("L".to_owned(), SearchAttributeType::KeywordList),
            ]
            .into(),
        }
    }

    #[test]
    fn queries_become_the_stores_filters() {
        let keyword = || Column::Attribute("K".into(), AttributeType::Keyword);
        let list = || Column::Attribute("L".into(), AttributeType::KeywordList);
        let equal = |column, value| Filter::Compare {
            column,
            op: Comparison::Eq,
            value,
        };
        let table = [
            ("", Filter::True),
            ("WorkflowId = 'a'", text_is(Column::WorkflowId, "a".into())),
            (
                "ExecutionStatus = 'Running'",
                Filter::And(vec![
                    status_is(WorkflowExecutionStatus::Running),
                    Filter::IsNull(Column::CloseTime),
                ]),
            ),
            (
                "ExecutionStatus = 'Failed'",
                Filter::And(vec![
                    status_is(WorkflowExecutionStatus::Failed),
                    Filter::Not(Box::new(Filter::IsNull(Column::CloseTime))),
                ]),
            ),
            ("K = 'x'", equal(keyword(), Value::Text("x".into()))),
            ("K IS NULL", Filter::IsNull(keyword())),
            (
                "K STARTS_WITH 'x'",
                Filter::StartsWith {
                    column: keyword(),
                    prefix: "x".into(),
                },
            ),
            (
                "L = 'x'",
                Filter::Contains {
                    column: list(),
                    value: "x".into(),
                },
            ),
            (
                "L IN ('x', 'y')",
                Filter::In {
                    column: list(),
                    values: vec![Value::Text("x".into()), Value::Text("y".into())],
                },
            ),
        ];
        for (query, expected) in table {
            assert_eq!(filter(query, &namespace()), Ok(expected), "{query}");
        }
        let unknown = filter("Nope = 1", &namespace()).unwrap_err();
        assert_eq!(
            unknown.message,
            "invalid query: invalid search attribute: Nope"
        );
    }

    #[test]
    fn lists_may_have_an_order() {
        let query = "WorkflowId = 'a' ORDER BY K DESC, StartTime";
        let (filter, order) = filter_and_order(query, &namespace()).unwrap();
        assert_eq!(filter, text_is(Column::WorkflowId, "a".into()));
        let by = |column, descending| OrderBy { column, descending };
        let keyword = Column::Attribute("K".into(), AttributeType::Keyword);
        assert_eq!(order, [by(keyword, true), by(Column::StartTime, false)]);
        assert_eq!(
            filter_and_order("", &namespace()),
            Ok((Filter::True, vec![]))
        );
    }

    #[test]
    fn groups_by_status_have_its_name() {
        let field = Field::System(SystemField::ExecutionStatus);
        let payload = group_value(&Value::Int(1), &field, status_name);
        assert_eq!(payload.data, "\"Running\"");
        assert_eq!(payload.metadata["type"], "Keyword");
        assert_eq!(payload.metadata["encoding"], "json/plain");
    }
}
