//! What one step writes to the journal. The format is protobuf, so that a newer server reads what an older one
//! wrote: fields and variants are only ever added.

use bytes::Bytes;
use prost::{Message, Oneof};
use proto::temporal::api::common::v1::{Link, Payload};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::NexusOperationScheduledEventAttributes;
use proto::temporal::api::workflowservice::v1::StartNexusOperationExecutionRequest;

use crate::workflow::record::NexusAttemptFailed;

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
    #[prost(oneof = "ChangeKind", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    pub kind: Option<ChangeKind>,
}

/// What changed.
#[derive(Clone, PartialEq, Oneof)]
pub enum ChangeKind {
    /// First in every journal.
    #[prost(message, tag = "1")]
    Created(Box<Created>),
    /// A request was not carried out, and will be made again.
    #[prost(message, tag = "2")]
    AttemptFailed(Box<NexusAttemptFailed>),
    /// The handler has started it; the result comes later.
    #[prost(message, tag = "3")]
    Started(Started),
    /// Somebody asked it to stop.
    #[prost(message, tag = "4")]
    CancelRequested(Request),
    /// The handler has taken a cancellation, or has refused it for good.
    #[prost(message, tag = "5")]
    CancelEnded(Box<CancelEnded>),
    /// It is over.
    #[prost(message, tag = "6")]
    Closed(Box<Closed>),
    /// A start that found it running attached something.
    #[prost(message, tag = "7")]
    Attached(Attached),
    /// It is to be deleted as soon as it is closed.
    #[prost(bool, tag = "8")]
    Deleting(bool),
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
    pub request: Option<StartNexusOperationExecutionRequest>,
    /// What is asked of whom: the event that a workflow would have.
    #[prost(message, optional, tag = "4")]
    pub scheduled: Option<NexusOperationScheduledEventAttributes>,
}

/// See [`ChangeKind::Started`].
#[derive(Clone, PartialEq, Message)]
pub struct Started {
    /// The handler's name for it.
    #[prost(string, tag = "1")]
    pub token: String,
    /// What it has to do with.
    #[prost(message, repeated, tag = "2")]
    pub links: Vec<Link>,
    /// When, nanoseconds since the epoch: a result that overtook the answer says it.
    #[prost(sfixed64, tag = "3")]
    pub time: i64,
}

/// A request and who made it.
#[derive(Clone, PartialEq, Eq, Message)]
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

/// See [`ChangeKind::CancelEnded`].
#[derive(Clone, PartialEq, Message)]
pub struct CancelEnded {
    /// Why it was refused, if it was.
    #[prost(message, optional, tag = "1")]
    pub failure: Option<Failure>,
}

/// See [`ChangeKind::Closed`].
#[derive(Clone, PartialEq, Message)]
pub struct Closed {
    /// A `NexusOperationExecutionStatus`.
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// What it was for.
    #[prost(message, optional, tag = "2")]
    pub result: Option<Payload>,
    /// Why there is no result.
    #[prost(message, optional, tag = "3")]
    pub failure: Option<Failure>,
    /// What it has to do with.
    #[prost(message, repeated, tag = "4")]
    pub links: Vec<Link>,
    /// By the answer to a request to start it.
    #[prost(bool, tag = "5")]
    pub of_attempt: bool,
    /// The request that ended it.
    #[prost(string, tag = "6")]
    pub request_id: String,
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
}
