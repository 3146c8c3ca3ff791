//! **Search attributes typed**: which exist, what values they take, what a client may set, and how
//! they are stored.
//!
//! May depend on: `proto`, `serde_json`.
//!
//! Rules: behaviour section 1.6. Names are what users see; there is no second set of column names.

pub mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use prost::Message;
use proto::temporal::api::common::v1::{Payload, SearchAttributes};
use proto::temporal::api::enums::v1::IndexedValueType;

pub use self::value::{Value, decode};

/// Prefix of names that no user may define.
pub const RESERVED_PREFIX: &str = "Temporal";

/// The attribute that sets schedules, batches and activities apart from workflows in one list.
pub const NAMESPACE_DIVISION: &str = "TemporalNamespaceDivision";

/// What an attribute's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SearchAttributeType {
    /// Text that is searched by word.
    Text,
    /// Text that is compared as a whole.
    Keyword,
    /// A signed 64-bit integer.
    Int,
    /// A 64-bit floating-point number.
    Double,
    /// True or false.
    Bool,
    /// An instant.
    Datetime,
    /// A set of keywords.
    KeywordList,
}

impl SearchAttributeType {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 7] = [
        Self::Text,
        Self::Keyword,
        Self::Int,
        Self::Double,
        Self::Bool,
        Self::Datetime,
        Self::KeywordList,
    ];

    /// From the wire's number; none for "unspecified" and unknown ones.
    pub fn from_wire(number: i32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_wire() as i32 == number)
    }

    /// As the wire's enumeration.
    pub fn to_wire(self) -> IndexedValueType {
        match self {
            Self::Text => IndexedValueType::Text,
            Self::Keyword => IndexedValueType::Keyword,
            Self::Int => IndexedValueType::Int,
            Self::Double => IndexedValueType::Double,
            Self::Bool => IndexedValueType::Bool,
            Self::Datetime => IndexedValueType::Datetime,
            Self::KeywordList => IndexedValueType::KeywordList,
        }
    }

    /// The name in messages and in a payload's `type` metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Keyword => "Keyword",
            Self::Int => "Int",
            Self::Double => "Double",
            Self::Bool => "Bool",
            Self::Datetime => "Datetime",
            Self::KeywordList => "KeywordList",
        }
    }

    /// From either of its names: `Keyword` or `INDEXED_VALUE_TYPE_KEYWORD`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name || kind.to_wire().as_str_name() == name)
    }
}

/// Who gives an attribute of the system its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A field of every row, derived from the execution itself.
    Row,
    /// Kept among the search attributes; clients may set it as well.
    Shared,
    /// Kept among the search attributes; only the server sets it.
    Server,
}

/// The system's attributes: name, type, origin. Sorted by name.
const SYSTEM: [(&str, SearchAttributeType, Origin); 33] = {
    use Origin::{Row, Server, Shared};
    use SearchAttributeType::{Bool, Datetime, Int, Keyword, KeywordList};
    [
        ("BatcherNamespace", Keyword, Shared),
        ("BatcherUser", Keyword, Shared),
        ("BinaryChecksums", KeywordList, Shared),
        ("BuildIds", KeywordList, Shared),
        ("CloseTime", Datetime, Row),
        ("ExecutionDuration", Int, Row),
        ("ExecutionStatus", Keyword, Row),
        ("ExecutionTime", Datetime, Row),
        ("HistoryLength", Int, Row),
        ("HistorySizeBytes", Int, Row),
        ("ParentRunId", Keyword, Row),
        ("ParentWorkflowId", Keyword, Row),
        ("RootRunId", Keyword, Row),
        ("RootWorkflowId", Keyword, Row),
        ("RunId", Keyword, Row),
        ("StartTime", Datetime, Row),
        ("StateTransitionCount", Int, Row),
        ("TaskQueue", Keyword, Row),
        ("TemporalChangeVersion", KeywordList, Shared),
        ("TemporalExternalPayloadCount", Int, Server),
        ("TemporalExternalPayloadSizeBytes", Int, Server),
        (NAMESPACE_DIVISION, Keyword, Shared),
        ("TemporalPauseInfo", KeywordList, Shared),
        ("TemporalReportedProblems", KeywordList, Shared),
        ("TemporalSchedulePaused", Bool, Shared),
        ("TemporalScheduledById", Keyword, Shared),
        ("TemporalScheduledStartTime", Datetime, Shared),
        ("TemporalUsedWorkerDeploymentVersions", KeywordList, Server),
        ("TemporalWorkerDeployment", Keyword, Server),
        ("TemporalWorkerDeploymentVersion", Keyword, Server),
        ("TemporalWorkflowVersioningBehavior", Keyword, Server),
        ("WorkflowId", Keyword, Row),
        ("WorkflowType", Keyword, Row),
    ]
};

/// Names that are no attributes, and that no user may define.
const RESERVED: [&str; 4] = ["Memo", "MemoEncoding", "NamespaceId", "VisibilityTaskKey"];

/// The attributes that every namespace has, by name: what ListSearchAttributes calls system ones.
pub fn system_attributes() -> impl Iterator<Item = (&'static str, SearchAttributeType)> {
    SYSTEM.into_iter().map(|(name, kind, _)| (name, kind))
}

/// Type and origin of a system attribute; none for any other name.
pub fn system(name: &str) -> Option<(SearchAttributeType, Origin)> {
    let index = SYSTEM
        .binary_search_by(|(other, _, _)| (*other).cmp(name))
        .ok()?;
    let (_, kind, origin) = SYSTEM[index];
    Some((kind, origin))
}

/// Whether a name is the system's, so that no user may define it.
pub fn is_reserved(name: &str) -> bool {
    system(name).is_some() || RESERVED.contains(&name) || name.starts_with(RESERVED_PREFIX)
}

/// How much may be set at once (section 3.2). All limits are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attributes of one execution.
    pub key_count_max: usize,
    /// Bytes of one value.
    pub value_bytes_max: usize,
    /// Bytes of all, as encoded on the wire.
    pub total_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            key_count_max: 100,
            value_bytes_max: 2 * 1024,
            total_bytes_max: 40 * 1024,
        }
    }
}

/// Why attributes are refused. `Display` is the message on the wire, INVALID_ARGUMENT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchAttributeError {
    /// No such attribute.
    #[error("Namespace {namespace} has no mapping defined for search attribute {name}")]
    Unknown {
        /// The namespace asked.
        namespace: String,
        /// The name asked for.
        name: String,
    },
    /// The server alone sets it.
    #[error("{0} attribute can't be set in SearchAttributes")]
    NotSettable(String),
    /// The value is not of the attribute's type.
    #[error("invalid value for search attribute {name} of type {}: {value}", .kind.name())]
    WrongType {
        /// The attribute.
        name: String,
        /// Its type.
        kind: SearchAttributeType,
        /// The value, as the reference prints it.
        value: String,
    },
    /// Too many.
    #[error("number of search attributes {count} exceeds limit {limit}")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// One value is too large.
    #[error("search attribute {name} value size {size} exceeds size limit {limit}")]
    ValueTooLarge {
        /// The attribute.
        name: String,
        /// Bytes of its value.
        size: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// All together are too large.
    #[error("total size of search attributes {size} exceeds size limit {limit}")]
    TotalTooLarge {
        /// Bytes of all.
        size: usize,
        /// Bytes that they may have.
        limit: usize,
    },
    /// A name that no user may define.
    #[error("Search attribute {0} is reserved by system.")]
    Reserved(String),
    /// A type that does not exist.
    #[error("Unknown search attribute type: {0}.")]
    UnknownType(i32),
}

/// Checks one attribute to be defined, and gives its type back.
pub fn check_definition(
    name: &str,
    kind: i32,
) -> Result<SearchAttributeType, SearchAttributeError> {
    if is_reserved(name) {
        return Err(SearchAttributeError::Reserved(name.to_owned()));
    }
    SearchAttributeType::from_wire(kind).ok_or(SearchAttributeError::UnknownType(kind))
}

/// Checks the attributes that a client or a worker sets, in the reference's order: all names
/// first, then count, then each value, then sizes. `custom` gives the type of a user's attribute.
pub fn validate(
    attributes: &SearchAttributes,
    namespace: &str,
    custom: &dyn Fn(&str) -> Option<SearchAttributeType>,
    limits: Limits,
) -> Result<(), SearchAttributeError> {
    let fields = &attributes.indexed_fields;
    if let Some(name) = fields
        .keys()
        .find(|name| system(name).is_none() && custom(name).is_none())
    {
        return Err(SearchAttributeError::Unknown {
            namespace: namespace.to_owned(),
            name: name.clone(),
        });
    }
    if fields.len() > limits.key_count_max {
        return Err(SearchAttributeError::TooMany {
            count: fields.len(),
            limit: limits.key_count_max,
        });
    }
    for (name, payload) in fields {
        validate_value(name, payload, custom)?;
    }
    validate_sizes(attributes, limits)
}

fn validate_value(
    name: &str,
    payload: &Payload,
    custom: &dyn Fn(&str) -> Option<SearchAttributeType>,
) -> Result<(), SearchAttributeError> {
    let kind = match system(name) {
        Some((kind, Origin::Shared)) => Some(kind),
        Some(_) => return Err(SearchAttributeError::NotSettable(name.to_owned())),
        None => custom(name),
    };
    let Some(kind) = kind else { return Ok(()) };
    match decode(payload, kind) {
        Ok(_) => Ok(()),
        Err(undecodable) => Err(SearchAttributeError::WrongType {
            name: name.to_owned(),
            kind,
            value: undecodable.0,
        }),
    }
}

fn validate_sizes(
    attributes: &SearchAttributes,
    limits: Limits,
) -> Result<(), SearchAttributeError> {
    for (name, payload) in &attributes.indexed_fields {
        if payload.data.len() > limits.value_bytes_max {
            return Err(SearchAttributeError::ValueTooLarge {
                name: name.clone(),
                size: payload.data.len(),
                limit: limits.value_bytes_max,
            });
        }
    }
    let size = attributes.encoded_len();
    if size > limits.total_bytes_max {
        return Err(SearchAttributeError::TotalTooLarge {
            size,
            limit: limits.total_bytes_max,
        });
    }
    Ok(())
}

/// Valid attributes as a start event keeps them: each value as it came, with its type in the
/// metadata; those that say "none" are left out.
pub fn normalise(
    attributes: &SearchAttributes,
    custom: &dyn Fn(&str) -> Option<SearchAttributeType>,
) -> SearchAttributes {
    let mut typed = with_types(attributes, custom);
    typed
        .indexed_fields
        .retain(|_, payload| !value::is_none(payload));
    typed
}

/// Valid attributes as an upsert event keeps them: as [`normalise`], but with the "none"s, which
/// say what to delete.
pub fn with_types(
    attributes: &SearchAttributes,
    custom: &dyn Fn(&str) -> Option<SearchAttributeType>,
) -> SearchAttributes {
    let mut typed = attributes.clone();
    for (name, payload) in &mut typed.indexed_fields {
        let kind = system(name).map(|(kind, _)| kind).or_else(|| custom(name));
        if let Some(kind) = kind {
            payload
                .metadata
                .insert(value::TYPE.to_owned(), kind.name().as_bytes().into());
        }
    }
    typed
}

/// Lays an upsert over the current attributes: values replace values, "none" (`null` or an empty
/// list) deletes.
pub fn upsert(current: &mut BTreeMap<String, Payload>, changes: &SearchAttributes) {
    for (name, payload) in &changes.indexed_fields {
        if value::is_none(payload) {
            current.remove(name);
        } else {
            current.insert(name.clone(), payload.clone());
        }
    }
}
