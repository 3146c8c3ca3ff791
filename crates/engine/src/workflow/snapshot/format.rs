//! The bytes of a snapshot. What follows from something else (indexes, what is only in memory) is left
//! out; event 1 brings everything that it and the run's creation say.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::{Memo, Priority, SearchAttributes, WorkerVersionStamp};
use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    HistoryEvent,
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes as CancelInitiated,
    SignalExternalWorkflowExecutionInitiatedEventAttributes as SignalInitiated,
};
use proto::temporal::api::workflow::v1::ResetPointInfo;

use uuid::Uuid;

use super::nexus::{CallbackEntry, NexusOperationEntry};
use super::pending::{
    ActivityEntry, ChildEntry, OutboxMessage, PauseFields, WorkflowTaskFields, span,
};
use super::time_skipping::TimeSkippingFields;
use super::versioning::VersioningFields;
use crate::time::Timestamp;
use crate::workflow::record::{Created, Sticky};
use crate::workflow::state::external::{ExternalCancel, ExternalSignal};
use crate::workflow::state::timer::UserTimer;
use crate::workflow::state::update::{CompletedUpdate, PendingUpdate};
use crate::workflow::state::{
    Core, FirstTask, Problem, RequestIdSeen, ScheduledActivity, State, workflow_task,
};

/// A whole state.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Snapshot {
    #[prost(message, optional, tag = "1")]
    created: Option<Created>,
    #[prost(message, optional, tag = "2")]
    first_event: Option<HistoryEvent>,
    #[prost(message, optional, tag = "3")]
    core: Option<CoreFields>,
    #[prost(message, repeated, tag = "4")]
    activities: Vec<ActivityEntry>,
    #[prost(message, repeated, tag = "5")]
    timers: Vec<TimerEntry>,
    #[prost(message, repeated, tag = "6")]
    children: Vec<ChildEntry>,
    #[prost(message, repeated, tag = "7")]
    external_signals: Vec<SignalEntry>,
    #[prost(message, repeated, tag = "8")]
    external_cancels: Vec<CancelEntry>,
    #[prost(message, repeated, tag = "9")]
    outbox: Vec<OutboxMessage>,
    #[prost(message, repeated, tag = "10")]
    request_ids: Vec<RequestIdEntry>,
    #[prost(message, repeated, tag = "40")]
    updates: Vec<UpdateEntry>,
    #[prost(message, repeated, tag = "60")]
    nexus_operations: Vec<NexusOperationEntry>,
    #[prost(message, repeated, tag = "61")]
    callbacks: Vec<CallbackEntry>,
}

/// [`Core`], without what event 1 says. Times are nanoseconds since the epoch.
#[derive(Clone, PartialEq, Message)]
struct CoreFields {
    #[prost(int32, tag = "1")]
    status: i32,
    #[prost(message, optional, tag = "2")]
    close: Option<HistoryEvent>,
    #[prost(int64, tag = "3")]
    next_event_id: i64,
    #[prost(int64, tag = "4")]
    history_size: i64,
    #[prost(uint64, tag = "5")]
    seq: u64,
    #[prost(message, optional, tag = "6")]
    workflow_task: Option<WorkflowTaskFields>,
    #[prost(message, optional, tag = "7")]
    workflow_task_problem: Option<ProblemFields>,
    #[prost(int32, tag = "8")]
    workflow_task_attempt: i32,
    #[prost(int64, tag = "9")]
    previous_started_event_id: i64,
    #[prost(int64, tag = "10")]
    last_completed_event_id: i64,
    #[prost(message, optional, tag = "11")]
    sticky: Option<Sticky>,
    #[prost(message, optional, tag = "12")]
    memo: Option<Memo>,
    #[prost(message, optional, tag = "13")]
    search_attributes: Option<SearchAttributes>,
    #[prost(bool, tag = "14")]
    cancel_requested: bool,
    #[prost(int64, tag = "15")]
    signal_count: i64,
    #[prost(message, repeated, tag = "16")]
    buffered: Vec<HistoryEvent>,
    #[prost(uint64, tag = "17")]
    buffered_size: u64,
    #[prost(sfixed64, optional, tag = "18")]
    first_task_delayed: Option<i64>,
    #[prost(bool, tag = "19")]
    first_task_awaits_parent: bool,
    #[prost(sfixed64, optional, tag = "20")]
    run_deadline: Option<i64>,
    #[prost(sfixed64, optional, tag = "21")]
    execution_deadline: Option<i64>,
    #[prost(uint64, tag = "22")]
    outbox_seq: u64,
    #[prost(message, optional, tag = "23")]
    worker_version: Option<WorkerVersionStamp>,
    #[prost(message, repeated, tag = "24")]
    reset_points: Vec<ResetPointInfo>,
    #[prost(sfixed64, tag = "25")]
    parent_asked_at: i64,
    #[prost(message, optional, tag = "40")]
    pause: Option<PauseFields>,
    #[prost(uint32, tag = "41")]
    buffered_pauses: u32,
    /// 16 bytes, or none.
    #[prost(bytes = "bytes", tag = "44")]
    reset_run_id: Bytes,
    #[prost(bool, tag = "45")]
    ended_by_reset: bool,
    #[prost(bool, tag = "46")]
    deleting: bool,
    #[prost(message, optional, tag = "42")]
    priority: Option<Priority>,
    #[prost(message, optional, tag = "50")]
    versioning: Option<VersioningFields>,
    #[prost(string, repeated, tag = "52")]
    builds: Vec<String>,
    #[prost(message, optional, tag = "51")]
    time_skipping: Option<TimeSkippingFields>,
}

#[derive(Clone, PartialEq, Message)]
struct ProblemFields {
    #[prost(bool, tag = "1")]
    timed_out: bool,
    #[prost(string, tag = "2")]
    cause: String,
}

#[derive(Clone, PartialEq, Message)]
struct TimerEntry {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int64, tag = "2")]
    started_event_id: i64,
    #[prost(sfixed64, optional, tag = "3")]
    fires_at: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct SignalEntry {
    #[prost(int64, tag = "1")]
    initiated_event_id: i64,
    #[prost(message, optional, tag = "2")]
    initiated: Option<SignalInitiated>,
    #[prost(string, tag = "3")]
    request_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct CancelEntry {
    #[prost(int64, tag = "1")]
    initiated_event_id: i64,
    #[prost(message, optional, tag = "2")]
    initiated: Option<CancelInitiated>,
}

#[derive(Clone, PartialEq, Message)]
struct RequestIdEntry {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int32, tag = "2")]
    event_type: i32,
    #[prost(int64, tag = "3")]
    event_id: i64,
    #[prost(bool, tag = "4")]
    signaled: bool,
    #[prost(bool, tag = "5")]
    attached: bool,
}

/// An update; the event of its last stage.
#[derive(Clone, PartialEq, Message)]
struct UpdateEntry {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int64, tag = "2")]
    admitted_event_id: i64,
    #[prost(int64, tag = "3")]
    accepted_event_id: i64,
    #[prost(int64, tag = "4")]
    completed_event_id: i64,
}

impl UpdateEntry {
    fn pending((id, update): (&Arc<str>, &PendingUpdate)) -> Self {
        let mut entry = Self {
            id: id.to_string(),
            ..Self::default()
        };
        match update {
            PendingUpdate::Admitted(at) => entry.admitted_event_id = *at,
            PendingUpdate::Accepted(at) => entry.accepted_event_id = *at,
        }
        entry
    }

    fn completed((id, update): (&Arc<str>, &CompletedUpdate)) -> Self {
        Self {
            id: id.to_string(),
            completed_event_id: update.0,
            ..Self::default()
        }
    }

    fn put_into(self, state: &mut State) {
        let id: Arc<str> = self.id.into();
        if self.completed_event_id > 0 {
            let update = CompletedUpdate(self.completed_event_id);
            state.completed_updates.insert(id, update);
        } else if self.accepted_event_id > 0 {
            let update = PendingUpdate::Accepted(self.accepted_event_id);
            state.updates.insert(id, update);
        } else {
            let update = PendingUpdate::Admitted(self.admitted_event_id);
            state.updates.insert(id.clone(), update);
            state.expect_admitted(id);
        }
    }
}

impl Snapshot {
    /// What is durable of a state.
    pub(super) fn of(state: &State) -> Self {
        let start = &state.core.start;
        Self {
            created: Some(Created {
                namespace_id: Bytes::copy_from_slice(state.namespace_id.as_bytes()),
                run_id: Bytes::copy_from_slice(state.run_id.as_bytes()),
                request_id: start.request_id.to_string(),
                awaits_parent: false,
                namespace: start.namespace.to_string(),
                taken_messages: Vec::new(),
                reset: start.reset.clone(),
                watcher: start.watcher.clone(),
            }),
            first_event: Some(HistoryEvent {
                event_time: Some(start.original_time.to_proto()),
                user_metadata: start.user_metadata.clone(),
                attributes: Some(Attributes::WorkflowExecutionStartedEventAttributes(
                    start.attributes.clone(),
                )),
                ..HistoryEvent::default()
            }),
            core: Some(CoreFields::of(&state.core)),
            activities: state.activities.iter().map(ActivityEntry::of).collect(),
            timers: state
                .timers
                .iter()
                .map(|(id, timer)| TimerEntry {
                    id: id.to_string(),
                    started_event_id: timer.started_event_id,
                    fires_at: timer.fires_at.map(|at| at.0),
                })
                .collect(),
            children: state.children.iter().map(ChildEntry::of).collect(),
            external_signals: state
                .external_signals
                .iter()
                .map(|(id, signal)| SignalEntry {
                    initiated_event_id: *id,
                    initiated: Some(SignalInitiated::clone(&signal.initiated)),
                    request_id: signal.request_id.to_string(),
                })
                .collect(),
            external_cancels: state
                .external_cancels
                .iter()
                .map(|(id, cancel)| CancelEntry {
                    initiated_event_id: *id,
                    initiated: Some(CancelInitiated::clone(&cancel.initiated)),
                })
                .collect(),
            outbox: state.outbox.iter().map(OutboxMessage::of).collect(),
            nexus_operations: state
                .nexus_operations
                .iter()
                .map(NexusOperationEntry::of)
                .collect(),
            callbacks: state.callbacks.iter().map(CallbackEntry::of).collect(),
            request_ids: state
                .request_ids
                .iter()
                .map(|(id, seen)| RequestIdEntry {
                    id: id.to_string(),
                    event_type: seen.event_type,
                    event_id: seen.event_id,
                    signaled: seen.signaled,
                    attached: seen.attached,
                })
                .collect(),
            updates: state
                .updates
                .iter()
                .map(UpdateEntry::pending)
                .chain(state.completed_updates.iter().map(UpdateEntry::completed))
                .collect(),
        }
    }

    /// The state; `None` when something is missing.
    pub(super) fn into_state(self, workflow_id: Arc<str>) -> Option<State> {
        let mut state = State::create(workflow_id, &self.created?, &self.first_event?);
        self.core?.put_into(&mut state.core)?;
        for entry in self.activities {
            let (id, activity) = entry.into_activity()?;
            state.core.paused_activities += usize::from(activity.pause.is_some());
            let name = activity.scheduled.activity_id.as_str().into();
            state.activity_ids.insert(name, ScheduledActivity(id));
            state.activities.insert(id, activity);
        }
        for entry in self.timers {
            let timer = UserTimer {
                started_event_id: entry.started_event_id,
                fires_at: entry.fires_at.map(Timestamp),
            };
            state.timers.insert(entry.id.into(), timer);
        }
        for entry in self.children {
            let (id, child) = entry.into_child()?;
            state.children.insert(id, child);
        }
        for entry in self.external_signals {
            let signal = ExternalSignal {
                initiated: Arc::new(entry.initiated?),
                request_id: entry.request_id.into(),
            };
            state
                .external_signals
                .insert(entry.initiated_event_id, signal);
        }
        for entry in self.external_cancels {
            let cancel = ExternalCancel {
                initiated: Arc::new(entry.initiated?),
            };
            state
                .external_cancels
                .insert(entry.initiated_event_id, cancel);
        }
        for entry in self.nexus_operations {
            let (id, operation) = entry.into_operation()?;
            state.nexus_operations.insert(id, operation);
        }
        for entry in self.callbacks {
            let (index, callback) = entry.into_callback()?;
            state.callbacks.insert(index, callback);
        }
        for message in self.outbox {
            let (seq, entry) = message.into_entry()?;
            state.outbox.insert(seq, entry);
        }
        for entry in self.request_ids {
            let seen = RequestIdSeen {
                event_type: entry.event_type,
                event_id: entry.event_id,
                signaled: entry.signaled,
                attached: entry.attached,
            };
            state.request_ids.insert(entry.id.into(), seen);
        }
        for entry in self.updates {
            entry.put_into(&mut state);
        }
        state.keep();
        Some(state)
    }
}

impl CoreFields {
    fn of(core: &Core) -> Self {
        Self {
            status: core.status as i32,
            close: core.close.as_deref().cloned(),
            next_event_id: core.next_event_id,
            history_size: core.history_size,
            seq: core.seq,
            workflow_task: core
                .workflow_task
                .as_ref()
                .filter(|task| !task.speculative)
                .map(WorkflowTaskFields::of),
            workflow_task_problem: core.workflow_task_problem.as_ref().map(|p| ProblemFields {
                timed_out: p.category == Problem::TIMED_OUT,
                cause: p.cause.clone(),
            }),
            workflow_task_attempt: core.workflow_task_attempt,
            previous_started_event_id: core.previous_started_event_id,
            last_completed_event_id: core.last_completed_event_id,
            sticky: core.sticky.as_ref().map(|sticky| Sticky {
                queue: sticky.queue.to_string(),
                timeout: span::to_nanos(sticky.timeout),
            }),
            memo: Some(Memo::clone(&core.memo)),
            search_attributes: Some(SearchAttributes::clone(&core.search_attributes)),
            cancel_requested: core.cancel_requested,
            signal_count: core.signal_count,
            buffered: core.buffered.to_vec(),
            buffered_size: core.buffered_size as u64,
            first_task_delayed: match core.first_task {
                FirstTask::Delayed(at) => Some(at.0),
                FirstTask::Scheduled | FirstTask::AwaitsParent => None,
            },
            first_task_awaits_parent: core.first_task == FirstTask::AwaitsParent,
            run_deadline: core.run_deadline.map(|at| at.0),
            execution_deadline: core.execution_deadline.map(|at| at.0),
            outbox_seq: core.outbox_seq,
            worker_version: core.worker_version.as_deref().cloned(),
            builds: core.builds.as_deref().cloned().unwrap_or_default(),
            reset_points: core.reset_points.to_vec(),
            versioning: core.versioning.as_deref().map(VersioningFields::of),
            time_skipping: core.time_skipping.as_deref().map(TimeSkippingFields::of),
            parent_asked_at: core.parent_asked_at.0,
            pause: core.pause.as_deref().map(PauseFields::of),
            buffered_pauses: core.buffered_pauses,
            reset_run_id: core
                .reset_run_id
                .map_or(Bytes::new(), |id| Bytes::copy_from_slice(id.as_bytes())),
            ended_by_reset: core.ended_by_reset,
            deleting: core.deleting,
            priority: core.priority.as_deref().cloned(),
        }
    }

    fn put_into(self, core: &mut Core) -> Option<()> {
        core.status = WorkflowExecutionStatus::try_from(self.status).ok()?;
        core.close = self.close.map(Arc::new);
        core.next_event_id = self.next_event_id;
        core.history_size = self.history_size;
        core.seq = self.seq;
        core.workflow_task = self.workflow_task.map(WorkflowTaskFields::into_task);
        core.workflow_task_problem = self.workflow_task_problem.map(|p| Problem {
            category: if p.timed_out {
                Problem::TIMED_OUT
            } else {
                Problem::FAILED
            },
            cause: p.cause,
        });
        core.workflow_task_attempt = self.workflow_task_attempt;
        core.previous_started_event_id = self.previous_started_event_id;
        core.last_completed_event_id = self.last_completed_event_id;
        core.sticky = self.sticky.map(|sticky| {
            Arc::new(workflow_task::Sticky {
                queue: sticky.queue.into(),
                timeout: span::from_nanos(sticky.timeout),
            })
        });
        core.memo = Arc::new(self.memo.unwrap_or_default());
        core.search_attributes = Arc::new(self.search_attributes.unwrap_or_default());
        core.cancel_requested = self.cancel_requested;
        core.signal_count = self.signal_count;
        core.buffered = Arc::new(self.buffered);
        core.buffered_size = usize::try_from(self.buffered_size).ok()?;
        core.first_task = match (self.first_task_delayed, self.first_task_awaits_parent) {
            (Some(at), _) => FirstTask::Delayed(Timestamp(at)),
            (None, true) => FirstTask::AwaitsParent,
            (None, false) => FirstTask::Scheduled,
        };
        core.run_deadline = self.run_deadline.map(Timestamp);
        core.execution_deadline = self.execution_deadline.map(Timestamp);
        core.outbox_seq = self.outbox_seq;
        core.worker_version = self.worker_version.map(Arc::new);
        core.builds = (!self.builds.is_empty()).then(|| Arc::new(self.builds));
        core.reset_points = Arc::new(self.reset_points);
        core.versioning = self
            .versioning
            .map(|fields| Arc::new(fields.into_versioning()));
        core.time_skipping = self
            .time_skipping
            .map(|fields| Arc::new(fields.into_time_skipping()));
        core.parent_asked_at = Timestamp(self.parent_asked_at);
        core.pause = self.pause.map(|pause| Arc::new(pause.into_pause()));
        core.buffered_pauses = self.buffered_pauses;
        core.reset_run_id = Uuid::from_slice(&self.reset_run_id).ok();
        core.ended_by_reset = self.ended_by_reset;
        core.deleting = self.deleting;
        core.priority = self.priority.map(Arc::new);
        Some(())
    }
}
