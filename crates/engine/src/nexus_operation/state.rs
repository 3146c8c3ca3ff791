//! The state of a standalone Nexus operation: a fold of its journal.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::{Link, Payload};
use proto::temporal::api::enums::v1::NexusOperationExecutionStatus as Status;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::workflowservice::v1::StartNexusOperationExecutionRequest;
use uuid::Uuid;

use super::record::{Attached, Request};
use crate::nexus::operation::NexusOperation;
use crate::time::Timestamp;

/// The state of one standalone operation.
#[derive(Clone, Debug)]
pub struct State {
    /// Its id.
    pub operation_id: Arc<str>,
    /// This run of it.
    pub run_id: Uuid,
    /// Its namespace.
    pub namespace_id: Uuid,
    /// The operation itself, as a workflow would have it.
    pub operation: NexusOperation,
    /// Everything else that is durable.
    pub core: Core,
}

/// Everything durable besides the operation itself. Times are nanoseconds since the epoch, 0 where there is none.
#[derive(Clone, PartialEq, Message)]
pub struct Core {
    /// The request that started it, normalised, without what the operation says.
    #[prost(message, optional, tag = "1")]
    pub start: Option<Box<StartNexusOperationExecutionRequest>>,
    /// The namespace's name.
    #[prost(string, tag = "2")]
    pub namespace: String,
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub namespace_id: Bytes,
    /// Records in the journal.
    #[prost(uint64, tag = "4")]
    pub seq: u64,
    /// Bytes of them.
    #[prost(int64, tag = "5")]
    pub size: i64,
    /// A `NexusOperationExecutionStatus`.
    #[prost(int32, tag = "6")]
    pub status: i32,
    /// Who asked it to stop.
    #[prost(message, optional, tag = "7")]
    pub cancel: Option<Request>,
    /// When.
    #[prost(sfixed64, tag = "8")]
    pub cancel_time: i64,
    /// The request that terminated it.
    #[prost(string, tag = "9")]
    pub terminate_request_id: String,
    /// Its result.
    #[prost(message, optional, tag = "10")]
    pub result: Option<Payload>,
    /// Why it has none, unless that is the failure of its last attempt.
    #[prost(message, optional, tag = "11")]
    pub failure: Option<Failure>,
    /// When it closed.
    #[prost(sfixed64, tag = "12")]
    pub close_time: i64,
    /// Which attempt to start it was the last, once it is closed.
    #[prost(int32, tag = "13")]
    pub attempts: i32,
    /// What it has to do with, as its handler says.
    #[prost(message, repeated, tag = "14")]
    pub links: Vec<Link>,
    /// What later starts attached.
    #[prost(message, repeated, tag = "15")]
    pub attached: Vec<Attached>,
    /// It is to be deleted as soon as it is closed.
    #[prost(bool, tag = "16")]
    pub deleting: bool,
}

impl State {
    /// How it stands.
    pub fn status(&self) -> Status {
        Status::try_from(self.core.status).unwrap_or_default()
    }

    /// Whether it can still change.
    pub fn is_open(&self) -> bool {
        self.status() == Status::Running
    }

    /// The handler has started it, or it is over.
    pub fn is_started(&self) -> bool {
        self.operation.started.is_some() || !self.is_open()
    }

    /// The request that started it.
    pub(crate) fn start(&self) -> &StartNexusOperationExecutionRequest {
        static NONE: std::sync::LazyLock<StartNexusOperationExecutionRequest> =
            std::sync::LazyLock::new(StartNexusOperationExecutionRequest::default);
        self.core.start.as_deref().unwrap_or(&NONE)
    }

    /// A request is with the handler.
    pub fn is_under_way(&self) -> bool {
        self.is_open() && self.operation.is_under_way()
    }

    /// Which attempt to start it this is, or was the last.
    pub(crate) fn attempt(&self, now: Timestamp) -> i32 {
        if !self.is_open() {
            return self.core.attempts;
        }
        let start = &self.operation.start;
        // Between two attempts it is the one before; a start counts as an end of its attempt.
        if self.operation.started.is_some() || (start.attempt > 0 && start.due > now) {
            start.attempt
        } else {
            start.attempt + 1
        }
    }

    /// When it must be looked at next; `None` when only the outside can move it.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if !self.is_open() {
            return None;
        }
        self.operation.next_deadline()
    }

    /// When a server that starts afresh must load it: at once while a request is under way, which a restart forgets.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.is_under_way() {
            return Some(Timestamp::MIN);
        }
        self.next_deadline()
    }

    /// When it closed, if it did.
    pub fn close_time(&self) -> Option<Timestamp> {
        (!self.is_open()).then_some(Timestamp(self.core.close_time))
    }

    /// Equality of everything durable: what a fold of the journal must reproduce.
    pub fn same_durable(&self, other: &Self) -> bool {
        self.operation_id == other.operation_id
            && self.run_id == other.run_id
            && self.namespace_id == other.namespace_id
            && self.operation == other.operation
            && self.core == other.core
    }
}
