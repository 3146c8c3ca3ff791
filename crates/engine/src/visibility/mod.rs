//! **List filters understood**: from a query's text to a typed filter that any store can carry out.
//!
//! May depend on: `sqlparser`, for the tokens of SQL, and the crate's search attributes.
//!
//! Rules: behaviour section 9.1. The way is [`tokens`], [`syntax`] (what was written), [`convert`]
//! (what it means, by the types of the fields). The grammar is our own, over `sqlparser`'s tokens:
//! `STARTS_WITH` is no SQL, the texts of errors are part of the API, and no query may make us nest
//! deeply, however long it is.
//!
//! Logic is that of SQL, with three values: a comparison with a missing value is neither true nor
//! false.

mod convert;
mod fields;
mod filter;
mod literals;
mod matches;
mod syntax;
mod tokens;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::search_attributes::SearchAttributeType;

pub use self::fields::{Field, SystemField};
pub use self::filter::{CompareOp, Expr, Value};

/// What a list is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Workflows.
    #[default]
    Workflows,
    /// Standalone activities: `ActivityId` is a row's workflow id, `ActivityType` its workflow
    /// type, and `ExecutionStatus` the number of an `ActivityExecutionStatus`.
    Activities,
    /// Schedules: `ScheduleId` is a row's workflow id. Only it, `TemporalSchedulePaused` and
    /// custom attributes may be named.
    Schedules,
    /// Standalone Nexus operations: `OperationId` is a row's workflow id, `Operation` its workflow type, `Endpoint`
    /// its task queue, and `ExecutionStatus` the number of a `NexusOperationExecutionStatus`.
    NexusOperations,
}

/// The name under which rows of standalone Nexus operations keep their service.
pub const NEXUS_SERVICE: &str = "TemporalNexusService";
/// The name under which rows of standalone Nexus operations keep their request id.
pub const NEXUS_REQUEST_ID: &str = "TemporalNexusRequestId";

/// How to read a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What is listed.
    pub scope: Scope,
    /// Allows what the reference refuses: ORDER BY, and GROUP BY any fields.
    pub extended: bool,
}

/// A query, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Which rows.
    pub filter: Expr,
    /// Counted by which fields. For counts only; lists take no notice.
    pub group_by: Vec<Field>,
    /// In which order; none is the default one.
    pub order_by: Vec<OrderBy>,
    /// Whether the query names `TemporalNamespaceDivision`. If not, the caller leaves out all rows
    /// that have one (or for a scope with a division of its own, all rows of others).
    pub mentions_division: bool,
    /// All attributes named, as they were written.
    pub names: BTreeSet<String>,
}

/// One field of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// The field.
    pub field: Field,
    /// Greatest first.
    pub descending: bool,
}

/// Why a query is refused. `Display` is the message on the wire, INVALID_ARGUMENT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is no SQL. The position counts from the start of the whole statement that the reference
    /// makes of it.
    #[error("invalid query: malformed SQL query: syntax error at position {position}{near}")]
    Malformed {
        /// Where.
        position: usize,
        /// ` near '…'`, or empty.
        near: String,
    },
    /// It is SQL that lists do not have.
    #[error("invalid query: operation is not supported: {0}")]
    NotSupported(String),
    /// It does not make sense.
    #[error("invalid query: invalid expression: {0}")]
    InvalidExpression(String),
    /// It names an attribute that does not exist.
    #[error("invalid query: invalid search attribute: {0}")]
    UnknownAttribute(String),
    /// It names an attribute that schedules are not listed by.
    #[error("invalid query filter for schedules: cannot filter on {0:?}")]
    NotOfSchedules(String),
}

/// Parses a query. An empty one is that for all rows. `attributes` gives the type of a custom
/// search attribute of the namespace.
pub fn parse(
    query: &str,
    attributes: &dyn Fn(&str) -> Option<SearchAttributeType>,
    options: Options,
) -> Result<Query, FilterError> {
    let statement = syntax::parse(query)?;
    convert::convert(statement, attributes, options)
}
