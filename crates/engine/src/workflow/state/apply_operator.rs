//! What operators' commands do to the state: on activities (behaviour, section 5.6), and pauses of the whole run
//! (section 6.8).

use std::sync::Arc;

use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionOptionsUpdatedEventAttributes,
    WorkflowExecutionPausedEventAttributes,
};

use super::State;
use super::activity::{Activity, Pause};
use super::apply::event_time;
use super::outbox::OutboxEntry;
use crate::time::Timestamp;
use crate::workflow::record::{
    ActivityOptionsUpdated, ActivityPaused, ActivityReset, ActivityUnpaused,
};

impl State {
    pub(super) fn activity_paused(&mut self, paused: &ActivityPaused, at: Timestamp) {
        self.pause_ends(paused.scheduled_event_id);
        self.core.paused_activities += 1;
        self.activities
            .update(&paused.scheduled_event_id, |activity| {
                activity.pause = Some(Arc::new(Pause {
                    time: at,
                    identity: paused.identity.as_str().into(),
                    reason: paused.reason.as_str().into(),
                    request_id: paused.request_id.as_str().into(),
                }));
                // A worker that has the attempt may finish it.
                if activity.started.is_none() {
                    withdraw(activity);
                }
            });
    }

    pub(super) fn activity_unpaused(&mut self, unpaused: &ActivityUnpaused) {
        self.pause_ends(unpaused.scheduled_event_id);
        self.activities
            .update(&unpaused.scheduled_event_id, |activity| {
                activity.pause = None;
                if unpaused.reset_attempts {
                    begin_again(activity);
                }
                if unpaused.reset_heartbeat {
                    forget_progress(activity);
                }
                if activity.started.is_none() {
                    reschedule(activity, Timestamp(unpaused.scheduled_time));
                }
            });
    }

    pub(super) fn activity_reset(&mut self, reset: &ActivityReset) {
        if !reset.keep_paused {
            self.pause_ends(reset.scheduled_event_id);
        }
        self.activities
            .update(&reset.scheduled_event_id, |activity| {
                begin_again(activity);
                activity.reset = true;
                activity.reset_heartbeat |= reset.reset_heartbeat;
                if reset.restore_original_options
                    && let Some(original) = activity.original_options.take()
                {
                    activity.set_options(&original);
                }
                if !reset.keep_paused {
                    activity.pause = None;
                }
                if activity.started.is_none() {
                    activity.last_failure = None;
                    if activity.pause.is_none() {
                        reschedule(activity, Timestamp(reset.scheduled_time));
                    } else {
                        withdraw(activity);
                    }
                }
            });
    }

    pub(super) fn activity_options_updated(&mut self, updated: &ActivityOptionsUpdated) {
        let Some(options) = &updated.options else {
            return;
        };
        self.activities
            .update(&updated.scheduled_event_id, |activity| {
                if activity.original_options.is_none() {
                    activity.original_options = Some(Arc::new(activity.options()));
                }
                activity.set_options(options);
                if activity.started.is_none() {
                    withdraw(activity);
                    activity.scheduled_time = Timestamp(updated.scheduled_time);
                }
            });
    }

    /// A pause, unless it took effect when it was buffered. A task that nobody had is not handed out any more.
    pub(super) fn pause_recorded(
        &mut self,
        event: &HistoryEvent,
        a: &WorkflowExecutionPausedEventAttributes,
    ) {
        if !self.took_effect() {
            self.workflow_task_dropped();
            self.run_paused(event_time(event), a);
        }
    }

    /// The end of a pause, unless it took effect when it was buffered.
    pub(super) fn unpause_recorded(&mut self) {
        if !self.took_effect() {
            self.run_unpaused();
        }
    }

    /// Children that are not asked for yet are for the run in the place of this one to start.
    pub(super) fn withdraw_starts(&mut self) {
        let starts = self.outbox.iter();
        let starts = starts.filter(|(_, entry)| matches!(entry, OutboxEntry::StartChild(_)));
        let starts: Vec<u64> = starts.map(|(seq, _)| *seq).collect();
        for seq in starts {
            self.outbox.remove(&seq);
        }
    }

    /// What is pending from the run that was reset begins its time anew.
    pub(super) fn activities_rescheduled(&mut self, at: Timestamp) {
        let pending: Vec<i64> = self.activities.iter().map(|(id, _)| *id).collect();
        for id in pending {
            self.activities.update(&id, |activity| {
                activity.first_scheduled_time = at;
                activity.scheduled_time = at;
            });
        }
    }

    /// The run's options change: at once, and once more, to no effect, when the event leaves the buffer.
    pub(super) fn options_updated(
        &mut self,
        a: &WorkflowExecutionOptionsUpdatedEventAttributes,
        time: Timestamp,
        buffered: bool,
    ) {
        self.version_options_updated(a);
        self.time_skipping_updated(a, time, buffered);
        if let Some(priority) = &a.priority {
            self.core.priority = Some(Arc::new(priority.clone()));
        }
    }

    /// Whether an event that is recorded now was buffered before, and has had its effect then.
    fn took_effect(&mut self) -> bool {
        let buffered = self.core.buffered_pauses > 0;
        self.core.buffered_pauses = self.core.buffered_pauses.saturating_sub(1);
        buffered
    }

    pub(super) fn run_paused(&mut self, at: Timestamp, a: &WorkflowExecutionPausedEventAttributes) {
        self.core.status = WorkflowExecutionStatus::Paused;
        self.core.pause = Some(Arc::new(Pause {
            time: at,
            identity: a.identity.as_str().into(),
            reason: a.reason.as_str().into(),
            request_id: a.request_id.as_str().into(),
        }));
        self.hold_activities(true);
    }

    pub(super) fn run_unpaused(&mut self) {
        self.core.status = WorkflowExecutionStatus::Running;
        self.core.pause = None;
        self.hold_activities(false);
    }

    /// A workflow task ended without completing and counts for nothing.
    pub(super) fn workflow_task_dropped(&mut self) {
        self.core.workflow_task = None;
        self.core.workflow_task_attempt = 1;
    }

    /// Keeps the number of paused activities right.
    pub(super) fn pause_ends(&mut self, scheduled_event_id: i64) {
        let activity = self.activities.get(&scheduled_event_id);
        if activity.is_some_and(|activity| activity.pause.is_some()) {
            self.core.paused_activities -= 1;
        }
    }

    /// No attempt is handed out any more while the run is paused; then again.
    pub(super) fn hold_activities(&mut self, held: bool) {
        let pending: Vec<i64> = self.activities.iter().map(|(id, _)| *id).collect();
        for id in pending {
            self.activities.update(&id, |activity| {
                activity.held = held;
                if activity.started.is_none() {
                    withdraw(activity);
                }
            });
        }
    }
}

/// The next attempts have the numbers of earlier ones, whose offers are not to be taken for theirs.
fn begin_again(activity: &mut Activity) {
    activity.attempt = 1;
    activity.stamp = activity.stamp.wrapping_add(1);
}

/// What was offered is not to be taken any more.
fn withdraw(activity: &mut Activity) {
    activity.stamp = activity.stamp.wrapping_add(1);
    activity.offered = false;
}

/// A waiting attempt becomes ready at another time.
fn reschedule(activity: &mut Activity, at: Timestamp) {
    withdraw(activity);
    activity.scheduled_time = at;
    end_reset(activity);
}

/// A new attempt follows the reset: what was to be forgotten, is.
pub(super) fn end_reset(activity: &mut Activity) {
    if std::mem::take(&mut activity.reset_heartbeat) {
        forget_progress(activity);
    }
    activity.reset = false;
}

fn forget_progress(activity: &mut Activity) {
    activity.heartbeat_details = None;
    activity.heartbeat_time = None;
}
