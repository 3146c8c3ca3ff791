//! Pending things in a snapshot: one message each.

use std::sync::Arc;

use bytes::Bytes;
use prost::{Message, Oneof};
use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::{
    ActivityTaskScheduledEventAttributes, StartChildWorkflowExecutionInitiatedEventAttributes,
};
use proto::temporal::api::sdk::v1::UserMetadata;
use uuid::Uuid;

use crate::time::Timestamp;
use crate::workflow::state::activity::{Activity, AttemptStarted, Pause, Timeouts};
use crate::workflow::state::child::Child;
use crate::workflow::state::outbox::OutboxEntry;
use crate::workflow::state::workflow_task::PendingWorkflowTask;

/// Spans of time as nanoseconds.
pub(super) mod span {
    use std::time::Duration;

    /// Saturates at 292 years.
    pub(in crate::workflow::snapshot) fn to_nanos(span: Duration) -> i64 {
        i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
    }

    /// Nothing here is negative.
    pub(in crate::workflow::snapshot) fn from_nanos(nanos: i64) -> Duration {
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

/// The workflow task; that it is started is known in memory only.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WorkflowTaskFields {
    #[prost(int64, tag = "1")]
    scheduled_event_id: i64,
    #[prost(int32, tag = "2")]
    attempt: i32,
    #[prost(sfixed64, tag = "3")]
    scheduled_time: i64,
    #[prost(sfixed64, tag = "4")]
    original_scheduled_time: i64,
    #[prost(int64, tag = "5")]
    timeout: i64,
}

impl WorkflowTaskFields {
    pub(super) fn of(task: &PendingWorkflowTask) -> Self {
        Self {
            scheduled_event_id: task.scheduled_event_id,
            attempt: task.attempt,
            scheduled_time: task.scheduled_time.0,
            original_scheduled_time: task.original_scheduled_time.0,
            timeout: span::to_nanos(task.timeout),
        }
    }

    pub(super) fn into_task(self) -> PendingWorkflowTask {
        PendingWorkflowTask {
            scheduled_event_id: self.scheduled_event_id,
            attempt: self.attempt,
            scheduled_time: Timestamp(self.scheduled_time),
            original_scheduled_time: Timestamp(self.original_scheduled_time),
            timeout: span::from_nanos(self.timeout),
            sticky_offered: None,
            started: None,
            speculative: false,
        }
    }
}

/// See [`Activity`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct ActivityEntry {
    #[prost(int64, tag = "1")]
    scheduled_event_id: i64,
    #[prost(message, optional, tag = "2")]
    scheduled: Option<ActivityTaskScheduledEventAttributes>,
    #[prost(sfixed64, tag = "3")]
    first_scheduled_time: i64,
    #[prost(message, optional, tag = "4")]
    timeouts: Option<TimeoutFields>,
    #[prost(int32, tag = "5")]
    attempt: i32,
    #[prost(sfixed64, tag = "6")]
    scheduled_time: i64,
    #[prost(message, optional, tag = "7")]
    started: Option<StartedFields>,
    #[prost(sfixed64, optional, tag = "8")]
    heartbeat_time: Option<i64>,
    #[prost(message, optional, tag = "9")]
    heartbeat_details: Option<Payloads>,
    #[prost(message, optional, tag = "10")]
    last_failure: Option<Failure>,
    #[prost(string, tag = "11")]
    last_identity: String,
    #[prost(sfixed64, optional, tag = "12")]
    last_ended_time: Option<i64>,
    #[prost(int64, tag = "14")]
    cancel_requested_event_id: i64,
    #[prost(bool, tag = "15")]
    closing: bool,
    #[prost(message, optional, tag = "16")]
    pause: Option<PauseFields>,
    #[prost(bool, tag = "17")]
    held: bool,
    #[prost(bool, tag = "18")]
    reset: bool,
    #[prost(bool, tag = "19")]
    reset_heartbeat: bool,
    #[prost(int32, tag = "20")]
    stamp: i32,
    #[prost(message, optional, tag = "21")]
    original_options: Option<ActivityOptions>,
}

/// See [`Pause`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct PauseFields {
    #[prost(sfixed64, tag = "1")]
    time: i64,
    #[prost(string, tag = "2")]
    identity: String,
    #[prost(string, tag = "3")]
    reason: String,
    #[prost(string, tag = "4")]
    request_id: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct TimeoutFields {
    #[prost(int64, tag = "1")]
    schedule_to_close: i64,
    #[prost(int64, tag = "2")]
    schedule_to_start: i64,
    #[prost(int64, tag = "3")]
    start_to_close: i64,
    #[prost(int64, tag = "4")]
    heartbeat: i64,
}

#[derive(Clone, PartialEq, Message)]
struct StartedFields {
    #[prost(sfixed64, tag = "1")]
    time: i64,
    #[prost(string, tag = "2")]
    identity: String,
    #[prost(string, tag = "3")]
    request_id: String,
}

impl PauseFields {
    pub(super) fn of(pause: &Pause) -> Self {
        Self {
            time: pause.time.0,
            identity: pause.identity.to_string(),
            reason: pause.reason.to_string(),
            request_id: pause.request_id.to_string(),
        }
    }

    pub(super) fn into_pause(self) -> Pause {
        Pause {
            time: Timestamp(self.time),
            identity: self.identity.into(),
            reason: self.reason.into(),
            request_id: self.request_id.into(),
        }
    }
}

impl ActivityEntry {
    pub(super) fn of((id, activity): (&i64, &Activity)) -> Self {
        Self {
            scheduled_event_id: *id,
            scheduled: Some(ActivityTaskScheduledEventAttributes::clone(
                &activity.scheduled,
            )),
            first_scheduled_time: activity.first_scheduled_time.0,
            timeouts: Some(TimeoutFields {
                schedule_to_close: span::to_nanos(activity.timeouts.schedule_to_close),
                schedule_to_start: span::to_nanos(activity.timeouts.schedule_to_start),
                start_to_close: span::to_nanos(activity.timeouts.start_to_close),
                heartbeat: span::to_nanos(activity.timeouts.heartbeat),
            }),
            attempt: activity.attempt,
            scheduled_time: activity.scheduled_time.0,
            started: activity.started.as_ref().map(|started| StartedFields {
                time: started.time.0,
                identity: started.identity.to_string(),
                request_id: started.request_id.to_string(),
            }),
            heartbeat_time: activity.heartbeat_time.map(|at| at.0),
            heartbeat_details: activity.heartbeat_details.as_deref().cloned(),
            last_failure: activity.last_failure.as_deref().cloned(),
            last_identity: activity.last_identity.to_string(),
            last_ended_time: activity.last_ended_time.map(|at| at.0),
            cancel_requested_event_id: activity.cancel_requested_event_id,
            closing: activity.closing,
            pause: activity.pause.as_deref().map(PauseFields::of),
            held: activity.held,
            reset: activity.reset,
            reset_heartbeat: activity.reset_heartbeat,
            stamp: activity.stamp,
            original_options: activity.original_options.as_deref().cloned(),
        }
    }

    pub(super) fn into_activity(self) -> Option<(i64, Activity)> {
        let timeouts = self.timeouts?;
        let activity = Activity {
            scheduled: Arc::new(self.scheduled?),
            first_scheduled_time: Timestamp(self.first_scheduled_time),
            timeouts: Timeouts {
                schedule_to_close: span::from_nanos(timeouts.schedule_to_close),
                schedule_to_start: span::from_nanos(timeouts.schedule_to_start),
                start_to_close: span::from_nanos(timeouts.start_to_close),
                heartbeat: span::from_nanos(timeouts.heartbeat),
            },
            attempt: self.attempt,
            scheduled_time: Timestamp(self.scheduled_time),
            started: self.started.map(|started| AttemptStarted {
                time: Timestamp(started.time),
                identity: started.identity.into(),
                request_id: started.request_id.into(),
            }),
            heartbeat_time: self.heartbeat_time.map(Timestamp),
            heartbeat_details: self.heartbeat_details.map(Arc::new),
            last_failure: self.last_failure.map(Arc::new),
            last_identity: self.last_identity.into(),
            last_ended_time: self.last_ended_time.map(Timestamp),
            cancel_requested_event_id: self.cancel_requested_event_id,
            closing: self.closing,
            pause: self.pause.map(|pause| Arc::new(pause.into_pause())),
            held: self.held,
            reset: self.reset,
            reset_heartbeat: self.reset_heartbeat,
            stamp: self.stamp,
            original_options: self.original_options.map(Arc::new),
            offered: false,
        };
        Some((self.scheduled_event_id, activity))
    }
}

/// See [`Child`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct ChildEntry {
    #[prost(int64, tag = "1")]
    initiated_event_id: i64,
    #[prost(message, optional, tag = "2")]
    initiated: Option<StartChildWorkflowExecutionInitiatedEventAttributes>,
    #[prost(string, tag = "3")]
    request_id: String,
    /// 16 bytes once it is started, else none.
    #[prost(bytes = "bytes", tag = "4")]
    run_id: Bytes,
    #[prost(int64, tag = "5")]
    started_event_id: i64,
    #[prost(bool, tag = "6")]
    closing: bool,
    #[prost(message, optional, tag = "7")]
    user_metadata: Option<UserMetadata>,
}

impl ChildEntry {
    pub(super) fn of((id, child): (&i64, &Child)) -> Self {
        Self {
            initiated_event_id: *id,
            initiated: Some(StartChildWorkflowExecutionInitiatedEventAttributes::clone(
                &child.initiated,
            )),
            request_id: child.request_id.to_string(),
            run_id: child
                .started
                .map_or(Bytes::new(), |(run_id, _)| wire_id(run_id)),
            started_event_id: child.started.map_or(0, |(_, event_id)| event_id),
            closing: child.closing,
            user_metadata: child.user_metadata.as_deref().cloned(),
        }
    }

    pub(super) fn into_child(self) -> Option<(i64, Child)> {
        let started = match self.run_id.len() {
            0 => None,
            _ => Some((Uuid::from_slice(&self.run_id).ok()?, self.started_event_id)),
        };
        let child = Child {
            initiated: Arc::new(self.initiated?),
            request_id: self.request_id.into(),
            user_metadata: self.user_metadata.map(Arc::new),
            started,
            closing: self.closing,
        };
        Some((self.initiated_event_id, child))
    }
}

/// A message and its number.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OutboxMessage {
    #[prost(uint64, tag = "1")]
    seq: u64,
    #[prost(oneof = "OutboxKind", tags = "2, 3, 4, 5, 6, 7, 8, 9, 60")]
    kind: Option<OutboxKind>,
}

/// See [`OutboxEntry`]; numbers are initiated events.
#[derive(Clone, PartialEq, Oneof)]
enum OutboxKind {
    #[prost(int64, tag = "2")]
    StartChild(i64),
    #[prost(message, tag = "3")]
    ParentReady(ParentReadyFields),
    #[prost(int64, tag = "4")]
    Signal(i64),
    #[prost(int64, tag = "5")]
    RequestCancel(i64),
    #[prost(int64, tag = "6")]
    ParentClosed(i64),
    #[prost(bool, tag = "7")]
    ChildClosed(bool),
    #[prost(bool, tag = "8")]
    ChildAwaits(bool),
    #[prost(bool, tag = "9")]
    ActionClosed(bool),
    #[prost(uint64, tag = "60")]
    Callback(u64),
}

#[derive(Clone, PartialEq, Message)]
struct ParentReadyFields {
    #[prost(int64, tag = "1")]
    initiated_event_id: i64,
    #[prost(string, tag = "2")]
    workflow_id: String,
    #[prost(bytes = "bytes", tag = "3")]
    run_id: Bytes,
}

impl OutboxMessage {
    pub(super) fn of((seq, entry): (&u64, &OutboxEntry)) -> Self {
        let kind = match entry {
            OutboxEntry::StartChild(id) => OutboxKind::StartChild(*id),
            OutboxEntry::ParentReady {
                initiated_event_id,
                workflow_id,
                run_id,
            } => OutboxKind::ParentReady(ParentReadyFields {
                initiated_event_id: *initiated_event_id,
                workflow_id: workflow_id.to_string(),
                run_id: wire_id(*run_id),
            }),
            OutboxEntry::Signal(id) => OutboxKind::Signal(*id),
            OutboxEntry::RequestCancel(id) => OutboxKind::RequestCancel(*id),
            OutboxEntry::ParentClosed(id) => OutboxKind::ParentClosed(*id),
            OutboxEntry::ChildClosed => OutboxKind::ChildClosed(true),
            OutboxEntry::ChildAwaits => OutboxKind::ChildAwaits(true),
            OutboxEntry::ActionClosed => OutboxKind::ActionClosed(true),
            OutboxEntry::Callback(index) => OutboxKind::Callback(*index),
        };
        Self {
            seq: *seq,
            kind: Some(kind),
        }
    }

    pub(super) fn into_entry(self) -> Option<(u64, OutboxEntry)> {
        let entry = match self.kind? {
            OutboxKind::StartChild(id) => OutboxEntry::StartChild(id),
            OutboxKind::ParentReady(fields) => OutboxEntry::ParentReady {
                initiated_event_id: fields.initiated_event_id,
                workflow_id: fields.workflow_id.into(),
                run_id: Uuid::from_slice(&fields.run_id).ok()?,
            },
            OutboxKind::Signal(id) => OutboxEntry::Signal(id),
            OutboxKind::RequestCancel(id) => OutboxEntry::RequestCancel(id),
            OutboxKind::ParentClosed(id) => OutboxEntry::ParentClosed(id),
            OutboxKind::ChildClosed(_) => OutboxEntry::ChildClosed,
            OutboxKind::ChildAwaits(_) => OutboxEntry::ChildAwaits,
            OutboxKind::ActionClosed(_) => OutboxEntry::ActionClosed,
            OutboxKind::Callback(index) => OutboxEntry::Callback(index),
        };
        Some((self.seq, entry))
    }
}

fn wire_id(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}
