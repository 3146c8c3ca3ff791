//! A child workflow, from the parent's side.

use std::sync::Arc;

use proto::temporal::api::history::v1::StartChildWorkflowExecutionInitiatedEventAttributes;
use proto::temporal::api::sdk::v1::UserMetadata;
use uuid::Uuid;

use crate::ids::EventId;
use crate::time::Timestamp;

/// A child that was asked for and has not closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// The attributes of START_CHILD_WORKFLOW_EXECUTION_INITIATED.
    pub initiated: Arc<StartChildWorkflowExecutionInitiatedEventAttributes>,
    /// What the event says besides: the child's start has it, too.
    pub user_metadata: Option<Arc<UserMetadata>>,
    /// The request id of its start: fixed by the initiated event, so that a repeat is recognised.
    pub request_id: Arc<str>,
    /// Its first run and the id of CHILD_WORKFLOW_EXECUTION_STARTED (0 while that is buffered), once it runs.
    pub started: Option<(Uuid, EventId)>,
    /// Its close waits in the buffer.
    pub closing: bool,
}

impl super::table::Entry for Child {
    fn due(&self) -> Option<Timestamp> {
        None
    }
    fn ready(&self) -> bool {
        false
    }
}
