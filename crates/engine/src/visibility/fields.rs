//! What the names in a query refer to.

use std::sync::Arc;

use super::{FilterError, NEXUS_REQUEST_ID, NEXUS_SERVICE, Scope};
use crate::search_attributes::{
    self, NAMESPACE_DIVISION, Origin, RESERVED_PREFIX, SearchAttributeType,
};

/// A column of every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SystemField {
    /// Text. Also a schedule's id, and a standalone activity's.
    WorkflowId,
    /// Text.
    RunId,
    /// Text. Also a standalone activity's type.
    WorkflowType,
    /// The number of a `WorkflowExecutionStatus`; in other scopes, of the status of what is listed.
    ExecutionStatus,
    /// Text.
    TaskQueue,
    /// Nanoseconds since the epoch.
    StartTime,
    /// Nanoseconds since the epoch.
    ExecutionTime,
    /// Nanoseconds since the epoch; missing while open.
    CloseTime,
    /// Events.
    HistoryLength,
    /// Bytes.
    HistorySizeBytes,
    /// Transitions.
    StateTransitionCount,
    /// Nanoseconds; missing while open.
    ExecutionDuration,
    /// Text; missing without a parent.
    ParentWorkflowId,
    /// Text; missing without a parent.
    ParentRunId,
    /// Text.
    RootWorkflowId,
    /// Text.
    RootRunId,
    /// Text; missing for workflows.
    NamespaceDivision,
}

/// What a comparison, an order or a group is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// A column of every row.
    System(SystemField),
    /// A search attribute: a custom one, or one of the system's that is kept among them.
    Attribute(Arc<str>, SearchAttributeType),
}

impl SystemField {
    const ALL: [(&'static str, Self); 17] = [
        ("WorkflowId", Self::WorkflowId),
        ("RunId", Self::RunId),
        ("WorkflowType", Self::WorkflowType),
        ("ExecutionStatus", Self::ExecutionStatus),
        ("TaskQueue", Self::TaskQueue),
        ("StartTime", Self::StartTime),
        ("ExecutionTime", Self::ExecutionTime),
        ("CloseTime", Self::CloseTime),
        ("HistoryLength", Self::HistoryLength),
        ("HistorySizeBytes", Self::HistorySizeBytes),
        ("StateTransitionCount", Self::StateTransitionCount),
        ("ExecutionDuration", Self::ExecutionDuration),
        ("ParentWorkflowId", Self::ParentWorkflowId),
        ("ParentRunId", Self::ParentRunId),
        ("RootWorkflowId", Self::RootWorkflowId),
        ("RootRunId", Self::RootRunId),
        (NAMESPACE_DIVISION, Self::NamespaceDivision),
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, field)| *field)
    }

    /// The name of its search attribute.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, field)| *field == self)
            .map_or("", |(name, _)| name)
    }

    /// The type of its search attribute. That of the status is Keyword, though rows have a number.
    pub fn kind(self) -> SearchAttributeType {
        match self {
            Self::WorkflowId
            | Self::RunId
            | Self::WorkflowType
            | Self::ExecutionStatus
            | Self::TaskQueue
            | Self::ParentWorkflowId
            | Self::ParentRunId
            | Self::RootWorkflowId
            | Self::RootRunId
            | Self::NamespaceDivision => SearchAttributeType::Keyword,
            Self::StartTime | Self::ExecutionTime | Self::CloseTime => {
                SearchAttributeType::Datetime
            }
            Self::HistoryLength
            | Self::HistorySizeBytes
            | Self::StateTransitionCount
            | Self::ExecutionDuration => SearchAttributeType::Int,
        }
    }
}

impl Field {
    /// The type of the search attribute that it stands for.
    pub fn kind(&self) -> SearchAttributeType {
        match self {
            Self::System(field) => field.kind(),
            Self::Attribute(_, kind) => *kind,
        }
    }

    /// The name of the search attribute that it stands for.
    pub fn name(&self) -> &str {
        match self {
            Self::System(field) => field.name(),
            Self::Attribute(name, _) => name,
        }
    }
}

/// Finds what a name refers to: a custom attribute, an alias of the scope, one of the system's,
/// and last one of the system's with its prefix added or left out.
pub(super) fn resolve(
    name: &str,
    attributes: &dyn Fn(&str) -> Option<SearchAttributeType>,
    scope: Scope,
) -> Result<Field, FilterError> {
    let unprefixed = name.strip_prefix(RESERVED_PREFIX).unwrap_or(name);
    let custom = || match search_attributes::system(name) {
        Some(_) => None,
        None => attributes(name).map(|kind| Field::Attribute(name.into(), kind)),
    };
    let field = custom()
        .or_else(|| alias(name, scope))
        .or_else(|| system(name))
        .or_else(|| system(&format!("{RESERVED_PREFIX}{name}")))
        .or_else(|| system(unprefixed))
        .or_else(|| alias(unprefixed, scope))
        .ok_or_else(|| FilterError::UnknownAttribute(name.to_owned()))?;
    let of_schedules = !search_attributes::is_reserved(name) || name == "TemporalSchedulePaused";
    if scope == Scope::Schedules && !of_schedules {
        return Err(FilterError::NotOfSchedules(name.to_owned()));
    }
    Ok(field)
}

fn alias(name: &str, scope: Scope) -> Option<Field> {
    let keyword = |name: &str| Field::Attribute(name.into(), SearchAttributeType::Keyword);
    let field = match (name, scope) {
        ("ScheduleId", _)
        | ("ActivityId", Scope::Activities)
        | ("OperationId", Scope::NexusOperations) => SystemField::WorkflowId,
        ("ActivityType", Scope::Activities) | ("Operation", Scope::NexusOperations) => {
            SystemField::WorkflowType
        }
        ("Endpoint", Scope::NexusOperations) => SystemField::TaskQueue,
        ("Service", Scope::NexusOperations) => return Some(keyword(NEXUS_SERVICE)),
        ("RequestId", Scope::NexusOperations) => return Some(keyword(NEXUS_REQUEST_ID)),
        _ => return None,
    };
    Some(Field::System(field))
}

fn system(name: &str) -> Option<Field> {
    let (kind, origin) = search_attributes::system(name)?;
    match SystemField::from_name(name) {
        Some(field) => Some(Field::System(field)),
        None => {
            debug_assert_ne!(origin, Origin::Row, "{name} is a column");
            Some(Field::Attribute(name.into(), kind))
        }
    }
}
