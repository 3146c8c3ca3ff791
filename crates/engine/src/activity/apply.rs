//! The fold: what each change means for the state. The same code runs when a step records and when a journal
//! is read back.

use std::collections::BTreeSet;

use proto::temporal::api::enums::v1::ActivityExecutionStatus;
use uuid::Uuid;

use super::record::{AttemptEnded, ChangeKind, Closed, Created, OptionsUpdated, Reset};
use super::state::{Callback, Core, PendingReset, Phase, State, Status};
use crate::time::Timestamp;
use crate::workflow::record::CallbackAttempted;

impl State {
    /// An activity as its first change says.
    pub(super) fn create(
        activity_id: std::sync::Arc<str>,
        run_id: Uuid,
        created: &Created,
        time: i64,
    ) -> Self {
        let mut start = created.request.clone().map(Box::new);
        let callbacks = start.as_deref_mut().map_or_else(Vec::new, |start| {
            let callbacks = std::mem::take(&mut start.completion_callbacks);
            let of_start = |callback| Callback::new(callback, &start.request_id, time);
            callbacks.iter().map(of_start).collect()
        });
        let core = Core {
            start,
            callbacks,
            namespace: created.namespace.clone(),
            namespace_id: created.namespace_id.clone(),
            schedule_time: time,
            status: Status::Scheduled as i32,
            attempt: 1,
            stamp: 1,
            ..Core::default()
        };
        let mut state = Self {
            activity_id,
            run_id,
            namespace_id: Uuid::from_slice(&created.namespace_id).unwrap_or_default(),
            core,
            offered: false,
            calling: BTreeSet::new(),
        };
        state.core.dispatch_time = state.first_dispatch_time().0;
        state
    }

    pub(super) fn apply(&mut self, change: &ChangeKind, time: i64) {
        let core = &mut self.core;
        match change {
            // The state was made of it.
            ChangeKind::Created(_) => {}
            ChangeKind::Started(started) => {
                core.set_status(Status::Started);
                core.started_time = time;
                if core.first_started_time == 0 {
                    core.first_started_time = time;
                }
                core.worker_identity.clone_from(&started.identity);
                core.claim.clone_from(&started.request_id);
                core.sdk_name.clone_from(&started.sdk_name);
                core.sdk_version.clone_from(&started.sdk_version);
                self.offered = false;
            }
            ChangeKind::Heartbeat(heartbeat) => {
                core.heartbeat_time = time;
                core.heartbeat_details.clone_from(&heartbeat.details);
                core.heartbeat_count += 1;
            }
            ChangeKind::AttemptEnded(ended) => self.attempt_ended(ended, time),
            ChangeKind::Closed(closed) => self.closed(closed, time),
            ChangeKind::CancelRequested(request) => {
                core.set_status(Status::CancelRequested);
                core.cancel = Some(request.clone());
                core.reset = None;
            }
            ChangeKind::Paused(request) => {
                core.pause = Some(request.clone());
                if core.status() == Status::Scheduled {
                    core.set_status(Status::Paused);
                    core.stamp += 1;
                    self.offered = false;
                } else {
                    core.set_status(Status::PauseRequested);
                }
            }
            ChangeKind::Unpaused(unpaused) => {
                core.unpause_request_id.clone_from(&unpaused.request_id);
                if core.status() == Status::Paused {
                    self.scheduled(unpaused.dispatch_time);
                } else {
                    core.set_status(Status::Started);
                }
            }
            ChangeKind::Reset(reset) => self.reset(reset),
            ChangeKind::OptionsUpdated(updated) => self.options_updated(updated),
            ChangeKind::Attached(attached) => {
                let mut attached = attached.clone();
                let callbacks = std::mem::take(&mut attached.callbacks);
                let known = callbacks.iter();
                core.callbacks
                    .extend(known.map(|known| Callback::new(known, &attached.request_id, time)));
                core.attached.push(attached);
            }
            ChangeKind::CallbackAttempted(attempted) => self.callback_attempted(attempted),
            ChangeKind::Deleting(_) => core.deleting = true,
        }
    }

    /// An attempt is to be ready at a time; offers made before are void.
    fn scheduled(&mut self, dispatch_time: i64) {
        self.core.set_status(Status::Scheduled);
        self.core.dispatch_time = dispatch_time;
        self.core.stamp += 1;
        self.offered = false;
    }

    fn attempt_ended(&mut self, ended: &AttemptEnded, time: i64) {
        let core = &mut self.core;
        core.ended_time = time;
        core.last_failure.clone_from(&ended.failure);
        if let Some(reset) = core.reset.take() {
            core.attempt = 1;
            core.retry_interval = 0;
            core.retry_interval_of_worker = false;
            self.apply_reset(reset);
            if reset.pauses {
                self.core.set_status(Status::Paused);
            } else {
                self.scheduled(ended.dispatch_time);
            }
            return;
        }
        core.attempt = core.attempt.saturating_add(1);
        core.retry_interval = ended.interval;
        core.retry_interval_of_worker = ended.interval_of_worker;
        if core.status() == Status::PauseRequested {
            core.set_status(Status::Paused);
            core.dispatch_time = ended.dispatch_time;
        } else {
            self.scheduled(ended.dispatch_time);
        }
    }

    fn apply_reset(&mut self, reset: PendingReset) {
        if reset.restores_options {
            self.restore_options();
        }
        if reset.clears_heartbeat {
            self.core.heartbeat_details = None;
            self.core.heartbeat_time = 0;
        }
    }

    /// The options become those of the start; a delay that has passed stays as it was.
    fn restore_options(&mut self) {
        let delay = self
            .core
            .options
            .take()
            .filter(|_| self.core.first_started_time != 0)
            .map(|options| options.start_delay)
            .filter(|delay| *delay != self.start().start_delay);
        if let Some(start_delay) = delay {
            let mut options = self.original_options();
            options.start_delay = start_delay;
            self.core.options = Some(Box::new(options));
        }
    }

    fn reset(&mut self, reset: &Reset) {
        let pending = PendingReset {
            clears_heartbeat: reset.clears_heartbeat,
            restores_options: reset.restores_options,
            pauses: reset.keeps_paused && self.core.status() == Status::PauseRequested,
        };
        self.core.reset_request_id.clone_from(&reset.request_id);
        if self.core.status().has_attempt() {
            self.core.reset = Some(pending);
            self.core.set_status(Status::ResetRequested);
            return;
        }
        self.core.attempt = 1;
        self.core.retry_interval = 0;
        self.core.retry_interval_of_worker = false;
        self.apply_reset(pending);
        if self.core.status() == Status::Paused && reset.keeps_paused {
            self.core.stamp += 1;
        } else {
            self.scheduled(reset.dispatch_time);
        }
    }

    fn options_updated(&mut self, updated: &OptionsUpdated) {
        self.core.update_request_id.clone_from(&updated.request_id);
        self.core.options = updated.options.clone().map(Box::new);
        self.core.retry_interval = updated.interval;
        if self.core.status() == Status::Scheduled {
            self.scheduled(updated.dispatch_time);
        }
    }

    fn closed(&mut self, closed: &Closed, time: i64) {
        use ActivityExecutionStatus as Shown;
        let core = &mut self.core;
        let status = match Shown::try_from(closed.status).unwrap_or_default() {
            Shown::Completed => Status::Completed,
            Shown::Failed => Status::Failed,
            Shown::Canceled => Status::Canceled,
            Shown::TimedOut => Status::TimedOut,
            _ => Status::Terminated,
        };
        if status == Status::Completed {
            if !core.status().has_attempt() {
                // Completed by its id before any worker had it.
                core.started_time = time;
                if core.first_started_time == 0 {
                    core.first_started_time = time;
                }
            }
            core.ended_time = time;
        }
        if closed.of_attempt {
            core.ended_time = time;
            core.last_failure.clone_from(&closed.failure);
            core.retry_interval = 0;
        }
        if !closed.identity.is_empty() {
            core.worker_identity.clone_from(&closed.identity);
        }
        core.terminate_request_id.clone_from(&closed.request_id);
        core.result.clone_from(&closed.result);
        core.failure.clone_from(&closed.failure);
        core.retry_state = closed.retry_state;
        core.reset = None;
        core.close_time = time;
        core.set_status(status);
        for callback in &mut core.callbacks {
            callback.release(time);
        }
        self.offered = false;
    }

    fn callback_attempted(&mut self, attempted: &CallbackAttempted) {
        self.calling.remove(&attempted.index);
        let index = usize::try_from(attempted.index).unwrap_or(usize::MAX);
        let Some(callback) = self.core.callbacks.get_mut(index) else {
            return;
        };
        let phase = match (attempted.succeeded, attempted.next_time) {
            (true, _) => Phase::Succeeded,
            (false, 0) => Phase::Failed,
            (false, _) => Phase::Pending,
        };
        let failure = attempted.failure.clone();
        callback.attempted(phase, attempted.ended_time, attempted.next_time, failure);
    }

    /// Whether a worker is at work for it or should be, or somebody is being told how it ended. If not, only time or
    /// the outside moves it on.
    pub fn is_at_work(&self, now: Timestamp) -> bool {
        self.status().has_attempt()
            || self.is_ready(now)
            || self.has_messages()
            || !self.calling.is_empty()
    }

    /// Whether the attempt that waits is ready.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        self.status() == Status::Scheduled && self.core.dispatch_time <= now.0
    }
}
