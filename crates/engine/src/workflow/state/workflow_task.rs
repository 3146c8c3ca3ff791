//! The one workflow task of a run: scheduled, then started by a worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use proto::temporal::api::command::v1::Command;
use proto::temporal::api::common::v1::WorkerVersionStamp;

use super::versioning::Transition;
use crate::ids::EventId;
use crate::time::Timestamp;

/// How long a speculative task waits for a worker of the normal queue before it becomes a stored one
/// (behaviour, section 3.4).
const SPECULATIVE_SCHEDULE_TO_START: Duration = Duration::from_secs(5);

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
    /// It exists for updates alone and only in memory: it becomes history when something must be stored,
    /// and leaves no trace when it brings nothing (behaviour, section 7.2).
    pub speculative: bool,
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
    /// The build of a worker that has no version.
    pub build: Option<Arc<WorkerVersionStamp>>,
    /// The run moves to its worker's version by this task.
    pub transition: Option<Arc<Transition>>,
    /// A pinned run's queue has another version by now.
    pub target_version_changed: bool,
    /// What has come of its completion, if that comes in pages.
    pub pages: Option<Box<CompletionPages>>,
}

/// The first pages of a completion, until the last one comes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompletionPages {
    /// By number, from 0.
    pub commands: BTreeMap<i32, Vec<Command>>,
    /// The Nexus endpoints that these commands name and that there are.
    pub nexus_endpoints: BTreeMap<String, String>,
    /// Bytes of the commands.
    size: usize,
}

impl CompletionPages {
    /// Keeps a page; one that is kept already stays. `false` when all of them are larger than `max` then; 0 is no
    /// limit.
    pub fn keep(
        &mut self,
        number: i32,
        commands: Vec<Command>,
        nexus_endpoints: BTreeMap<String, String>,
        max: usize,
    ) -> bool {
        if self.commands.contains_key(&number) {
            return true;
        }
        let size: usize = commands.iter().map(Message::encoded_len).sum();
        if max > 0 && self.size + size > max {
            return false;
        }
        self.size += size;
        self.commands.insert(number, commands);
        self.nexus_endpoints.extend(nexus_endpoints);
        true
    }
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
    /// Whether it follows one that failed, so that its events are not in history.
    pub fn is_transient(&self) -> bool {
        self.attempt > 1
    }

    /// Whether the task's scheduled event is not in history.
    pub fn is_unwritten(&self) -> bool {
        self.is_transient() || self.speculative
    }

    /// When it times out: start-to-close once started, schedule-to-start on a sticky queue or when it is
    /// speculative.
    pub fn due(&self) -> Option<Timestamp> {
        match &self.started {
            Some(started) => Some(started.time.after(self.timeout)),
            None => match &self.sticky_offered {
                Some((_, at)) => Some(*at),
                None => self
                    .speculative
                    .then(|| self.scheduled_time.after(SPECULATIVE_SCHEDULE_TO_START)),
            },
        }
    }
}
