//! What one step of a schedule writes to the journal. The format is protobuf, so that a newer server reads
//! what an older one wrote.

use bytes::Bytes;
use prost::{Message, Oneof};
use proto::temporal::api::common::v1::{Memo, Payloads, SearchAttributes};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::schedule::v1::Schedule;

/// One step's entry in the journal.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    /// What changed, in order.
    #[prost(message, repeated, tag = "1")]
    pub changes: Vec<Change>,
    /// When the step was taken, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "2")]
    pub time: i64,
}

impl Record {
    /// The record as the journal keeps it.
    pub fn encode(&self) -> Bytes {
        self.encode_to_vec().into()
    }
}

/// A change.
#[derive(Clone, PartialEq, Message)]
pub struct Change {
    /// What changed.
    #[prost(
        oneof = "ChangeKind",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18"
    )]
    pub kind: Option<ChangeKind>,
}

/// What changed.
#[derive(Clone, PartialEq, Oneof)]
pub enum ChangeKind {
    /// First in every journal.
    #[prost(message, tag = "1")]
    Created(Box<Created>),
    /// A client replaced the schedule.
    #[prost(message, tag = "2")]
    Updated(Box<Updated>),
    /// Paused or not, and why.
    #[prost(message, tag = "3")]
    Paused(Paused),
    /// A client's request was taken; one that comes again is recognised by its id.
    #[prost(string, tag = "4")]
    RequestTaken(String),
    /// All times up to here have been looked at.
    #[prost(sfixed64, tag = "5")]
    ProcessedTo(i64),
    /// So many times were due longer ago than the catch-up window.
    #[prost(uint64, tag = "6")]
    Missed(u64),
    /// So many starts, or a backfill, found the buffer full.
    #[prost(uint64, tag = "7")]
    Overrun(u64),
    /// A start waits for its turn.
    #[prost(message, tag = "8")]
    Buffered(Start),
    /// A waiting start, by number, is passed over, because another action runs.
    #[prost(uint64, tag = "9")]
    Skipped(u64),
    /// A waiting start, by number, is given up: paused meanwhile, out of actions, or nothing to start.
    #[prost(uint64, tag = "10")]
    Dropped(u64),
    /// A workflow is asked for.
    #[prost(message, tag = "11")]
    Asked(Asked),
    /// A workflow runs.
    #[prost(message, tag = "12")]
    Started(Started),
    /// A start was refused.
    #[prost(message, tag = "13")]
    Refused(Refused),
    /// A running action, by number, is asked to end.
    #[prost(message, tag = "14")]
    Stopped(Stopped),
    /// The message of this number was answered.
    #[prost(uint64, tag = "15")]
    Acknowledged(u64),
    /// An action's chain has closed.
    #[prost(message, tag = "16")]
    Closed(Box<Closed>),
    /// A backfill was asked for, or has come so far: it replaces the one of its number.
    #[prost(message, tag = "17")]
    Backfill(Backfill),
    /// The schedule is over: deleted, or idle for long.
    #[prost(bool, tag = "18")]
    Ended(bool),
}

/// See [`ChangeKind::Created`].
#[derive(Clone, PartialEq, Message)]
pub struct Created {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub namespace_id: Bytes,
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub run_id: Bytes,
    /// The request that created it.
    #[prost(string, tag = "3")]
    pub request_id: String,
    /// The namespace's name.
    #[prost(string, tag = "4")]
    pub namespace: String,
    /// Its spec is canonical.
    #[prost(message, optional, tag = "5")]
    pub schedule: Option<Schedule>,
    /// As given.
    #[prost(message, optional, tag = "6")]
    pub memo: Option<Memo>,
    /// As given, with their types.
    #[prost(message, optional, tag = "7")]
    pub search_attributes: Option<SearchAttributes>,
    /// The client's own id for the schedule.
    #[prost(string, tag = "8")]
    pub schedule_id: String,
}

/// See [`ChangeKind::Updated`].
#[derive(Clone, PartialEq, Message)]
pub struct Updated {
    /// Its spec is canonical.
    #[prost(message, optional, tag = "1")]
    pub schedule: Option<Schedule>,
    /// Replaces them all, if it is there.
    #[prost(message, optional, tag = "2")]
    pub search_attributes: Option<SearchAttributes>,
}

/// See [`ChangeKind::Paused`].
#[derive(Clone, PartialEq, Message)]
pub struct Paused {
    /// Paused.
    #[prost(bool, tag = "1")]
    pub paused: bool,
    /// For people to read.
    #[prost(string, tag = "2")]
    pub notes: String,
}

/// A start that waits, or whose answer does.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Start {
    /// The schedule's own number for it.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The time that the spec names.
    #[prost(sfixed64, tag = "2")]
    pub nominal_time: i64,
    /// The same, moved by jitter.
    #[prost(sfixed64, tag = "3")]
    pub actual_time: i64,
    /// As on the wire; unspecified is the schedule's own, whatever that is when its turn comes.
    #[prost(int32, tag = "4")]
    pub overlap_policy: i32,
    /// Triggered or part of a backfill.
    #[prost(bool, tag = "5")]
    pub manual: bool,
}

/// See [`ChangeKind::Asked`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Asked {
    /// The start.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// It runs beside others, and they beside it.
    #[prost(bool, tag = "2")]
    pub allow_all: bool,
    /// It takes one of the remaining actions.
    #[prost(bool, tag = "3")]
    pub counts: bool,
}

/// See [`ChangeKind::Started`].
#[derive(Clone, PartialEq, Message)]
pub struct Started {
    /// The start.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The first run of the chain.
    #[prost(string, tag = "2")]
    pub run_id: String,
    /// The id that the workflow got.
    #[prost(string, tag = "3")]
    pub workflow_id: String,
}

/// See [`ChangeKind::Refused`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Refused {
    /// The start.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The workflow id is taken, so that the action overlaps another.
    #[prost(bool, tag = "2")]
    pub overlaps: bool,
}

/// See [`ChangeKind::Stopped`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Stopped {
    /// The action.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// Terminated, not just cancelled.
    #[prost(bool, tag = "2")]
    pub terminate: bool,
}

/// See [`ChangeKind::Closed`].
#[derive(Clone, PartialEq, Message)]
pub struct Closed {
    /// The action.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// As on the wire.
    #[prost(int32, tag = "2")]
    pub status: i32,
    /// What it completed with, for the next action to see.
    #[prost(message, optional, tag = "3")]
    pub result: Option<Payloads>,
    /// What it failed with, for the next action to see.
    #[prost(message, optional, tag = "4")]
    pub failure: Option<Failure>,
}

/// See [`ChangeKind::Backfill`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Backfill {
    /// The schedule's own number for it.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// Times after this one, nanoseconds since the epoch...
    #[prost(sfixed64, tag = "2")]
    pub after: i64,
    /// ...up to this one. Before `after` when there is nothing left.
    #[prost(sfixed64, tag = "3")]
    pub until: i64,
    /// As on the wire.
    #[prost(int32, tag = "4")]
    pub overlap_policy: i32,
}
