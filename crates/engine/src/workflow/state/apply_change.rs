//! What each change does to the state: the part of the fold that leaves no event.

use std::sync::Arc;

use prost::Message;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;
use uuid::Uuid;

use super::activity::AttemptStarted;
use super::apply::{event_time, merge};
use super::apply_operator::end_reset;
use super::outbox::OutboxEntry;
use super::versioning::Transition;
use super::workflow_task::{PendingWorkflowTask, Sticky};
use super::{FirstTask, State};
use crate::deployment::Version;
use crate::time::Timestamp;
use crate::workflow::record::{Change, ChangeKind};
use crate::workflow::update::failed;

impl State {
    /// Folds one change.
    pub(crate) fn apply_change(&mut self, change: &Change, at: Timestamp) {
        let Some(kind) = &change.kind else { return };
        match kind {
            // Folded by `create`.
            ChangeKind::Created(_) => {}
            ChangeKind::WorkflowTaskAttempt(a) => {
                let time = Timestamp(a.scheduled_time);
                self.core.workflow_task_attempt = a.attempt;
                self.core.workflow_task = Some(PendingWorkflowTask {
                    scheduled_event_id: self.core.next_event_id,
                    attempt: a.attempt,
                    scheduled_time: time,
                    original_scheduled_time: time,
                    timeout: std::time::Duration::from_nanos(u64::try_from(a.timeout).unwrap_or(0)),
                    sticky_offered: None,
                    started: None,
                    speculative: false,
                });
            }
            ChangeKind::WorkflowTaskOriginalScheduledTime(time) => {
                if let Some(task) = &mut self.core.workflow_task {
                    task.original_scheduled_time = Timestamp(*time);
                }
            }
            ChangeKind::Sticky(sticky) => {
                self.core.sticky = (!sticky.queue.is_empty()).then(|| {
                    Arc::new(Sticky {
                        queue: sticky.queue.as_str().into(),
                        timeout: std::time::Duration::from_nanos(
                            u64::try_from(sticky.timeout).unwrap_or(0),
                        ),
                    })
                });
            }
            ChangeKind::ActivityStarted(started) => {
                self.activities
                    .update(&started.scheduled_event_id, |activity| {
                        let time = Timestamp(started.time);
                        activity.heartbeat_time = None;
                        activity.started = Some(AttemptStarted {
                            time,
                            identity: started.identity.as_str().into(),
                            request_id: started.request_id.as_str().into(),
                        });
                        activity.last_identity = started.identity.as_str().into();
                    });
            }
            ChangeKind::ActivityRetried(retried) => {
                self.activities
                    .update(&retried.scheduled_event_id, |activity| {
                        activity.started = None;
                        activity.offered = false;
                        activity.attempt = retried.attempt;
                        activity.scheduled_time = Timestamp(retried.scheduled_time);
                        activity.last_ended_time = Some(Timestamp(retried.ended_time));
                        activity.last_failure = retried.failure.clone().map(Arc::new);
                        if let Some(details) = &retried.heartbeat_details {
                            activity.heartbeat_details = Some(Arc::new(details.clone()));
                        }
                        if activity.pause.is_none() {
                            end_reset(activity);
                        }
                    });
            }
            ChangeKind::ActivityHeartbeat(heartbeat) => {
                self.activities
                    .update(&heartbeat.scheduled_event_id, |activity| {
                        activity.heartbeat_time = Some(Timestamp(heartbeat.time));
                        activity.heartbeat_details = heartbeat.details.clone().map(Arc::new);
                    });
            }
            ChangeKind::Buffered(event) => self.buffer(event),
            ChangeKind::BufferFlushed(_) => {
                self.core.buffered = Arc::default();
                self.core.buffered_size = 0;
            }
            ChangeKind::BufferedTimerDropped(timer_id) => {
                Arc::make_mut(&mut self.core.buffered).retain(|event| {
                    !matches!(&event.attributes,
                        Some(A::TimerFiredEventAttributes(a)) if a.timer_id == *timer_id)
                });
            }
            ChangeKind::Acknowledged(seq) => {
                self.outbox.remove(seq);
            }
            ChangeKind::InternalSearchAttributes(new) => {
                let all = Arc::make_mut(&mut self.core.search_attributes);
                merge(&mut all.indexed_fields, &new.indexed_fields);
            }
            ChangeKind::ParentReady(_) => {
                let due = self.execution_time();
                self.core.first_task = if due > at {
                    FirstTask::Delayed(due)
                } else {
                    FirstTask::Scheduled
                };
            }
            ChangeKind::LateChildStarted(started) => {
                let run_id = Uuid::from_slice(&started.run_id).unwrap_or(Uuid::nil());
                self.late_child_started(started.initiated_event_id, run_id);
            }
            ChangeKind::UpdateRejected(id) => {
                self.forget_admitted(id);
                self.updates.remove(&id.as_str().into());
            }
            ChangeKind::UpdateRefused(refused) => {
                let id = refused.update_id.as_str();
                self.forget_admitted(id);
                self.updates.remove(&id.into());
                let outcome = failed(refused.failure.clone().unwrap_or_default());
                self.release_update_callbacks(id, &outcome, at);
            }
            ChangeKind::VersionTransition(transition) => {
                self.version_transition_started(Transition {
                    version: Version::from_wire(transition.version.as_ref()),
                    revision_number: transition.revision_number,
                });
            }
            ChangeKind::NexusAttemptFailed(failed) => self.nexus_attempt_failed(failed),
            ChangeKind::CallbackAttempted(attempted) => self.callback_attempted(attempted),
            ChangeKind::ParentAsked(_) => {
                self.core.parent_asked_at = at;
                self.post(OutboxEntry::ChildAwaits);
            }
            ChangeKind::ActivityPaused(paused) => self.activity_paused(paused, at),
            ChangeKind::ActivityUnpaused(unpaused) => self.activity_unpaused(unpaused),
            ChangeKind::ActivityReset(reset) => self.activity_reset(reset),
            ChangeKind::ResetTo(run_id) => self.core.reset_run_id = Uuid::from_slice(run_id).ok(),
            ChangeKind::EndedByReset(_) => self.core.ended_by_reset = true,
            ChangeKind::Deleting(_) => self.core.deleting = true,
            ChangeKind::ActivitiesRescheduled(_) => self.activities_rescheduled(at),
            ChangeKind::WorkflowTaskDropped(_) => self.workflow_task_dropped(),
            ChangeKind::ActivityOptionsUpdated(updated) => self.activity_options_updated(updated),
        }
    }

    /// An event that waits: what it does to pending things it does now, so that nothing happens twice.
    fn buffer(&mut self, event: &HistoryEvent) {
        self.core.buffered_size += event.encoded_len();
        Arc::make_mut(&mut self.core.buffered).push(event.clone());
        match &event.attributes {
            Some(A::WorkflowExecutionSignaledEventAttributes(a)) => {
                self.note_request_id(&a.request_id, event.event_type, 0);
            }
            Some(A::WorkflowExecutionOptionsUpdatedEventAttributes(a)) => {
                self.note_request_id(&a.attached_request_id, event.event_type, 0);
                self.options_updated(a, event_time(event), true);
                self.register_callbacks(
                    &a.attached_completion_callbacks,
                    &a.attached_request_id,
                    event_time(event),
                );
                self.update_options_updated(a, event, 0);
            }
            Some(A::WorkflowExecutionPausedEventAttributes(a)) => {
                self.core.buffered_pauses += 1;
                self.run_paused(event_time(event), a);
            }
            Some(A::WorkflowExecutionUnpausedEventAttributes(_)) => {
                self.core.buffered_pauses += 1;
                self.run_unpaused();
            }
            Some(A::WorkflowExecutionCancelRequestedEventAttributes(_)) => {
                self.core.cancel_requested = true;
            }
            Some(A::TimerFiredEventAttributes(a)) => {
                self.timers
                    .update(&a.timer_id.as_str().into(), |timer| timer.fires_at = None);
            }
            Some(A::ActivityTaskCompletedEventAttributes(a)) => {
                self.activity_closing(a.scheduled_event_id)
            }
            Some(A::ActivityTaskFailedEventAttributes(a)) => {
                self.activity_closing(a.scheduled_event_id)
            }
            Some(A::ActivityTaskTimedOutEventAttributes(a)) => {
                self.activity_closing(a.scheduled_event_id)
            }
            Some(A::ActivityTaskCanceledEventAttributes(a)) => {
                self.activity_closing(a.scheduled_event_id)
            }
            Some(A::ChildWorkflowExecutionStartedEventAttributes(a)) => self.child_started(a, 0),
            Some(A::StartChildWorkflowExecutionFailedEventAttributes(a)) => {
                self.child_closing(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionCompletedEventAttributes(a)) => {
                self.child_closing(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionFailedEventAttributes(a)) => {
                self.child_closing(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionCanceledEventAttributes(a)) => {
                self.child_closing(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionTimedOutEventAttributes(a)) => {
                self.child_closing(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionTerminatedEventAttributes(a)) => {
                self.child_closing(a.initiated_event_id);
            }
            _ => self.buffer_nexus_event(event),
        }
    }
}
