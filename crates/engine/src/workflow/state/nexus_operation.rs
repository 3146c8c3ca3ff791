//! Nexus operations among the pending things of a workflow.

pub use crate::nexus::operation::{Asking, Cancellation, NexusOperation};
use crate::time::Timestamp;

impl super::table::Entry for NexusOperation {
    fn due(&self) -> Option<Timestamp> {
        self.next_deadline()
    }

    fn ready(&self) -> bool {
        self.is_under_way()
    }
}
