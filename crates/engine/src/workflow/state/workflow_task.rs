//! The one workflow task of a run: scheduled, then started by a worker.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::EventId;
use crate::time::Timestamp;

/// A scheduled or started workflow task.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingWorkflowTask {
    /// Its scheduled event; for a transient task the id that event will get.
    pub scheduled_event_id: EventId,
    /// From 1. Above 1 the task is transient: its events are not in history (behaviour, section 4.5).
    pub attempt: i32,
    /// When it was scheduled.
    pub scheduled_time: Timestamp,
    /// When the first of a chain of heartbeats was scheduled.
    pub original_scheduled_time: Timestamp,
    /// Start-to-close.
    pub timeout: Duration,
    /// The sticky queue it was offered on, with the instant at which it falls back to the normal queue.
    /// In memory only: after a restart the task is offered afresh.
    pub sticky_offered: Option<(Arc<str>, Timestamp)>,
    /// With a worker. In memory only (DESIGN section 2): it becomes history with its completion.
    pub started: Option<TaskStarted>,
}

/// A workflow task's start.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskStarted {
    /// The id that its started event will get.
    pub event_id: EventId,
    /// When.
    pub time: Timestamp,
    /// The worker.
    pub identity: Arc<str>,
    /// The claim.
    pub request_id: Arc<str>,
    /// Bytes of history at that moment, as the started event tells.
    pub history_size: i64,
    /// The server advises continue-as-new, for these reasons (as on the wire).
    pub suggest: Arc<[i32]>,
}

/// The worker that has a run cached.
#[derive(Clone, Debug, PartialEq)]
pub struct Sticky {
    /// Its own queue.
    pub queue: Arc<str>,
    /// How long a task waits there before it goes to the normal queue.
    pub timeout: Duration,
}

impl PendingWorkflowTask {
    /// Whether the task's events are not in history.
    pub fn is_transient(&self) -> bool {
        self.attempt > 1
    }

    /// When it times out: start-to-close once started, schedule-to-start on a sticky queue.
    pub fn due(&self) -> Option<Timestamp> {
        match &self.started {
            Some(started) => Some(started.time.after(self.timeout)),
            None => self.sticky_offered.as_ref().map(|(_, at)| *at),
        }
    }
}
