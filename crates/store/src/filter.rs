//! The language of lists: columns, filters over them, and orders.
//!
//! Logic is that of SQL, with three values: a comparison with a missing value is neither true nor false, so
//! neither it nor its negation lets a row through.

use std::sync::Arc;

use uuid::Uuid;

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
    /// [`crate::AttributeValue::KeywordList`]: only [`Filter::Contains`], [`Filter::In`] (contains any of) and
    /// [`Filter::IsNull`].
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
    /// Those without a value.
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
    /// Greatest first. A missing value is greater than all others.
    pub descending: bool,
}
