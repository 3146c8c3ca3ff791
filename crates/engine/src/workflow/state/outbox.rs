//! Messages to other executions that have not been answered. What a message says is derived from the
//! pending thing that it belongs to; only who is to get what is kept here.

use std::sync::Arc;

use uuid::Uuid;

use crate::ids::EventId;
use crate::time::Timestamp;

/// A message not yet answered.
#[derive(Clone, Debug, PartialEq)]
pub enum OutboxEntry {
    /// Start the child of this initiated event.
    StartChild(EventId),
    /// Tell the child that its start is recorded.
    ParentReady {
        /// The initiated event.
        initiated_event_id: EventId,
        /// The child.
        workflow_id: Arc<str>,
        /// Its first run.
        run_id: Uuid,
    },
    /// Deliver the signal of this initiated event.
    Signal(EventId),
    /// Deliver the cancel request of this initiated event.
    RequestCancel(EventId),
    /// This run closed: the child of this initiated event shares its fate, by its policy.
    ParentClosed(EventId),
    /// This run closed and ends its chain: tell the parent.
    ChildClosed,
    /// This run closed and ends its chain: tell the schedule that started it.
    ActionClosed,
    /// This run waits for its parent: ask whether it is still wanted.
    ChildAwaits,
    /// This run closed and ends its chain: tell the operation that this callback is for.
    Callback(u64),
}

impl super::table::Entry for OutboxEntry {
    fn due(&self) -> Option<Timestamp> {
        None
    }
    fn ready(&self) -> bool {
        true
    }
}
