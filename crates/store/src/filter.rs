//! The language of lists: columns, filters over them, and orders.
//!
//! Logic is that of SQL, with three values: a comparison with a missing value is neither true nor
//! false, so neither it nor its negation lets a row through.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::StoreError;

/// What a filter, an order or a group can refer to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    /// The workflow id; text.
    WorkflowId,
    /// The run id; UUID, or text for comparisons with what may not be one.
    RunId,
    /// The workflow type; text.
    WorkflowType,
    /// The number of the status; integer.
    Status,
    /// The task queue; text.
    TaskQueue,
    /// ns since the epoch.
    StartTime,
    /// ns since the epoch.
    ExecutionTime,
    /// ns since the epoch; missing while the run is open.
    CloseTime,
    /// Events.
    HistoryLength,
    /// Bytes.
    HistorySize,
    /// Transitions.
    StateTransitionCount,
    /// ns from execution time to close time, at least 0; missing while the run is open.
    ExecutionDuration,
    /// Text; missing without a parent.
    ParentWorkflowId,
    /// UUID; missing without a parent.
    ParentRunId,
    /// Text.
    RootWorkflowId,
    /// UUID.
    RootRunId,
    /// Text; missing for ordinary rows. A filter that names it sees rows with a division too.
    Division,
    /// A search attribute. A row that has it with another type counts as not having it.
    Attribute(Arc<str>, AttributeType),
}

/// The type of a search attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttributeType {
    /// [`crate::AttributeValue::Keyword`]
    Keyword,
    /// [`crate::AttributeValue::Text`]: only [`Filter::AnyToken`] and [`Filter::IsNull`].
    Text,
    /// [`crate::AttributeValue::Int`]
    Int,
    /// [`crate::AttributeValue::Double`]; compares with integers too.
    Double,
    /// [`crate::AttributeValue::Bool`]
    Bool,
    /// [`crate::AttributeValue::Datetime`]; compares with [`Value::Int`] in ns.
    Datetime,
    /// [`crate::AttributeValue::KeywordList`]: only [`Filter::Contains`], [`Filter::In`] (contains
    /// any of) and [`Filter::IsNull`].
    KeywordList,
}

/// A value to compare with, or of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Missing. Only in what the store gives back.
    Null,
    /// For columns of type Bool.
    Bool(bool),
    /// For integers, statuses, times (ns since the epoch) and durations (ns).
    Int(i64),
    /// For columns of type Double.
    Double(f64),
    /// For keywords and names.
    Text(String),
    /// For run ids.
    Uuid(Uuid),
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// Which rows to let through.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All.
    True,
    /// Those that all let through; all if there is none.
    And(Vec<Filter>),
    /// Those that any lets through; none if there is none.
    Or(Vec<Filter>),
    /// Those that it is false for.
    Not(Box<Filter>),
    /// Those whose value compares so.
    Compare {
        /// Left side.
        column: Column,
        /// How.
        op: Comparison,
        /// Right side.
        value: Value,
    },
    /// Those whose value is one of these; for a keyword list, one that has any of them.
    In {
        /// The column.
        column: Column,
        /// The values; with none, it is false for every row that has a value.
        values: Vec<Value>,
    },
    /// Those whose value lies between the two, both inclusive.
    Between {
        /// The column.
        column: Column,
        /// Lower bound.
        low: Value,
        /// Upper bound.
        high: Value,
    },
    /// Those without a value. As a condition that must hold, `IsNull(CloseTime)` keeps a list of
    /// open runs from looking through the closed ones: whoever asks for a status that only open
    /// runs have should add it.
    IsNull(Column),
    /// Those whose text begins so.
    StartsWith {
        /// A column with text or a run id.
        column: Column,
        /// The beginning.
        prefix: String,
    },
    /// Those whose text has any of these words, whatever their case.
    AnyToken {
        /// A column of type Text.
        column: Column,
        /// Words; each is itself split as the text is.
        tokens: Vec<String>,
    },
    /// Those whose keyword list has this keyword.
    Contains {
        /// A column of type KeywordList.
        column: Column,
        /// The keyword.
        value: String,
    },
}

/// One column of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderBy {
    /// The column; not one of type Text or KeywordList.
    pub column: Column,
    /// Greatest first. Rows without a value come last either way.
    pub descending: bool,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Uuid,
    Int,
    Double,
    Bool,
    Words,
    Set,
}

/// A filter has at most so many parts, and so many values: enough for the longest query by hand or
/// of a batch, and far below what SQLite's parser takes.
const PARTS_MAX: usize = 500;
const VALUES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 50;

impl Column {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::WorkflowId
            | Self::WorkflowType
            | Self::TaskQueue
            | Self::ParentWorkflowId
            | Self::RootWorkflowId
            | Self::Division => Kind::Text,
            Self::RunId | Self::ParentRunId | Self::RootRunId => Kind::Uuid,
            Self::Status
            | Self::StartTime
            | Self::ExecutionTime
            | Self::CloseTime
            | Self::HistoryLength
            | Self::HistorySize
            | Self::StateTransitionCount
            | Self::ExecutionDuration => Kind::Int,
            Self::Attribute(_, attribute_type) => match attribute_type {
                AttributeType::Keyword => Kind::Text,
                AttributeType::Text => Kind::Words,
                AttributeType::Int | AttributeType::Datetime => Kind::Int,
                AttributeType::Double => Kind::Double,
                AttributeType::Bool => Kind::Bool,
                AttributeType::KeywordList => Kind::Set,
            },
        }
    }

    /// Whether its values can be sorted and grouped.
    pub(crate) fn check_single(&self) -> Result<(), StoreError> {
        match self.kind() {
            Kind::Words | Kind::Set => Err(StoreError::invalid_filter(format_args!(
                "{self:?} has several values to a row and cannot be sorted or grouped by"
            ))),
            _ => Ok(()),
        }
    }

    fn check_value(&self, value: &Value) -> Result<(), StoreError> {
        let fits = match (self.kind(), value) {
            (Kind::Text | Kind::Uuid, Value::Text(_))
            | (Kind::Uuid, Value::Uuid(_))
            | (Kind::Int | Kind::Double, Value::Int(_))
            | (Kind::Bool, Value::Bool(_)) => true,
            (Kind::Double, Value::Double(number)) => !number.is_nan(),
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(StoreError::invalid_filter(format_args!(
            "{self:?} does not compare with {value:?}"
        )))
    }
}

impl Filter {
    /// Whether the filter names the namespace division, and so wants to see rows with one.
    pub(crate) fn names_division(&self) -> bool {
        match self {
            Self::True => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::names_division),
            Self::Not(part) => part.names_division(),
            Self::Compare { column, .. }
            | Self::In { column, .. }
            | Self::Between { column, .. }
            | Self::IsNull(column)
            | Self::StartsWith { column, .. }
            | Self::AnyToken { column, .. }
            | Self::Contains { column, .. } => *column == Column::Division,
        }
    }

    /// Checks that each operation is one that its column has, so that every store refuses the same.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let mut size = Size {
            parts: 0,
            values: 0,
        };
        self.check_part(&mut size, 0)
    }

    fn check_part(&self, size: &mut Size, depth: usize) -> Result<(), StoreError> {
        size.parts += 1;
        size.values += self.value_count();
        if size.parts > PARTS_MAX || size.values > VALUES_MAX || depth > DEPTH_MAX {
            return Err(StoreError::invalid_filter("it is too large"));
        }
        match self {
            Self::True | Self::IsNull(_) => Ok(()),
            Self::And(parts) | Self::Or(parts) => parts
                .iter()
                .try_for_each(|part| part.check_part(size, depth + 1)),
            Self::Not(part) => part.check_part(size, depth + 1),
            Self::Compare { column, value, .. } => column.check_value(value),
            Self::In { column, values } if column.kind() == Kind::Set => {
                values.iter().try_for_each(|value| match value {
                    Value::Text(_) => Ok(()),
                    _ => Err(StoreError::invalid_filter("a keyword list holds keywords")),
                })
            }
            Self::In { column, values } => values
                .iter()
                .try_for_each(|value| column.check_value(value)),
            Self::Between { column, low, high } => {
                column.check_value(low)?;
                column.check_value(high)
            }
            Self::StartsWith { column, .. } => {
                column.require(&[Kind::Text, Kind::Uuid], "StartsWith")
            }
            Self::AnyToken { column, .. } => column.require(&[Kind::Words], "AnyToken"),
            Self::Contains { column, .. } => column.require(&[Kind::Set], "Contains"),
        }
    }

    fn value_count(&self) -> usize {
        match self {
            Self::In { values, .. } => values.len(),
            Self::AnyToken { tokens, .. } => tokens.len(),
            _ => 1,
        }
    }
}

struct Size {
    parts: usize,
    values: usize,
}

impl Column {
    fn require(&self, kinds: &[Kind], operation: &str) -> Result<(), StoreError> {
        if kinds.contains(&self.kind()) {
            return Ok(());
        }
        Err(StoreError::invalid_filter(format_args!(
            "{self:?} does not have {operation}"
        )))
    }
}

/// The order that a list really has.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) by: Vec<OrderBy>,
    /// It was not asked for: open runs come first.
    pub(crate) is_default: bool,
}

impl Order {
    /// The default order in place of none, or what was asked for, each column checked.
    pub(crate) fn new(asked: &[OrderBy]) -> Result<Self, StoreError> {
        asked.iter().try_for_each(|by| by.column.check_single())?;
        let is_default = asked.is_empty();
        let newest_first = |column| OrderBy {
            column,
            descending: true,
        };
        let by = if is_default {
            [Column::CloseTime, Column::StartTime]
                .map(newest_first)
                .to_vec()
        } else {
            asked.to_vec()
        };
        Ok(Self { by, is_default })
    }
}

/// Whether ties, which the run id breaks, go from the greatest down: as the last column does.
pub(crate) fn ties_descend(order: &[OrderBy]) -> bool {
    order.last().is_none_or(|by| by.descending)
}

/// The words of a text, in lower case: what lies between characters that are neither letters nor
/// digits.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
