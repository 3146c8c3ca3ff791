//! What goes into the store and what comes out of it.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::filter::AttributeType;

/// Which execution: one run of one id of one kind in one namespace. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExecutionKey {
    /// Where on the ring of slots the workflow id lies; a stored property of the execution,
    /// computed by the caller.
    pub slot: u16,
    /// The namespace's id.
    pub namespace: Uuid,
    /// What kind of execution; a number that the store only compares. Ids of different kinds do not
    /// collide. 0 is a workflow.
    pub kind: u8,
    /// The workflow id; for other kinds, the id that takes its place.
    pub workflow_id: Arc<str>,
    /// The run id, unique over all namespaces. Version 7 UUIDs keep neighbours in time on shared
    /// pages.
    pub run_id: Uuid,
}

/// Writes that become durable together or not at all, in the name of one shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The shard that writes.
    pub shard: u32,
    /// Its epoch, as `open_epoch` gave it.
    pub epoch: u64,
    /// The writes, applied in this order.
    pub writes: Vec<Write>,
}

/// One write of one execution inside a batch.
///
/// An execution begins with record 1 and a row in the same write. All other parts need it to be
/// there.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The execution.
    pub key: ExecutionKey,
    /// The next record of its journal.
    pub record: Option<NewRecord>,
    /// A snapshot; takes the place of an older one.
    pub snapshot: Option<Snapshot>,
    /// The index row, whole; takes the place of the one before.
    pub row: Option<Row>,
    /// `Some(Some(t))`: load me no later than `t` (ns since the epoch); `Some(None)`: no need to;
    /// `None`: leave it. Apart from the row because it changes more often. Only the earliest reason
    /// counts: a deadline, a ready task or an undelivered message (0), the end of retention.
    pub wake_at: Option<Option<i64>>,
    /// Delete the execution whole: every row that it ever caused. The other parts must be empty.
    pub delete: bool,
}

impl Write {
    /// A write that changes nothing yet.
    #[must_use]
    pub fn new(key: ExecutionKey) -> Self {
        Self {
            key,
            record: None,
            snapshot: None,
            row: None,
            wake_at: None,
            delete: false,
        }
    }
}

/// A record to append. Sequence numbers are dense from 1 in each run; a record is never rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Its number.
    pub seq: u64,
    /// Its content, opaque to the store.
    pub bytes: Bytes,
}

/// A cache of the fold of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last record that is folded in.
    pub seq: u64,
    /// Its content, opaque to the store.
    pub bytes: Bytes,
}

/// The index row of an execution: what lists show and filters see. Times are in ns since the epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whether this is the current run of its workflow id. Writing a row with the mark takes it
    /// from the run that had it, in the same transaction.
    pub current: bool,
    /// The number of the API's workflow execution status.
    pub status: i32,
    /// The workflow type.
    pub workflow_type: Arc<str>,
    /// The task queue.
    pub task_queue: Arc<str>,
    /// When the run was started.
    pub start_time: i64,
    /// When its first workflow task was due: later than the start for a delayed start or a cron.
    pub execution_time: i64,
    /// When it closed; `None` while it is open.
    pub close_time: Option<i64>,
    /// Events in its history.
    pub history_length: i64,
    /// Bytes of its history.
    pub history_size: i64,
    /// Transitions so far.
    pub state_transition_count: i64,
    /// Workflow id and run id of the parent.
    pub parent: Option<(Arc<str>, Uuid)>,
    /// Workflow id and run id of the root; itself if it has no parent.
    pub root: (Arc<str>, Uuid),
    /// Opaque, given back.
    pub memo: Bytes,
    /// The search attributes as the API gives them back; opaque.
    pub search_attributes: Bytes,
    /// Search attributes for filters, orders and groups: a name occurs once. They are only written:
    /// the rows that the store gives back have none.
    pub attributes: Vec<(Arc<str>, AttributeValue)>,
    /// The namespace division. Rows with one are hidden unless the filter names
    /// [`crate::Column::Division`].
    pub division: Option<Arc<str>>,
}

/// The value of a search attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A string that is compared as a whole.
    Keyword(String),
    /// A string that is searched by its words.
    Text(String),
    /// An integer.
    Int(i64),
    /// A number; NaN counts as missing.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// ns since the epoch.
    Datetime(i64),
    /// A set of keywords; an empty one counts as missing.
    KeywordList(Vec<String>),
}

impl AttributeValue {
    /// The type of this value.
    #[must_use]
    pub fn attribute_type(&self) -> AttributeType {
        match self {
            Self::Keyword(_) => AttributeType::Keyword,
            Self::Text(_) => AttributeType::Text,
            Self::Int(_) => AttributeType::Int,
            Self::Double(_) => AttributeType::Double,
            Self::Bool(_) => AttributeType::Bool,
            Self::Datetime(_) => AttributeType::Datetime,
            Self::KeywordList(_) => AttributeType::KeywordList,
        }
    }
}

/// An execution as it is loaded into memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Its key.
    pub key: ExecutionKey,
    /// Its snapshot, if one was ever written.
    pub snapshot: Option<Snapshot>,
    /// The records after the snapshot, in order.
    pub records: Vec<(u64, Bytes)>,
    /// Its row (without attributes).
    pub row: Row,
    /// When it wants to be loaded, in ns since the epoch.
    pub wake_at: Option<i64>,
}

/// Which records of a run to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRange {
    /// The first sequence number.
    pub from: u64,
    /// The last sequence number (inclusive).
    pub to: u64,
    /// At most so many records.
    pub count_max: usize,
    /// Stop before the record that would make the sum of sizes exceed this.
    pub bytes_max: usize,
    /// From `to` downwards.
    pub reverse: bool,
}

/// Behind which wake to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WakeCursor {
    /// The time of the last wake seen.
    pub wake_at: i64,
    /// Its run.
    pub run_id: Uuid,
}

/// An execution that wants to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// Which one.
    pub key: ExecutionKey,
    /// When, in ns since the epoch.
    pub wake_at: i64,
}

impl Wake {
    /// The cursor behind this wake.
    #[must_use]
    pub fn cursor(&self) -> WakeCursor {
        WakeCursor {
            wake_at: self.wake_at,
            run_id: self.key.run_id,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The executions (rows without attributes).
    pub rows: Vec<(ExecutionKey, Row)>,
    /// Where to go on; `None` when there was nothing more.
    pub next: Option<Vec<u8>>,
}

/// What a self-check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Check {
    /// Executions.
    pub executions: u64,
    /// Records in all journals.
    pub records: u64,
    /// Rows of any table that belong to no execution. Must be 0.
    pub orphans: u64,
    /// Executions whose journal is not dense from 1, or whose snapshot is ahead of it. Must be 0.
    pub gaps: u64,
    /// Ids with more than one current run of a kind. Must be 0.
    pub doubles: u64,
}

/// Counters since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Transactions that became durable.
    pub transactions: u64,
    /// Batches in them.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Batches that were refused, for whatever reason.
    pub refused: u64,
    /// Transactions that failed.
    pub failed: u64,
    /// Batches that wait for their transaction.
    pub queued: u64,
}
