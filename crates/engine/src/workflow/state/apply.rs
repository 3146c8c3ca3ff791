//! The fold: what each event does to the state. It cannot fail and reads no clock. The same code runs
//! when a step records something and when a journal is read back, so the two cannot differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::Payload;
use proto::temporal::api::enums::v1::{
    EventType, ParentClosePolicy, TimeoutType, WorkflowExecutionStatus as Status,
    WorkflowTaskFailedCause as Cause,
};
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::history::v1::{
    ActivityTaskScheduledEventAttributes, ChildWorkflowExecutionStartedEventAttributes,
    HistoryEvent, WorkflowTaskCompletedEventAttributes,
};
use proto::temporal::api::workflow::v1::ResetPointInfo;
use uuid::Uuid;

use super::activity::{Activity, Timeouts};
use super::child::Child;
use super::external::{ExternalCancel, ExternalSignal};
use super::outbox::OutboxEntry;
use super::timer::UserTimer;
use super::workflow_task::PendingWorkflowTask;
use super::{FirstTask, Problem, RequestIdSeen, ScheduledActivity, State};
use crate::time::{Timestamp, duration};

/// At most so many reset points are kept, the oldest go first (behaviour, section 3.3).
const RESET_POINTS_MAX: usize = 20;

impl State {
    /// The step is kept: what it replaced is forgotten.
    pub(crate) fn keep(&mut self) {
        self.activities.keep();
        self.activity_ids.keep();
        self.timers.keep();
        self.children.keep();
        self.external_signals.keep();
        self.external_cancels.keep();
        self.nexus_operations.keep();
        self.callbacks.keep();
        self.outbox.keep();
        self.request_ids.keep();
        self.updates.keep();
        self.completed_updates.keep();
    }

    /// Folds one event.
    pub(crate) fn apply_event(&mut self, event: &HistoryEvent) {
        self.core.next_event_id = event.event_id + 1;
        self.core.history_size += event.encoded_len() as i64;
        let Some(attributes) = &event.attributes else {
            return;
        };
        match attributes {
            A::WorkflowTaskScheduledEventAttributes(a) => {
                let time = event_time(event);
                self.core.first_task = FirstTask::Scheduled;
                self.core.workflow_task_attempt = a.attempt;
                self.core.workflow_task = Some(PendingWorkflowTask {
                    scheduled_event_id: event.event_id,
                    attempt: a.attempt,
                    scheduled_time: time,
                    original_scheduled_time: time,
                    timeout: duration(a.start_to_close_timeout.as_ref()),
                    sticky_offered: None,
                    started: None,
                    speculative: false,
                });
            }
            A::WorkflowTaskCompletedEventAttributes(a) => self.workflow_task_completed(event, a),
            A::WorkflowTaskFailedEventAttributes(a) if is_no_failure(a.cause) => {
                self.core.sticky = None;
                self.workflow_task_dropped();
            }
            A::WorkflowTaskFailedEventAttributes(a) => {
                self.core.workflow_task_problem = Some(Problem::failed(a.cause));
                self.workflow_task_failed(true);
            }
            A::WorkflowTaskTimedOutEventAttributes(a) => {
                self.core.workflow_task_problem = Some(Problem::timed_out(a.timeout_type));
                // A sticky queue's time-out leads to a first attempt on the normal queue.
                self.workflow_task_failed(a.timeout_type != TimeoutType::ScheduleToStart as i32);
            }
            A::ActivityTaskScheduledEventAttributes(a) => self.activity_scheduled(event, a),
            A::ActivityTaskCompletedEventAttributes(a) => {
                self.activity_closed(a.scheduled_event_id)
            }
            A::ActivityTaskFailedEventAttributes(a) => self.activity_closed(a.scheduled_event_id),
            A::ActivityTaskTimedOutEventAttributes(a) => self.activity_closed(a.scheduled_event_id),
            A::ActivityTaskCanceledEventAttributes(a) => self.activity_closed(a.scheduled_event_id),
            A::ActivityTaskCancelRequestedEventAttributes(a) => {
                self.activities.update(&a.scheduled_event_id, |activity| {
                    activity.cancel_requested_event_id = event.event_id;
                });
            }
            A::TimerStartedEventAttributes(a) => {
                let fires_at = event_time(event).after(duration(a.start_to_fire_timeout.as_ref()));
                let timer = UserTimer {
                    started_event_id: event.event_id,
                    fires_at: Some(fires_at),
                };
                self.timers.insert(a.timer_id.as_str().into(), timer);
            }
            A::TimerFiredEventAttributes(a) => {
                self.timers.remove(&a.timer_id.as_str().into());
            }
            A::TimerCanceledEventAttributes(a) => {
                self.timers.remove(&a.timer_id.as_str().into());
            }
            A::WorkflowExecutionSignaledEventAttributes(a) => {
                self.core.signal_count += 1;
                self.note_request_id(&a.request_id, event.event_type, event.event_id);
            }
            A::WorkflowExecutionCancelRequestedEventAttributes(_) => {
                self.core.cancel_requested = true
            }
            A::WorkflowExecutionOptionsUpdatedEventAttributes(a) => {
                self.note_request_id(&a.attached_request_id, event.event_type, event.event_id);
                self.options_updated(a, event_time(event), false);
                self.register_callbacks(
                    &a.attached_completion_callbacks,
                    &a.attached_request_id,
                    event_time(event),
                );
                self.update_options_updated(a, event, event.event_id);
            }
            A::WorkflowExecutionTimeSkippingTransitionedEventAttributes(a) => {
                self.time_skipping_transitioned(a, event_time(event));
            }
            A::WorkflowExecutionPausedEventAttributes(a) => self.pause_recorded(event, a),
            A::WorkflowExecutionUnpausedEventAttributes(_) => self.unpause_recorded(),
            A::UpsertWorkflowSearchAttributesEventAttributes(a) => {
                if let Some(new) = &a.search_attributes {
                    let all = Arc::make_mut(&mut self.core.search_attributes);
                    merge(&mut all.indexed_fields, &new.indexed_fields);
                }
            }
            A::WorkflowPropertiesModifiedEventAttributes(a) => {
                if let Some(new) = &a.upserted_memo {
                    merge(&mut Arc::make_mut(&mut self.core.memo).fields, &new.fields);
                }
            }
            A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
                let child = Child {
                    initiated: Arc::new(a.clone()),
                    user_metadata: event.user_metadata.clone().map(Arc::new),
                    request_id: self.message_id(event.event_id),
                    started: None,
                    closing: false,
                };
                self.children.insert(event.event_id, child);
                self.post(OutboxEntry::StartChild(event.event_id));
            }
            A::ChildWorkflowExecutionStartedEventAttributes(a) => {
                self.child_started(a, event.event_id)
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(a) => {
                self.child_closed(a.initiated_event_id)
            }
            A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
                self.child_closed(a.initiated_event_id)
            }
            A::ChildWorkflowExecutionFailedEventAttributes(a) => {
                self.child_closed(a.initiated_event_id)
            }
            A::ChildWorkflowExecutionCanceledEventAttributes(a) => {
                self.child_closed(a.initiated_event_id)
            }
            A::ChildWorkflowExecutionTimedOutEventAttributes(a) => {
                self.child_closed(a.initiated_event_id)
            }
            A::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
                self.child_closed(a.initiated_event_id)
            }
            A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
                let request_id = self.message_id(event.event_id);
                self.external_signals.insert(
                    event.event_id,
                    ExternalSignal {
                        initiated: Arc::new(a.clone()),
                        request_id,
                    },
                );
                self.post(OutboxEntry::Signal(event.event_id));
            }
            A::ExternalWorkflowExecutionSignaledEventAttributes(a) => {
                self.external_signals.remove(&a.initiated_event_id);
            }
            A::SignalExternalWorkflowExecutionFailedEventAttributes(a) => {
                self.external_signals.remove(&a.initiated_event_id);
            }
            A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
                self.external_cancels.insert(
                    event.event_id,
                    ExternalCancel {
                        initiated: Arc::new(a.clone()),
                    },
                );
                self.post(OutboxEntry::RequestCancel(event.event_id));
            }
            A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
                self.external_cancels.remove(&a.initiated_event_id);
            }
            A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
                self.external_cancels.remove(&a.initiated_event_id);
            }
            A::WorkflowExecutionUpdateAdmittedEventAttributes(a) => self.update_admitted(event, a),
            A::WorkflowExecutionUpdateAcceptedEventAttributes(a) => self.update_accepted(event, a),
            A::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
                self.update_completed(event, a)
            }
            A::WorkflowExecutionCompletedEventAttributes(_) => {
                self.closed(event, Status::Completed)
            }
            A::WorkflowExecutionFailedEventAttributes(_) => self.closed(event, Status::Failed),
            A::WorkflowExecutionTimedOutEventAttributes(_) => self.closed(event, Status::TimedOut),
            A::WorkflowExecutionCanceledEventAttributes(_) => self.closed(event, Status::Canceled),
            A::WorkflowExecutionTerminatedEventAttributes(_) => {
                self.closed(event, Status::Terminated)
            }
            A::WorkflowExecutionContinuedAsNewEventAttributes(_) => {
                self.closed(event, Status::ContinuedAsNew);
            }
            // The rest changes nothing else that is kept: starts of tasks, markers, and kinds not served yet.
            _ => self.apply_nexus_event(event),
        }
    }

    fn workflow_task_completed(
        &mut self,
        event: &HistoryEvent,
        a: &WorkflowTaskCompletedEventAttributes,
    ) {
        self.version_completed(a);
        self.core.workflow_task = None;
        self.core.workflow_task_attempt = 1;
        self.core.workflow_task_problem = None;
        self.core.previous_started_event_id = a.started_event_id;
        self.core.last_completed_event_id = event.event_id;
        self.core.worked_on_by(a.worker_version.as_ref());
        let stamped = a.worker_version.as_ref().map_or("", |v| &v.build_id);
        let build_id = a
            .deployment_version
            .as_ref()
            .map_or(stamped, |v| &v.build_id);
        let known =
            |p: &ResetPointInfo| p.build_id == build_id && p.binary_checksum == a.binary_checksum;
        if self.core.reset_points.iter().any(known) {
            return;
        }
        // What a reset could not take back may not be pending.
        let resettable = self.children.is_empty()
            && self.external_signals.is_empty()
            && self.external_cancels.is_empty();
        let points = Arc::make_mut(&mut self.core.reset_points);
        points.push(ResetPointInfo {
            build_id: build_id.to_owned(),
            binary_checksum: a.binary_checksum.clone(),
            run_id: self.run_id.to_string(),
            first_workflow_task_completed_id: event.event_id,
            create_time: event.event_time,
            expire_time: None,
            resettable,
        });
        if points.len() > RESET_POINTS_MAX {
            points.remove(0);
        }
    }

    /// Stickiness goes with the first failure, and that failure does not count as an attempt: the next
    /// task is an ordinary one on the normal queue (behaviour, section 4.5).
    fn workflow_task_failed(&mut self, counts: bool) {
        let was_sticky = self.core.sticky.take().is_some();
        self.core.workflow_task = None;
        if counts && !was_sticky {
            self.core.workflow_task_attempt += 1;
        } else {
            self.core.workflow_task_attempt = 1;
        }
    }

    fn activity_scheduled(
        &mut self,
        event: &HistoryEvent,
        a: &ActivityTaskScheduledEventAttributes,
    ) {
        let time = event_time(event);
        let activity = Activity {
            timeouts: Timeouts::of(a),
            scheduled: Arc::new(a.clone()),
            first_scheduled_time: time,
            attempt: 1,
            scheduled_time: time,
            started: None,
            heartbeat_time: None,
            heartbeat_details: None,
            last_failure: None,
            last_identity: "".into(),
            last_ended_time: None,
            cancel_requested_event_id: 0,
            closing: false,
            pause: None,
            held: self.is_paused(),
            reset: false,
            reset_heartbeat: false,
            stamp: 0,
            original_options: None,
            offered: false,
        };
        self.activities.insert(event.event_id, activity);
        self.activity_ids.insert(
            a.activity_id.as_str().into(),
            ScheduledActivity(event.event_id),
        );
    }

    fn activity_closed(&mut self, scheduled_event_id: i64) {
        self.pause_ends(scheduled_event_id);
        if let Some(activity) = self.activities.remove(&scheduled_event_id) {
            self.activity_ids
                .remove(&activity.scheduled.activity_id.as_str().into());
        }
    }

    pub(super) fn activity_closing(&mut self, scheduled_event_id: i64) {
        self.activities
            .update(&scheduled_event_id, |activity| activity.closing = true);
    }

    pub(super) fn child_started(
        &mut self,
        a: &ChildWorkflowExecutionStartedEventAttributes,
        event_id: i64,
    ) {
        let run_id = a
            .workflow_execution
            .as_ref()
            .and_then(|e| Uuid::parse_str(&e.run_id).ok())
            .unwrap_or(Uuid::nil());
        let Some(child) = self.children.get(&a.initiated_event_id) else {
            return;
        };
        let known = child.started.is_some();
        self.children.update(&a.initiated_event_id, |child| {
            child.started = Some((run_id, event_id))
        });
        if !known {
            self.parent_ready(a.initiated_event_id, run_id);
        }
    }

    pub(super) fn parent_ready(&mut self, initiated_event_id: i64, run_id: Uuid) {
        let Some(child) = self.children.get(&initiated_event_id) else {
            return;
        };
        let workflow_id = child.initiated.workflow_id.as_str().into();
        self.post(OutboxEntry::ParentReady {
            initiated_event_id,
            workflow_id,
            run_id,
        });
    }

    fn child_closed(&mut self, initiated_event_id: i64) {
        self.children.remove(&initiated_event_id);
    }

    pub(super) fn child_closing(&mut self, initiated_event_id: i64) {
        self.children
            .update(&initiated_event_id, |child| child.closing = true);
    }

    fn closed(&mut self, event: &HistoryEvent, status: Status) {
        self.core.status = status;
        self.core.close = Some(Arc::new(event.clone()));
        self.core.workflow_task = None;
        // A transient task that ends with its run leaves no record of its attempt.
        self.core.workflow_task_attempt = 1;
        self.core.sticky = None;
        self.core.pause = None;
        self.core.buffered_pauses = 0;
        self.core.buffered = Arc::default();
        self.core.buffered_size = 0;
        if self.core.ended_by_reset {
            self.withdraw_starts();
            return;
        }
        let abandoned = ParentClosePolicy::Abandon as i32;
        self.withdraw_children(event);
        let sharing_fate: Vec<i64> = self
            .children
            .iter()
            .filter(|(_, c)| {
                c.started.is_some() && !c.closing && c.initiated.parent_close_policy != abandoned
            })
            .map(|(id, _)| *id)
            .collect();
        for id in sharing_fate {
            self.post(OutboxEntry::ParentClosed(id));
        }
        let has_parent = self
            .core
            .start
            .attributes
            .parent_workflow_execution
            .is_some();
        self.cut_off_update_callbacks(event_time(event));
        if self.successor_run_id().is_none() {
            if has_parent {
                self.post(OutboxEntry::ChildClosed);
            }
            self.release_callbacks(event_time(event));
        }
        if self.core.start.watcher.is_some() && self.successor_run_id().is_none() {
            self.post(OutboxEntry::ActionClosed);
        }
    }

    /// Undelivered messages still go out. Only a child that the closing completion itself asked for is not
    /// started, also one that was to be left to itself: the start of any other may have arrived already, and
    /// its answer decides what becomes of it.
    fn withdraw_children(&mut self, close: &HistoryEvent) {
        let Some(completed) = completion_of(close) else {
            return;
        };
        let own: Vec<i64> = self
            .children
            .from_key(&completed)
            .map(|(id, _)| *id)
            .collect();
        let messages: Vec<u64> = self
            .outbox
            .iter()
            .filter(|(_, entry)| matches!(entry, OutboxEntry::StartChild(id) if own.binary_search(id).is_ok()))
            .map(|(seq, _)| *seq)
            .collect();
        for seq in messages {
            self.outbox.remove(&seq);
        }
    }

    /// A child of this run, which has closed meanwhile, has started.
    pub(super) fn late_child_started(&mut self, initiated_event_id: i64, run_id: Uuid) {
        let Some(child) = self.children.get(&initiated_event_id) else {
            return;
        };
        let policy = child.initiated.parent_close_policy;
        self.children.update(&initiated_event_id, |child| {
            child.started = Some((run_id, 0));
        });
        if policy != ParentClosePolicy::Terminate as i32 {
            // It must not wait for its parent for ever, also not to clean up.
            self.parent_ready(initiated_event_id, run_id);
        }
        if policy != ParentClosePolicy::Abandon as i32 {
            self.post(OutboxEntry::ParentClosed(initiated_event_id));
        }
    }

    /// Queues a message for another execution.
    pub(super) fn post(&mut self, entry: OutboxEntry) {
        self.outbox.insert(self.core.outbox_seq, entry);
        self.core.outbox_seq += 1;
    }

    pub(super) fn note_request_id(&mut self, request_id: &str, event_type: i32, event_id: i64) {
        if request_id.is_empty() {
            return;
        }
        let before = self.request_ids.get(request_id).copied();
        let is = |kind: EventType| event_type == kind as i32;
        // A signal leaves to the id what else it stands for.
        let event_type = before
            .filter(|_| is(EventType::WorkflowExecutionSignaled))
            .map_or(event_type, |before| before.event_type);
        let seen = RequestIdSeen {
            event_type,
            event_id,
            signaled: is(EventType::WorkflowExecutionSignaled)
                || before.is_some_and(|seen| seen.signaled),
            attached: is(EventType::WorkflowExecutionOptionsUpdated)
                || before.is_some_and(|seen| seen.attached),
        };
        self.request_ids.insert(request_id.into(), seen);
    }

    /// The id by which a receiver recognises a repeated message: the same for every delivery. It shows as the
    /// request id of a child's start; the reference ends it with a version, which is always 0.
    fn message_id(&self, initiated_event_id: i64) -> Arc<str> {
        let run_id = self.origin_of(initiated_event_id);
        format!("{run_id}:{initiated_event_id}:0").into()
    }
}

/// Whether a workflow task failed by no fault of its worker: for a pause, or a reset.
fn is_no_failure(cause: i32) -> bool {
    cause == Cause::WorkflowPauseRequestedBeforeTaskStarted as i32
        || cause == Cause::ResetWorkflow as i32
}

/// The completion that a close event belongs to, if a worker closed the run.
fn completion_of(close: &HistoryEvent) -> Option<i64> {
    match close.attributes.as_ref()? {
        A::WorkflowExecutionCompletedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::WorkflowExecutionFailedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::WorkflowExecutionCanceledEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::WorkflowExecutionContinuedAsNewEventAttributes(a) => {
            Some(a.workflow_task_completed_event_id)
        }
        _ => None,
    }
}

/// An event's time; every event of ours has one.
pub(crate) fn event_time(event: &HistoryEvent) -> Timestamp {
    event
        .event_time
        .as_ref()
        .map_or(Timestamp::MIN, Timestamp::from_proto)
}

/// Upserts fields; an empty payload takes a field away.
pub(super) fn merge(all: &mut BTreeMap<String, Payload>, new: &BTreeMap<String, Payload>) {
    for (name, payload) in new {
        if is_null(payload) {
            all.remove(name);
        } else {
            all.insert(name.clone(), payload.clone());
        }
    }
}

/// A payload that stands for "no value": `binary/null`, or an empty or null JSON.
fn is_null(payload: &Payload) -> bool {
    let encoding = payload.metadata.get("encoding").map(Bytes::as_ref);
    match encoding {
        Some(b"binary/null") => true,
        Some(b"json/plain") => matches!(payload.data.as_ref(), b"null" | b"[]" | b""),
        _ => payload.data.is_empty(),
    }
}
