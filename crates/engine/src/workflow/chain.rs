//! The ways in which a closing run opens the next one: continue-as-new, retry, cron (behaviour,
//! section 6.4). Both are in one commit.

use std::time::Duration;

use proto::temporal::api::command::v1::ContinueAsNewWorkflowExecutionCommandAttributes;
use proto::temporal::api::common::v1::{Callback, Payloads};
use proto::temporal::api::enums::v1::{
    ContinueAsNewInitiator as Initiator, ContinueAsNewVersioningBehavior as ContinuedBehavior,
    RetryState,
};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::WorkflowExecutionStartedEventAttributes;
use proto::temporal::api::workflow::v1::ResetPoints;
use uuid::Uuid;

use super::open::{self, Opening};
use super::peer;
use super::step::Step;
use super::time_skipping;
use super::versioning::{self, Inherited};
use crate::cron::Cron;
use crate::retry;
use crate::time::{Timestamp, wire};

/// The next run of a chain, before it is opened.
pub(crate) struct Next {
    pub(crate) run_id: Uuid,
    pub(crate) backoff: Duration,
    initiator: Initiator,
    attempt: i32,
}

impl Next {
    /// On events the backoff stays absent when there is none.
    pub(crate) fn shown_backoff(&self) -> Option<proto::Duration> {
        (!self.backoff.is_zero()).then(|| wire(self.backoff))
    }
}

/// Whole seconds until a cron's next time after a run that began at `start` and ends at `now`. `None`
/// without a cron, or when it never fires again.
pub(crate) fn cron_backoff(schedule: &str, start: Timestamp, now: Timestamp) -> Option<Duration> {
    if schedule.is_empty() {
        return None;
    }
    Cron::parse(schedule).ok()?.backoff(start.0, now.0)
}

/// The next run of a cron chain, if this is one.
pub(crate) fn next_cron(step: &mut Step<'_>) -> Option<Next> {
    let state = &step.state;
    let schedule = &state.core.start.attributes.cron_schedule;
    let backoff = cron_backoff(schedule, state.execution_time(), step.time())?;
    // No run is opened that the chain's own end would cut off before it began.
    let begins = step.time().after(backoff);
    if state
        .core
        .execution_deadline
        .is_some_and(|end| begins >= end)
    {
        return None;
    }
    Some(Next {
        run_id: step.now.run_id(),
        backoff,
        initiator: Initiator::CronSchedule,
        attempt: 1,
    })
}

/// Retry if the workflow's policy says so, else the cron's next run, else none.
pub(crate) fn next_after_failure(
    step: &mut Step<'_>,
    failure: &Failure,
) -> (RetryState, Option<Next>) {
    let start = &step.state.core.start.attributes;
    let attempt = retry::Attempt {
        policy: start.retry_policy.as_ref(),
        attempt: start.attempt,
        cancel_requested: false,
        expires_at_ns: step.state.core.execution_deadline.map(|at| at.0),
    };
    let decision = retry::decide_workflow(attempt, failure, step.time().0);
    let attempt = start.attempt + 1;
    match decision {
        retry::Decision::Retry { after } => {
            let run_id = step.now.run_id();
            let next = Next {
                run_id,
                backoff: after,
                initiator: Initiator::Retry,
                attempt,
            };
            (RetryState::InProgress, Some(next))
        }
        retry::Decision::NoRetry(state) => {
            let next = next_cron(step);
            (state, next)
        }
    }
}

/// Opens the next run of a retry or a cron: everything as the chain began.
pub(crate) fn open_next(
    step: &mut Step<'_>,
    next: Next,
    failure: Option<Failure>,
    result: Option<Payloads>,
) {
    let start = step.state.core.start.clone();
    let old = start.attributes.clone();
    let attributes = WorkflowExecutionStartedEventAttributes {
        // A success replaces the last result; a failure keeps it for the run to come.
        last_completion_result: result.or(old.last_completion_result),
        continued_failure: failure,
        // Callbacks follow a retry, not a cron (behaviour, section 6.4).
        completion_callbacks: if next.initiator == Initiator::Retry {
            waiting_callbacks(step)
        } else {
            Vec::new()
        },
        ..start.attributes.clone()
    };
    let inherited = match next.initiator {
        Initiator::Retry => versioning::inherited_by_retry(step),
        _ => versioning::inherited_by_retry(step).override_only(),
    };
    open_run(step, next, attributes, inherited);
}

/// The run that a continue-as-new command asks for. Runs of a chain start at least a second apart.
pub(crate) fn continue_as_new(
    step: &mut Step<'_>,
    a: &ContinueAsNewWorkflowExecutionCommandAttributes,
) -> Next {
    let now = step.time();
    let asked = crate::time::duration(a.backoff_start_interval.as_ref());
    let initiator = match Initiator::try_from(a.initiator) {
        Ok(Initiator::Unspecified) | Err(_) => Initiator::Workflow,
        Ok(initiator) => initiator,
    };
    let age = now.since(step.state.execution_time());
    let pause = step
        .env
        .limits
        .continue_as_new_min_interval
        .saturating_sub(age);
    let cron = if initiator == Initiator::CronSchedule && asked.is_zero() {
        cron_backoff(&a.cron_schedule, step.state.execution_time(), now)
    } else {
        None
    };
    let backoff = cron.unwrap_or(asked).max(pause);
    Next {
        run_id: step.now.run_id(),
        backoff,
        initiator,
        attempt: 1,
    }
}

/// Opens the run that a continue-as-new command asks for.
pub(crate) fn open_continued(
    step: &mut Step<'_>,
    next: Next,
    a: ContinueAsNewWorkflowExecutionCommandAttributes,
) {
    let old = step.state.core.start.attributes.clone();
    let attributes = WorkflowExecutionStartedEventAttributes {
        workflow_type: a.workflow_type,
        task_queue: a.task_queue,
        input: a.input,
        workflow_run_timeout: a.workflow_run_timeout,
        workflow_task_timeout: a.workflow_task_timeout,
        retry_policy: a.retry_policy,
        continued_failure: a.failure,
        last_completion_result: a
            .last_completion_result
            .or_else(|| old.last_completion_result.clone()),
        cron_schedule: a.cron_schedule,
        header: a.header,
        memo: a.memo,
        search_attributes: a.search_attributes,
        identity: String::new(),
        completion_callbacks: waiting_callbacks(step),
        ..old
    };
    let asked = ContinuedBehavior::try_from(a.initial_versioning_behavior).unwrap_or_default();
    let inherited = versioning::inherited_by_next(step, asked);
    open_run(step, next, attributes, inherited);
}

/// Who waits for the chain's end waits for that of the next run: also those who came later than its start.
fn waiting_callbacks(step: &Step<'_>) -> Vec<Callback> {
    let callbacks = step.state.callbacks.iter();
    callbacks
        .filter(|(_, callback)| callback.update.is_none())
        .map(|(_, callback)| Callback::clone(&callback.callback))
        .collect()
}

/// Opens a run that carries on this one's chain.
fn open_run(
    step: &mut Step<'_>,
    next: Next,
    mut base: WorkflowExecutionStartedEventAttributes,
    inherited: Inherited,
) {
    base.versioning_override = None;
    inherited.put_into(&mut base, step.env.routing);
    let start = step.state.core.start.clone();
    let expire = step.time().after(step.env.namespace.retention).to_proto();
    let points: Vec<_> = step
        .state
        .core
        .reset_points
        .iter()
        .cloned()
        .map(|mut point| {
            point.expire_time.get_or_insert(expire);
            point
        })
        .collect();
    let (time_skipping_config, time_skipping_state_propagation) =
        time_skipping::for_next_run(step.state);
    let attributes = WorkflowExecutionStartedEventAttributes {
        time_skipping_config,
        time_skipping_state_propagation,
        continued_execution_run_id: step.state.run_id.to_string(),
        original_execution_run_id: next.run_id.to_string(),
        first_execution_run_id: step.state.first_execution_run_id().to_owned(),
        initiator: next.initiator as i32,
        attempt: next.attempt,
        workflow_execution_expiration_time: step
            .state
            .core
            .execution_deadline
            .map(Timestamp::to_proto),
        first_workflow_task_backoff: next.shown_backoff(),
        prev_auto_reset_points: (!points.is_empty()).then_some(ResetPoints { points }),
        eager_execution_accepted: false,
        priority: step.state.priority().cloned(),
        ..base
    };
    let opening = Opening {
        workflow_id: step.state.workflow_id.clone(),
        run_id: next.run_id,
        request_id: step.now.uuid().to_string(),
        user_metadata: start.user_metadata.clone(),
        links: Vec::new(),
        awaits_parent: false,
        taken_messages: peer::taken_messages(step.state),
        watcher: start.watcher.clone(),
        attributes,
    };
    let (run, ()) = open::open(opening, step.now, step.env, |step| {
        step.ensure_workflow_task()
    });
    step.successor = Some(Box::new(run));
}
