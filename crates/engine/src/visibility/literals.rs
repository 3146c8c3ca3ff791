//! Values as the fields that they are compared with take them.

use proto::temporal::api::enums::v1::{
    ActivityExecutionStatus, NexusOperationExecutionStatus, WorkflowExecutionStatus,
};

use super::syntax::Literal;
use super::{Field, FilterError, Scope, SystemField, Value};
use crate::cron::duration;
use crate::search_attributes::SearchAttributeType;
use crate::search_attributes::value::{go_float, parse_datetime};

/// Reads a literal that stands next to a field; `name` is the field as it was written.
pub(super) fn value(literal: Literal, field: &Field, name: &str) -> Result<Value, FilterError> {
    match (field, &literal) {
        // Truth values are told off by type alone.
        (_, Literal::Bool(_)) => typed(literal, field.kind(), name),
        (Field::System(SystemField::ExecutionStatus), _) => status(&literal),
        (Field::System(SystemField::ExecutionDuration), _) => span(&literal),
        _ => typed(literal, field.kind(), name),
    }
}

/// Reads a literal by the type of its field only.
pub(super) fn typed(
    literal: Literal,
    kind: SearchAttributeType,
    name: &str,
) -> Result<Value, FilterError> {
    use SearchAttributeType::{Bool, Datetime, Double, Int, Keyword, KeywordList, Text};
    match (kind, literal) {
        (Int | Double | Datetime, Literal::Int(number)) => Ok(Value::Int(number)),
        (Int | Double, Literal::Float(number)) => Ok(Value::Double(number)),
        (Bool, Literal::Bool(value)) => Ok(Value::Bool(value)),
        (Keyword | KeywordList | Text, Literal::Text(text)) => Ok(Value::Text(text)),
        (Datetime, Literal::Text(text)) => match parse_datetime(&text) {
            Some(nanos) => Ok(Value::Int(nanos)),
            None => Err(invalid(format!("unable to parse datetime '{text}'"))),
        },
        (_, literal) => Err(invalid(format!(
            "invalid value type for search attribute {name} of type {}: {} (type: {})",
            kind.name(),
            printed(&literal),
            type_name(&literal),
        ))),
    }
}

fn status(literal: &Literal) -> Result<Value, FilterError> {
    let refused = |value: &str| Err(invalid(format!("invalid ExecutionStatus value {value}")));
    match literal {
        Literal::Int(number) => {
            let known = i32::try_from(*number).ok().and_then(|n| n.try_into().ok());
            match known {
                Some(status) => Ok(number_of(status)),
                None => refused(&number.to_string()),
            }
        }
        Literal::Text(text) => match workflow_status(text) {
            Some(status) => Ok(number_of(status)),
            None => refused(&format!("'{text}'")),
        },
        other => Err(unexpected(other, SystemField::ExecutionStatus)),
    }
}

fn number_of(status: WorkflowExecutionStatus) -> Value {
    Value::Int(i64::from(status as i32))
}

/// The statuses of a workflow, as lists name them.
const WORKFLOW_STATUSES: [(&str, WorkflowExecutionStatus); 9] = [
    ("Unspecified", WorkflowExecutionStatus::Unspecified),
    ("Running", WorkflowExecutionStatus::Running),
    ("Completed", WorkflowExecutionStatus::Completed),
    ("Failed", WorkflowExecutionStatus::Failed),
    ("Canceled", WorkflowExecutionStatus::Canceled),
    ("Terminated", WorkflowExecutionStatus::Terminated),
    ("ContinuedAsNew", WorkflowExecutionStatus::ContinuedAsNew),
    ("TimedOut", WorkflowExecutionStatus::TimedOut),
    ("Paused", WorkflowExecutionStatus::Paused),
];

fn workflow_status(name: &str) -> Option<WorkflowExecutionStatus> {
    let short = |(short, status): (&str, _)| (short == name).then_some(status);
    WORKFLOW_STATUSES
        .into_iter()
        .find_map(short)
        .or_else(|| WorkflowExecutionStatus::from_str_name(name))
}

/// A status of a workflow, as lists name it.
pub(super) fn status_name(number: i32) -> Option<&'static str> {
    let status = WorkflowExecutionStatus::try_from(number).ok()?;
    WORKFLOW_STATUSES
        .iter()
        .find(|(_, other)| *other == status)
        .map(|(name, _)| *name)
}

/// The statuses of a standalone activity, as lists name them. There they are mere keywords: a name
/// that is none of these is no error, and matches nothing.
const ACTIVITY_STATUSES: [(&str, ActivityExecutionStatus); 7] = [
    ("Running", ActivityExecutionStatus::Running),
    ("Completed", ActivityExecutionStatus::Completed),
    ("Failed", ActivityExecutionStatus::Failed),
    ("Canceled", ActivityExecutionStatus::Canceled),
    ("Terminated", ActivityExecutionStatus::Terminated),
    ("TimedOut", ActivityExecutionStatus::TimedOut),
    ("Paused", ActivityExecutionStatus::Paused),
];

/// The statuses of a standalone Nexus operation, as lists name them: keywords too.
const NEXUS_OPERATION_STATUSES: [(&str, NexusOperationExecutionStatus); 6] = [
    ("Running", NexusOperationExecutionStatus::Running),
    ("Completed", NexusOperationExecutionStatus::Completed),
    ("Failed", NexusOperationExecutionStatus::Failed),
    ("Canceled", NexusOperationExecutionStatus::Canceled),
    ("Terminated", NexusOperationExecutionStatus::Terminated),
    ("TimedOut", NexusOperationExecutionStatus::TimedOut),
];

/// The numbers of the statuses whose names fit, in a scope where the status is a keyword.
pub(super) fn keyword_statuses(scope: Scope, fits: impl Fn(&str) -> bool) -> Vec<Value> {
    let of_operations = NEXUS_OPERATION_STATUSES.map(|(name, status)| (name, status as i32));
    let of_activities = ACTIVITY_STATUSES.map(|(name, status)| (name, status as i32));
    let known: &[(&str, i32)] = match scope {
        Scope::NexusOperations => &of_operations,
        _ => &of_activities,
    };
    let fitting = known.iter().filter(|(name, _)| fits(name));
    fitting
        .map(|(_, status)| Value::Int(i64::from(*status)))
        .collect()
}

/// A duration: nanoseconds, `1h30m`, `10d`, or `hh:mm:ss`.
fn span(literal: &Literal) -> Result<Value, FilterError> {
    match literal {
        Literal::Int(nanos) => Ok(Value::Int(*nanos)),
        Literal::Text(text) => {
            let nanos = text
                .parse()
                .ok()
                .or_else(|| duration::parse_with_days(text))
                .or_else(|| clock(text));
            nanos.map(Value::Int).ok_or_else(|| {
                let field = SystemField::ExecutionDuration.name();
                invalid(format!(
                    "invalid duration value for search attribute {field}: {text}"
                ))
            })
        }
        other => Err(unexpected(other, SystemField::ExecutionDuration)),
    }
}

/// `hh:mm:ss` in nanoseconds.
fn clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
    seconds.checked_mul(1_000_000_000)
}

fn unexpected(literal: &Literal, field: SystemField) -> FilterError {
    let (kind, name) = (type_name(literal), field.name());
    invalid(format!(
        "unexpected value type {kind} for search attribute {name}"
    ))
}

/// A literal as Go prints it with `%#v`.
fn printed(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => format!("{text:?}"),
        Literal::Int(number) => number.to_string(),
        Literal::Float(number) => go_float(*number),
        Literal::Bool(value) => value.to_string(),
    }
}

fn type_name(literal: &Literal) -> &'static str {
    match literal {
        Literal::Text(_) => "string",
        Literal::Int(_) => "int64",
        Literal::Float(_) => "float64",
        Literal::Bool(_) => "bool",
    }
}

/// The error of a value that makes no sense.
pub(super) fn invalid(text: String) -> FilterError {
    FilterError::InvalidExpression(text)
}
