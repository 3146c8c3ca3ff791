//! A user timer.

use crate::ids::EventId;
use crate::time::Timestamp;

/// A started timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserTimer {
    /// Its TIMER_STARTED event.
    pub started_event_id: EventId,
    /// When it fires. `None` once its TIMER_FIRED waits in the buffer.
    pub fires_at: Option<Timestamp>,
}

impl super::table::Entry for UserTimer {
    fn due(&self) -> Option<Timestamp> {
        self.fires_at
    }
    fn ready(&self) -> bool {
        false
    }
}
