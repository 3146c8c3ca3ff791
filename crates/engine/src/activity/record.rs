//! What one step writes to the journal. The format is protobuf, so that a newer server reads what an older one
//! wrote: fields and variants are only ever added.

use bytes::Bytes;
use prost::{Message, Oneof};
use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::{Callback, Link, Payloads};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::workflowservice::v1::StartActivityExecutionRequest;

use crate::workflow::record::CallbackAttempted;

/// One step's entry in the journal.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    /// What changed, in order.
    #[prost(message, repeated, tag = "1")]
    pub changes: Vec<Change>,
    /// When the step was taken, nanoseconds since the epoch: the time of all its changes.
    #[prost(sfixed64, tag = "2")]
    pub time: i64,
}

impl Record {
    /// The record as the journal keeps it.
    pub fn encode(&self) -> Bytes {
        self.encode_to_vec().into()
    }
}

/// One change.
#[derive(Clone, PartialEq, Message)]
pub struct Change {
    /// What changed.
    #[prost(
        oneof = "ChangeKind",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13"
    )]
    pub kind: Option<ChangeKind>,
}

/// What changed.
#[derive(Clone, PartialEq, Oneof)]
pub enum ChangeKind {
    /// First in every journal.
    #[prost(message, tag = "1")]
    Created(Box<Created>),
    /// An attempt was handed to a worker.
    #[prost(message, tag = "2")]
    Started(Started),
    /// A heartbeat.
    #[prost(message, tag = "3")]
    Heartbeat(Heartbeat),
    /// An attempt ended and another may follow.
    #[prost(message, tag = "4")]
    AttemptEnded(Box<AttemptEnded>),
    /// It is over.
    #[prost(message, tag = "5")]
    Closed(Box<Closed>),
    /// Somebody asked it to stop.
    #[prost(message, tag = "6")]
    CancelRequested(Request),
    /// Somebody paused it.
    #[prost(message, tag = "7")]
    Paused(Request),
    /// Somebody ended a pause.
    #[prost(message, tag = "8")]
    Unpaused(Unpaused),
    /// Somebody wants it to begin again.
    #[prost(message, tag = "9")]
    Reset(Reset),
    /// Its options changed.
    #[prost(message, tag = "10")]
    OptionsUpdated(Box<OptionsUpdated>),
    /// A start that found it running attached something.
    #[prost(message, tag = "11")]
    Attached(Attached),
    /// It is to be deleted as soon as it is closed.
    #[prost(bool, tag = "12")]
    Deleting(bool),
    /// Somebody was told how it ended, or could not be.
    #[prost(message, tag = "13")]
    CallbackAttempted(Box<CallbackAttempted>),
}

/// See [`ChangeKind::Created`].
#[derive(Clone, PartialEq, Message)]
pub struct Created {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub namespace_id: Bytes,
    /// The namespace's name.
    #[prost(string, tag = "2")]
    pub namespace: String,
    /// The request, normalised, without what is said elsewhere.
    #[prost(message, optional, tag = "3")]
    pub request: Option<StartActivityExecutionRequest>,
}

/// See [`ChangeKind::Started`].
#[derive(Clone, PartialEq, Message)]
pub struct Started {
    /// The worker.
    #[prost(string, tag = "1")]
    pub identity: String,
    /// The claim.
    #[prost(string, tag = "2")]
    pub request_id: String,
    /// The name of the worker's SDK, as it says.
    #[prost(string, tag = "3")]
    pub sdk_name: String,
    /// Its version.
    #[prost(string, tag = "4")]
    pub sdk_version: String,
}

/// See [`ChangeKind::Heartbeat`].
#[derive(Clone, PartialEq, Message)]
pub struct Heartbeat {
    /// Progress.
    #[prost(message, optional, tag = "1")]
    pub details: Option<Payloads>,
}

/// See [`ChangeKind::AttemptEnded`].
#[derive(Clone, PartialEq, Message)]
pub struct AttemptEnded {
    /// How it ended.
    #[prost(message, optional, tag = "1")]
    pub failure: Option<Failure>,
    /// The wait before the next one, in nanoseconds.
    #[prost(int64, tag = "2")]
    pub interval: i64,
    /// The worker chose the wait, not the policy.
    #[prost(bool, tag = "3")]
    pub interval_of_worker: bool,
    /// When the next one becomes ready, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "4")]
    pub dispatch_time: i64,
}

/// See [`ChangeKind::Closed`].
#[derive(Clone, PartialEq, Message)]
pub struct Closed {
    /// An `ActivityExecutionStatus`.
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// What it was for.
    #[prost(message, optional, tag = "2")]
    pub result: Option<Payloads>,
    /// Why there is no result.
    #[prost(message, optional, tag = "3")]
    pub failure: Option<Failure>,
    /// A `RetryState`.
    #[prost(int32, tag = "4")]
    pub retry_state: i32,
    /// The worker, if one reported this.
    #[prost(string, tag = "5")]
    pub identity: String,
    /// The failure is that of its last attempt.
    #[prost(bool, tag = "6")]
    pub of_attempt: bool,
    /// The request that ended it.
    #[prost(string, tag = "7")]
    pub request_id: String,
}

/// A request and who made it.
#[derive(Clone, PartialEq, Message)]
pub struct Request {
    /// Who asked.
    #[prost(string, tag = "1")]
    pub identity: String,
    /// Recognises the caller's retries.
    #[prost(string, tag = "2")]
    pub request_id: String,
    /// Free text.
    #[prost(string, tag = "3")]
    pub reason: String,
}

/// See [`ChangeKind::Unpaused`].
#[derive(Clone, PartialEq, Message)]
pub struct Unpaused {
    /// Recognises the caller's retries.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// When a waiting attempt becomes ready.
    #[prost(sfixed64, tag = "2")]
    pub dispatch_time: i64,
}

/// See [`ChangeKind::Reset`].
#[derive(Clone, PartialEq, Message)]
pub struct Reset {
    /// Recognises the caller's retries.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// When the first attempt becomes ready.
    #[prost(sfixed64, tag = "2")]
    pub dispatch_time: i64,
    /// Progress is forgotten.
    #[prost(bool, tag = "3")]
    pub clears_heartbeat: bool,
    /// The options become those of the start.
    #[prost(bool, tag = "4")]
    pub restores_options: bool,
    /// A paused one stays paused.
    #[prost(bool, tag = "5")]
    pub keeps_paused: bool,
}

/// See [`ChangeKind::OptionsUpdated`].
#[derive(Clone, PartialEq, Message)]
pub struct OptionsUpdated {
    /// Recognises the caller's retries.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// All of them, the unchanged ones too.
    #[prost(message, optional, tag = "2")]
    pub options: Option<ActivityOptions>,
    /// The wait before a retry that is pending, in nanoseconds.
    #[prost(int64, tag = "3")]
    pub interval: i64,
    /// When a waiting attempt becomes ready.
    #[prost(sfixed64, tag = "4")]
    pub dispatch_time: i64,
}

/// See [`ChangeKind::Attached`].
#[derive(Clone, PartialEq, Message)]
pub struct Attached {
    /// The start's request.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Its links.
    #[prost(message, repeated, tag = "2")]
    pub links: Vec<Link>,
    /// Its callbacks.
    #[prost(message, repeated, tag = "3")]
    pub callbacks: Vec<Callback>,
}
