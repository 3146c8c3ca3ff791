//! A worker claims a workflow task. The start is remembered in memory and becomes history with the
//! task's end (DESIGN section 2).

use std::sync::Arc;

use bytes::Bytes;
use proto::temporal::api::common::v1::WorkerVersionStamp;
use proto::temporal::api::enums::v1::{EventType, SuggestContinueAsNewReason};
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowTaskScheduledEventAttributes, WorkflowTaskStartedEventAttributes,
};

use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::time::{Timestamp, wire};
use crate::workflow::client::reset_sticky;
use crate::workflow::input::StartWorkflowTask;
use crate::workflow::state::State;
use crate::workflow::state::versioning::Transition;
use crate::workflow::state::workflow_task::{PendingWorkflowTask, TaskStarted};
use crate::workflow::step::{Extras, Step, workflow_task_queue};
use crate::workflow::token::WorkflowTaskToken;
use crate::workflow::transition::{Reply, Transition as Outcome, WorkflowTask};
use crate::workflow::{update, versioning};

pub(crate) fn start(mut step: Step<'_>, claim: &StartWorkflowTask) -> Result<Outcome, Rejection> {
    let Some(task) = step
        .state
        .core
        .workflow_task
        .as_ref()
        .filter(|_| step.state.is_open())
    else {
        return step.reject(Rejection::TaskGone);
    };
    if task.scheduled_event_id != claim.scheduled_event_id || task.attempt != claim.attempt {
        return step.reject(Rejection::TaskGone);
    }
    if let Some(started) = &task.started {
        // The same claim, delivered twice, gets the same answer.
        if *started.request_id != claim.request_id {
            return step.reject(Rejection::TaskGone);
        }
        let again = answer(step.state, claim.sticky);
        return match again {
            Some(task) => step.done(Reply::WorkflowTask(Box::new(task))),
            None => step.reject(Rejection::TaskGone),
        };
    }
    // For a run whose task keeps failing, news since the last try makes the next one a first one again,
    // and brings it into history (behaviour, section 4.5).
    let has_news = task.scheduled_event_id != step.state.core.next_event_id;
    let transient = task.is_transient();
    let offered = claim.directive.as_ref();
    let transition = match versioning::workflow_task_for(&step, claim.version.as_ref(), offered) {
        Ok(transition) => transition,
        Err(rejection) => return step.reject(rejection),
    };
    if claim.sticky && step.state.core.sticky.is_none() {
        // The run has moved to its normal queue (behaviour, section 4.6).
        return step.reject(Rejection::TaskGone);
    }
    if !claim.sticky {
        // A worker of the normal queue takes over: it gets all of history.
        reset_sticky::clear(&mut step);
    }
    // What waited when the server last stopped becomes history before the worker looks at it. It is news:
    // the worker's task is a first attempt again.
    let flushed = step.flush_buffer();
    if transient && (has_news || flushed) {
        step.state.core.workflow_task = None;
        step.state.core.workflow_task_attempt = 1;
        step.schedule_workflow_task_quietly();
    }
    let worker = Worker {
        identity: &claim.identity,
        request_id: &claim.request_id,
        sticky: claim.sticky,
        resend: true,
        build: claim.build.as_ref(),
        transition,
    };
    match begin(&mut step, worker) {
        Some(task) => step.done(Reply::WorkflowTask(Box::new(task))),
        None => step.reject(Rejection::TaskGone),
    }
}

/// Who starts a workflow task.
pub(crate) struct Worker<'a> {
    pub(crate) identity: &'a str,
    pub(crate) request_id: &'a str,
    /// It has the run cached.
    pub(crate) sticky: bool,
    /// It gets updates also that an earlier task brought.
    pub(crate) resend: bool,
    /// Its build, if it has no version.
    pub(crate) build: Option<&'a WorkerVersionStamp>,
    /// The run moves to its version.
    pub(crate) transition: Option<Transition>,
}

/// Marks the pending workflow task as started and says what the worker gets.
pub(crate) fn begin(step: &mut Step<'_>, worker: Worker<'_>) -> Option<WorkflowTask> {
    let time = step.time();
    let suggest = suggest_continue_as_new(step);
    let target_version_changed =
        versioning::pending_upgrade(step.state, step.env.routing).is_some();
    let core = &mut step.state.core;
    let history_size = core.history_size;
    let next_event_id = core.next_event_id;
    let task = core.workflow_task.as_mut()?;
    let event_id = if task.is_unwritten() {
        next_event_id + 1
    } else {
        next_event_id
    };
    task.started = Some(TaskStarted {
        event_id,
        time,
        identity: worker.identity.into(),
        request_id: worker.request_id.into(),
        history_size,
        suggest: suggest.into(),
        build: worker.build.cloned().map(Arc::new),
        transition: worker.transition.map(Arc::new),
        target_version_changed,
        pages: None,
    });
    let messages = update::send(step.state, event_id, worker.resend);
    answer(step.state, worker.sticky).map(|task| WorkflowTask { messages, ..task })
}

/// Reasons to advise continue-as-new (behaviour, section 3.2).
fn suggest_continue_as_new(step: &Step<'_>) -> Vec<i32> {
    let (core, limits) = (&step.state.core, step.env.limits);
    let mut reasons = Vec::new();
    if core.history_size >= limits.history_size_suggest {
        reasons.push(SuggestContinueAsNewReason::HistorySizeTooLarge as i32);
    }
    if core.next_event_id > limits.history_count_suggest {
        reasons.push(SuggestContinueAsNewReason::TooManyHistoryEvents as i32);
    }
    if step.state.updates_total() >= limits.updates_suggest() {
        reasons.push(SuggestContinueAsNewReason::TooManyUpdates as i32);
    }
    reasons
}

/// What the worker that holds the started task gets.
fn answer(state: &State, sticky: bool) -> Option<WorkflowTask> {
    let (task, started) = state.started_workflow_task()?;
    let previous = state.core.previous_started_event_id;
    let mut unstored = Vec::new();
    if task.is_unwritten() {
        unstored.push(scheduled_event(state, task));
    }
    unstored.push(started_event(task, started));
    Some(WorkflowTask {
        token: WorkflowTaskToken {
            namespace_id: Bytes::copy_from_slice(state.namespace_id.as_bytes()),
            workflow_id: state.workflow_id.to_string(),
            run_id: Bytes::copy_from_slice(state.run_id.as_bytes()),
            scheduled_event_id: scheduled_id(state, task),
            started_event_id: started.event_id,
            attempt: task.attempt,
            started_time: started.time.0,
        },
        workflow_type: state.core.start.workflow_type.to_string(),
        previous_started_event_id: previous,
        started_event_id: started.event_id,
        attempt: task.attempt,
        scheduled_time: task.scheduled_time,
        started_time: started.time,
        task_queue: state.core.start.task_queue.clone(),
        history_from: if sticky { previous + 1 } else { 1 },
        history_to: state.last_event_id(),
        unstored,
        messages: update::sent(state, started.event_id),
    })
}

/// The eager first task once more, while nothing has happened since (behaviour, section 4.8).
pub(crate) fn first_task_again(state: &State) -> Option<WorkflowTask> {
    let (task, started) = state.started_workflow_task()?;
    (task.attempt == 1 && started.event_id == 3)
        .then(|| answer(state, false))
        .flatten()
}

fn scheduled_id(state: &State, task: &PendingWorkflowTask) -> EventId {
    if task.is_transient() {
        state.core.next_event_id
    } else {
        task.scheduled_event_id
    }
}

/// The scheduled event of a transient or speculative task, as it will be when the task completes.
pub(crate) fn scheduled_event(state: &State, task: &PendingWorkflowTask) -> HistoryEvent {
    HistoryEvent {
        event_id: state.core.next_event_id,
        event_time: Some(task.scheduled_time.to_proto()),
        event_type: EventType::WorkflowTaskScheduled as i32,
        attributes: Some(Attributes::WorkflowTaskScheduledEventAttributes(
            WorkflowTaskScheduledEventAttributes {
                task_queue: Some(workflow_task_queue(state)),
                start_to_close_timeout: Some(wire(task.timeout)),
                attempt: task.attempt,
            },
        )),
        ..HistoryEvent::default()
    }
}

/// The started event, as it will be when the task ends.
pub(crate) fn started_event(task: &PendingWorkflowTask, started: &TaskStarted) -> HistoryEvent {
    HistoryEvent {
        event_id: started.event_id,
        event_time: Some(started.time.to_proto()),
        event_type: EventType::WorkflowTaskStarted as i32,
        attributes: Some(started_attributes(started.event_id - 1, task, started)),
        ..HistoryEvent::default()
    }
}

fn started_attributes(
    scheduled_event_id: EventId,
    task: &PendingWorkflowTask,
    started: &TaskStarted,
) -> Attributes {
    let scheduled_event_id = if task.is_transient() {
        scheduled_event_id
    } else {
        task.scheduled_event_id
    };
    Attributes::WorkflowTaskStartedEventAttributes(WorkflowTaskStartedEventAttributes {
        scheduled_event_id,
        identity: started.identity.to_string(),
        request_id: started.request_id.to_string(),
        suggest_continue_as_new: !started.suggest.is_empty(),
        suggest_continue_as_new_reasons: started.suggest.to_vec(),
        history_size_bytes: started.history_size,
        target_worker_deployment_version_changed: started.target_version_changed,
        worker_version: started.build.as_deref().cloned(),
        ..WorkflowTaskStartedEventAttributes::default()
    })
}

/// The ids under which a task's scheduled and started events are recorded.
pub(crate) struct Recorded {
    pub(crate) scheduled_event_id: EventId,
    pub(crate) started_event_id: EventId,
}

/// Makes a started task's start (and a transient or speculative one's schedule) history: it is about to end.
pub(crate) fn record(step: &mut Step<'_>) -> Option<Recorded> {
    let task = step.state.core.workflow_task.clone()?;
    let started = task.started.clone()?;
    let mut scheduled_event_id = task.scheduled_event_id;
    if task.is_unwritten() {
        let event = scheduled_event(step.state, &task);
        let time: Timestamp = task.scheduled_time;
        if let Some(attributes) = event.attributes {
            scheduled_event_id = step.write_at(attributes, Extras::default(), time);
        }
    }
    let attributes = started_attributes(scheduled_event_id, &task, &started);
    let started_event_id = step.write_at(attributes, Extras::default(), started.time);
    Some(Recorded {
        scheduled_event_id,
        started_event_id,
    })
}
