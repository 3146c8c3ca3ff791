//! A run's mutable state: a fold of its journal. One file per pending thing; `apply.rs` is the fold.

pub mod activity;
mod apply;
mod apply_change;
mod apply_nexus;
mod apply_operator;
pub mod callback;
pub mod child;
mod create;
pub mod external;
pub mod journal;
pub mod nexus_operation;
pub mod outbox;
pub mod table;
pub mod time_skipping;
pub mod timer;
pub mod update;
pub mod versioning;
pub(crate) mod worker_builds;
pub mod workflow_task;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::common::v1::{Memo, Priority, SearchAttributes};
use proto::temporal::api::enums::v1::{
    TimeoutType, WorkflowExecutionStatus, WorkflowTaskFailedCause,
};
use proto::temporal::api::history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes};
use proto::temporal::api::sdk::v1::UserMetadata;
use uuid::Uuid;

use crate::ids::EventId;
use crate::time::Timestamp;
use crate::workflow::command::camel;
use crate::workflow::input::{Peer, Watcher};
use crate::workflow::record::ResetFrom;
use activity::{Activity, Pause};
use callback::Callback;
use child::Child;
use external::{ExternalCancel, ExternalSignal};
use nexus_operation::NexusOperation;
use outbox::OutboxEntry;
use table::Table;
use time_skipping::TimeSkipping;
use timer::UserTimer;
use update::{AdmittedUpdate, CompletedUpdate, PendingUpdate};
use workflow_task::{PendingWorkflowTask, Sticky};

/// A child that waits for its parent for so long asks it: a start that came late, or twice, may have made
/// a child that nobody wants.
const ASK_PARENT_AFTER: Duration = Duration::from_secs(30);

/// The state of one run.
#[derive(Clone, Debug)]
pub struct State {
    /// The workflow's id.
    pub workflow_id: Arc<str>,
    /// This run.
    pub run_id: Uuid,
    /// Its namespace.
    pub namespace_id: Uuid,
    /// Everything that is small and single.
    pub core: Core,
    /// Pending activities by scheduled event.
    pub activities: Table<EventId, Activity>,
    /// Scheduled event of each pending activity by the workflow's own id for it.
    pub activity_ids: Table<Arc<str>, ScheduledActivity>,
    /// Pending timers by the workflow's own id.
    pub timers: Table<Arc<str>, UserTimer>,
    /// Pending children by initiated event.
    pub children: Table<EventId, Child>,
    /// Pending signals to other workflows by initiated event.
    pub external_signals: Table<EventId, ExternalSignal>,
    /// Pending cancel requests to other workflows by initiated event.
    pub external_cancels: Table<EventId, ExternalCancel>,
    /// Pending Nexus operations by scheduled event.
    pub nexus_operations: Table<EventId, NexusOperation>,
    /// Completion callbacks, in the order in which they came.
    pub callbacks: Table<u64, Callback>,
    /// Messages not yet answered, by number.
    pub outbox: Table<u64, OutboxEntry>,
    /// Request ids taken by this run, with the event that each caused (0 while buffered).
    pub request_ids: Table<Arc<str>, RequestIdSeen>,
    /// Updates that history knows and that have no outcome yet, by the caller's id.
    pub updates: Table<Arc<str>, PendingUpdate>,
    /// Updates that have their outcome, by the caller's id.
    pub completed_updates: Table<Arc<str>, CompletedUpdate>,
    /// What is known in memory only, and may be forgotten in a crash.
    pub volatile: Volatile,
}

/// Where an activity id leads: its scheduled event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledActivity(pub EventId);

impl table::Entry for ScheduledActivity {
    fn due(&self) -> Option<Timestamp> {
        None
    }
    fn ready(&self) -> bool {
        false
    }
}

/// The last event that a request id caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestIdSeen {
    /// Its type, as on the wire.
    pub event_type: i32,
    /// Its id; 0 while it is buffered.
    pub event_id: EventId,
    /// A signal of this id was taken, be it the last one or not: callers may use one id for several requests.
    pub signaled: bool,
    /// A start of this id attached itself to the run.
    pub attached: bool,
}

impl table::Entry for RequestIdSeen {
    fn due(&self) -> Option<Timestamp> {
        None
    }
    fn ready(&self) -> bool {
        false
    }
}

/// The small and single parts. Cloned at the start of each step, so everything large is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Core {
    /// Event 1 and what goes with it.
    pub start: Arc<Start>,
    /// As on the wire.
    pub status: WorkflowExecutionStatus,
    /// The close event, once there is one.
    pub close: Option<Arc<HistoryEvent>>,
    /// The id that the next event gets.
    pub next_event_id: EventId,
    /// Bytes of all events.
    pub history_size: i64,
    /// Records in the journal.
    pub seq: u64,
    /// The workflow task that is scheduled or started.
    pub workflow_task: Option<PendingWorkflowTask>,
    /// What the last workflow task that did not complete suffered from.
    pub workflow_task_problem: Option<Problem>,
    /// Attempt of the next workflow task: above 1 after failures.
    pub workflow_task_attempt: i32,
    /// Started event of the last completed workflow task; 0 before the first.
    pub previous_started_event_id: EventId,
    /// Completed event of the last completed workflow task; 0 before the first.
    pub last_completed_event_id: EventId,
    /// The worker that has this run cached.
    pub sticky: Option<Arc<Sticky>>,
    /// Plain fields.
    pub memo: Arc<Memo>,
    /// Indexed fields.
    pub search_attributes: Arc<SearchAttributes>,
    /// A cancel request was recorded or waits in the buffer.
    pub cancel_requested: bool,
    /// Signals taken, buffered ones included.
    pub signal_count: i64,
    /// Events that wait for the started workflow task to end.
    pub buffered: Arc<Vec<HistoryEvent>>,
    /// Bytes of these.
    pub buffered_size: usize,
    /// Why there is no first workflow task yet.
    pub first_task: FirstTask,
    /// When a child that waits for its parent last heard or asked: at first, its start.
    pub parent_asked_at: Timestamp,
    /// When the run times out, if ever.
    pub run_deadline: Option<Timestamp>,
    /// When the chain times out, if ever.
    pub execution_deadline: Option<Timestamp>,
    /// The next message's number.
    pub outbox_seq: u64,
    /// The worker version of the last completed workflow task, as on the wire.
    pub worker_version: Option<Arc<proto::temporal::api::common::v1::WorkerVersionStamp>>,
    /// The builds that workers said of themselves, the first one first; none while there was but one.
    pub builds: Option<Arc<Vec<String>>>,
    /// The priority of this run's own tasks.
    pub priority: Option<Arc<Priority>>,
    /// The run that a reset has opened in the place of this one.
    pub reset_run_id: Option<Uuid>,
    /// Its close makes room for a reset.
    pub ended_by_reset: bool,
    /// It is to be deleted, once everybody who must know that it closed has been told.
    pub deleting: bool,
    /// Since when, by whom and why the run is paused.
    pub pause: Option<Arc<Pause>>,
    /// Pauses and their ends whose events wait in the buffer: they have taken effect already.
    pub buffered_pauses: u32,
    /// Pending activities that an operator has paused.
    pub paused_activities: usize,
    /// The binary checksums and build ids that completed a first task, with where.
    pub reset_points: Arc<Vec<proto::temporal::api::workflow::v1::ResetPointInfo>>,
    /// The run's version; none for one that never met versioning.
    pub versioning: Option<Arc<versioning::Versioning>>,
    /// How far its own time is ahead; none for a run that never met time skipping.
    pub time_skipping: Option<Arc<TimeSkipping>>,
}

/// Why a workflow task did not complete, as `TemporalReportedProblems` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `WorkflowTaskFailed` or `WorkflowTaskTimedOut`.
    pub category: &'static str,
    /// The category, `Cause`, and the cause's short name.
    pub cause: String,
}

/// Why the first workflow task is not scheduled, if it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstTask {
    /// It was scheduled.
    Scheduled,
    /// It waits for a start delay, a cron time or a retry interval to pass.
    Delayed(Timestamp),
    /// It waits until the parent has recorded this child's start (behaviour, section 4.8).
    AwaitsParent,
}

/// Event 1, and what goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// When the run was created.
    pub time: Timestamp,
    /// The time of event 1: an earlier one, when the run was opened by a reset.
    pub original_time: Timestamp,
    /// Where its first events are from, when it was opened by a reset.
    pub reset: Option<ResetFrom>,
    /// The attributes of event 1.
    pub attributes: WorkflowExecutionStartedEventAttributes,
    /// Of event 1.
    pub user_metadata: Option<UserMetadata>,
    /// The request that started it.
    pub request_id: Arc<str>,
    /// The workflow's type.
    pub workflow_type: Arc<str>,
    /// The run's task queue.
    pub task_queue: Arc<str>,
    /// The default for this run's workflow tasks.
    pub workflow_task_timeout: Duration,
    /// Zero is none.
    pub run_timeout: Duration,
    /// Zero is none.
    pub execution_timeout: Duration,
    /// The namespace's name.
    pub namespace: Arc<str>,
    /// Who is told how the chain ends, if anybody.
    pub watcher: Option<Watcher>,
}

/// Known in memory only.
#[derive(Clone, Debug, Default)]
pub struct Volatile {
    /// A close command failed because of buffered events, and its retry must win: while that retry is
    /// started, signals are refused (behaviour, section 4.4).
    pub close_contended: bool,
    /// Updates that wait to be accepted or rejected, in the order in which they came.
    pub admitted: Vec<AdmittedUpdate>,
}

impl State {
    /// Whether the run can still change.
    pub fn is_open(&self) -> bool {
        matches!(
            self.core.status,
            WorkflowExecutionStatus::Running | WorkflowExecutionStatus::Paused
        )
    }

    /// Whether an operator has paused the run: it takes what comes, and gives nothing to workers.
    pub fn is_paused(&self) -> bool {
        self.core.status == WorkflowExecutionStatus::Paused
    }

    /// The types of its paused activities, each once.
    pub(crate) fn paused_activity_types(&self) -> BTreeSet<&str> {
        let paused = self.activities.iter().filter(|(_, a)| a.pause.is_some());
        paused.map(|(_, activity)| activity.type_name()).collect()
    }

    /// The started workflow task, if one is with a worker.
    pub fn started_workflow_task(
        &self,
    ) -> Option<(&PendingWorkflowTask, &workflow_task::TaskStarted)> {
        let task = self.core.workflow_task.as_ref()?;
        Some((task, task.started.as_ref()?))
    }

    /// When this run must be looked at next: the earliest of all its timers and timeouts (DESIGN
    /// section 2). `None` when only the outside can move it.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let callback = self.callbacks.first_due().map(|(at, _)| at);
        if !self.is_open() {
            return callback.map(|at| self.clock_time(at));
        }
        let core = &self.core;
        let delayed = match core.first_task {
            FirstTask::Delayed(_) if self.is_paused() => None,
            FirstTask::Delayed(at) => Some(at),
            FirstTask::Scheduled => None,
            FirstTask::AwaitsParent => self.ask_parent_at(),
        };
        [
            core.run_deadline,
            core.execution_deadline,
            delayed,
            core.workflow_task
                .as_ref()
                .and_then(PendingWorkflowTask::due),
            self.activities.first_due().map(|(at, _)| at),
            self.timers.first_due().map(|(at, _)| at),
            self.nexus_operations.first_due().map(|(at, _)| at),
            core.time_skipping
                .as_ref()
                .and_then(|own| own.pending_fast_forward()),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|at| self.clock_time(at))
    }

    /// When a child that still waits for its parent asks it; `None` while it has asked. Its outbox holds
    /// nothing else before its first workflow task.
    pub(crate) fn ask_parent_at(&self) -> Option<Timestamp> {
        (self.core.first_task == FirstTask::AwaitsParent && self.outbox.is_empty())
            .then(|| self.core.parent_asked_at.after(ASK_PARENT_AFTER))
    }

    /// When a server that starts afresh must load this run: at once if something waits for a worker or
    /// for delivery, else at the next deadline.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let stored = |task: &PendingWorkflowTask| !task.speculative;
        let task_ready = self.is_open() && self.core.workflow_task.as_ref().is_some_and(stored);
        let activity_ready = self.is_open() && self.activities.any_ready();
        let asked =
            (self.is_open() && self.nexus_operations.any_ready()) || self.callbacks.any_ready();
        if task_ready || activity_ready || asked || self.outbox.any_ready() {
            return Some(Timestamp::MIN);
        }
        self.next_deadline()
    }

    /// How many are at work for this run, or should be: workers, Nexus handlers, who takes its messages.
    pub fn at_work(&self, now: Timestamp) -> usize {
        let now = self.own_time(now);
        let is_waiting = |activity: &Activity| {
            activity.started.is_none()
                && (activity.held || activity.pause.is_some() || activity.scheduled_time > now)
        };
        let with_worker = |task: &PendingWorkflowTask| task.started.is_some() || !self.is_paused();
        let outside =
            usize::from(!self.outbox.is_empty()) + usize::from(self.callbacks.any_ready());
        if !self.is_open() {
            return outside;
        }
        let activities = self.activities.iter();
        outside
            + usize::from(self.core.workflow_task.as_ref().is_some_and(with_worker))
            + usize::from(self.nexus_operations.any_ready())
            + activities
                .filter(|(_, activity)| !activity.closing && !is_waiting(activity))
                .count()
    }

    /// The priority of this run's own tasks.
    pub fn priority(&self) -> Option<&Priority> {
        self.core.priority.as_deref()
    }

    /// The first run of this run's chain.
    pub fn first_execution_run_id(&self) -> &str {
        &self.core.start.attributes.first_execution_run_id
    }

    /// When the run closed, if it did.
    pub fn close_time(&self) -> Option<Timestamp> {
        let event = self.core.close.as_ref()?;
        event.event_time.as_ref().map(Timestamp::from_proto)
    }

    /// When the first workflow task is or was to run: start plus delay.
    pub fn execution_time(&self) -> Timestamp {
        if self.core.start.reset.is_some() {
            return self.core.start.time;
        }
        let backoff = self
            .core
            .start
            .attributes
            .first_workflow_task_backoff
            .as_ref();
        self.core.start.time.after(crate::time::duration(backoff))
    }

    /// The run that recorded an event: this one, or one whose events it has by a reset.
    pub(crate) fn origin_of(&self, event_id: EventId) -> String {
        let reset = self.core.start.reset.as_ref();
        let origins = reset.map_or(&[][..], |reset| &reset.origins);
        let origin = origins.iter().find(|origin| event_id <= origin.up_to);
        origin.map_or_else(|| self.run_id.to_string(), |origin| origin.run_id.clone())
    }

    /// Whether this very request has opened this run: its reset, or the start that it goes back to.
    pub fn was_opened_by(&self, request_id: &str) -> bool {
        let start = &self.core.start;
        let reset = start.reset.as_ref();
        *start.request_id == *request_id
            || reset.is_some_and(|reset| reset.request_id == request_id)
    }

    /// The run that a message to this closed one is for by now: children report to the run in its place.
    pub fn forwards(&self, message: &Peer) -> Option<Uuid> {
        let reports = matches!(message, Peer::ChildClosed(_) | Peer::ChildAwaits { .. });
        (reports && !self.is_open())
            .then_some(self.core.reset_run_id)
            .flatten()
    }

    /// The last event's id that is stored.
    pub fn last_event_id(&self) -> EventId {
        self.core.next_event_id - 1
    }

    /// The successor's run id on the close event, if the chain goes on.
    pub fn successor_run_id(&self) -> Option<&str> {
        use proto::temporal::api::history::v1::history_event::Attributes as A;
        let id = match self.core.close.as_ref()?.attributes.as_ref()? {
            A::WorkflowExecutionCompletedEventAttributes(a) => &a.new_execution_run_id,
            A::WorkflowExecutionFailedEventAttributes(a) => &a.new_execution_run_id,
            A::WorkflowExecutionTimedOutEventAttributes(a) => &a.new_execution_run_id,
            A::WorkflowExecutionContinuedAsNewEventAttributes(a) => &a.new_execution_run_id,
            _ => return None,
        };
        (!id.is_empty()).then_some(id)
    }

    /// Equality of everything durable: what a fold of the journal must reproduce (DESIGN invariant 2).
    pub fn same_durable(&self, other: &Self) -> bool {
        let forget = |state: &Self| {
            let mut core = state.core.clone();
            core.workflow_task.take_if(|task| task.speculative);
            if let Some(task) = &mut core.workflow_task {
                task.started = None;
                task.sticky_offered = None;
            }
            core
        };
        self.workflow_id == other.workflow_id
            && self.run_id == other.run_id
            && self.namespace_id == other.namespace_id
            && forget(self) == forget(other)
            && self.activities == other.activities
            && self.activity_ids == other.activity_ids
            && self.timers == other.timers
            && self.children == other.children
            && self.external_signals == other.external_signals
            && self.external_cancels == other.external_cancels
            && self.nexus_operations == other.nexus_operations
            && self.callbacks == other.callbacks
            && self.outbox == other.outbox
            && self.request_ids == other.request_ids
            && self.updates == other.updates
            && self.completed_updates == other.completed_updates
    }
}

impl Problem {
    pub(crate) const FAILED: &str = "WorkflowTaskFailed";
    pub(crate) const TIMED_OUT: &str = "WorkflowTaskTimedOut";

    /// A failed task, by the wire's cause.
    pub(crate) fn failed(cause: i32) -> Self {
        let cause = WorkflowTaskFailedCause::try_from(cause).unwrap_or_default();
        let name = camel(cause.as_str_name(), "WORKFLOW_TASK_FAILED_CAUSE_");
        Self {
            category: Self::FAILED,
            cause: format!("WorkflowTaskFailedCause{name}"),
        }
    }

    /// A timed-out task, by the wire's timeout type.
    pub(crate) fn timed_out(timeout_type: i32) -> Self {
        let timeout = TimeoutType::try_from(timeout_type).unwrap_or_default();
        let name = camel(timeout.as_str_name(), "TIMEOUT_TYPE_");
        Self {
            category: Self::TIMED_OUT,
            cause: format!("WorkflowTaskTimedOutCause{name}"),
        }
    }
}
