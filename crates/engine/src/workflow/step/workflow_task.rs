//! The part of a step that schedules workflow tasks, in history or in memory only, and offers them; and what it
//! tells those who wait for updates.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::history::v1::WorkflowTaskScheduledEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{Extras, Step, workflow_task_queue};
use crate::time::wire;
use crate::workflow::priority;
use crate::workflow::record::{ChangeKind, WorkflowTaskAttempt};
use crate::workflow::state::FirstTask;
use crate::workflow::state::workflow_task::PendingWorkflowTask;
use crate::workflow::transition::{Effect, WorkflowTaskOffer};
use crate::workflow::update::{UpdateNews, UpdateStage};

impl Step<'_> {
    /// Makes sure that a workflow task follows what was just recorded. While one is started, its end
    /// will see to it; while the first one is delayed, only the delay's end will.
    pub(crate) fn ensure_workflow_task(&mut self) {
        if !self.state.is_open() || self.state.core.first_task != FirstTask::Scheduled {
            return;
        }
        if self.state.core.workflow_task.is_none() && !self.state.is_paused() {
            self.schedule_workflow_task();
        }
    }

    /// Schedules a workflow task, transient if the last one failed, and offers it; not for a paused run.
    pub(crate) fn schedule_workflow_task(&mut self) {
        if self.state.is_paused() {
            return;
        }
        self.schedule_workflow_task_quietly();
        self.offer_workflow_task();
    }

    /// Schedules the task after one that ended without completing; a paused run gets none.
    pub(crate) fn follow_ended_task(&mut self, attempt: i32) {
        if self.state.is_paused() {
            self.change(ChangeKind::WorkflowTaskDropped(true));
            return;
        }
        self.state.core.workflow_task_attempt = attempt;
        self.schedule_workflow_task();
    }

    /// Schedules a workflow task that is not offered, because the caller starts it inline.
    pub(crate) fn schedule_workflow_task_quietly(&mut self) {
        let attempt = self.state.core.workflow_task_attempt;
        let timeout = self.workflow_task_timeout(attempt);
        if attempt > 1 {
            self.change(ChangeKind::WorkflowTaskAttempt(WorkflowTaskAttempt {
                attempt,
                scheduled_time: self.time().0,
                timeout: i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX),
            }));
            return;
        }
        let task_queue = workflow_task_queue(self.state);
        self.write(Attributes::WorkflowTaskScheduledEventAttributes(
            WorkflowTaskScheduledEventAttributes {
                task_queue: Some(task_queue),
                start_to_close_timeout: Some(wire(timeout)),
                attempt,
            },
        ));
    }

    /// Schedules a workflow task that exists in memory only, for updates; not offered.
    pub(crate) fn schedule_speculative_workflow_task(&mut self) {
        if self.state.core.workflow_task_attempt > 1 {
            self.schedule_workflow_task_quietly();
            return;
        }
        let time = self.time();
        let core = &mut self.state.core;
        core.workflow_task = Some(PendingWorkflowTask {
            scheduled_event_id: core.next_event_id,
            attempt: 1,
            scheduled_time: time,
            original_scheduled_time: time,
            timeout: core.start.workflow_task_timeout,
            sticky_offered: None,
            started: None,
            speculative: true,
        });
    }

    /// Something is to be stored: a speculative workflow task becomes a real one before it, under the id
    /// that it has had from the beginning.
    pub(crate) fn write_speculative_task(&mut self) {
        let task = self.state.core.workflow_task.as_ref();
        let Some(task) = task.filter(|task| task.speculative).cloned() else {
            return;
        };
        let task_queue = workflow_task_queue(self.state);
        self.write_at(
            Attributes::WorkflowTaskScheduledEventAttributes(
                WorkflowTaskScheduledEventAttributes {
                    task_queue: Some(task_queue),
                    start_to_close_timeout: Some(wire(task.timeout)),
                    attempt: task.attempt,
                },
            ),
            Extras::default(),
            task.scheduled_time,
        );
        if let Some(written) = &mut self.state.core.workflow_task {
            written.started = task.started;
            written.sticky_offered = task.sticky_offered;
        }
    }

    /// Whether this step has said something about an update.
    pub(crate) fn is_told(&self, update_id: &str) -> bool {
        self.updates.iter().any(|u| *u.update_id == *update_id)
    }

    /// Those who wait for an update hear how far it is at the end of the step.
    pub(crate) fn tell_update(&mut self, update_id: Arc<str>, stage: UpdateStage) {
        match self.updates.iter_mut().find(|u| u.update_id == update_id) {
            Some(earlier) => earlier.stage = stage,
            None => self.updates.push(UpdateNews { update_id, stage }),
        }
    }

    /// Start-to-close of an attempt: from the fourth on, with a back-off from 5 s doubling to 10 min
    /// (behaviour, section 4.5).
    fn workflow_task_timeout(&mut self, attempt: i32) -> Duration {
        let default = self.state.core.start.workflow_task_timeout;
        if attempt <= 3 {
            return default;
        }
        let exponent = u32::try_from(attempt - 4).unwrap_or(0).min(16);
        let base = Duration::from_secs(5)
            .saturating_mul(1 << exponent)
            .min(Duration::from_secs(600));
        default + base.mul_f64(0.8 + 0.2 * self.now.fraction())
    }

    /// Offers the pending workflow task to workers.
    pub(crate) fn offer_workflow_task(&mut self) {
        let sticky = self.state.core.sticky.clone();
        let task_queue = self.state.core.start.task_queue.clone();
        let priority = priority::for_matching(self.state.priority());
        let directive = self.state.directive();
        let ahead = self.state.ahead();
        let Some(task) = &mut self.state.core.workflow_task else {
            return;
        };
        // A transient task never goes to a sticky queue: failing cleared stickiness.
        task.sticky_offered = sticky
            .as_ref()
            .map(|s| (s.queue.clone(), task.scheduled_time.after(s.timeout)));
        self.effects
            .push(Effect::OfferWorkflowTask(WorkflowTaskOffer {
                task_queue,
                sticky_queue: sticky.map(|s| s.queue.clone()),
                scheduled_event_id: task.scheduled_event_id,
                attempt: task.attempt,
                scheduled_time: task.scheduled_time.before(ahead),
                priority,
                directive,
            }));
    }
}
