//! The first record of a run that a client, a schedule or a parent asks for: when it begins to work, and what its started
//! event says (behaviour, sections 4.1 and 4.8).

use std::time::Duration;

use proto::temporal::api::enums::v1::{ContinueAsNewInitiator, WorkflowExecutionStatus as Status};
use proto::temporal::api::history::v1::WorkflowExecutionStartedEventAttributes;
use proto::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use uuid::Uuid;

use super::start::{StartOutcome, StartReply, Wish};
use super::{signal, update};
use crate::Env;
use crate::deployment::normalised;
use crate::ids::Now;
use crate::time::{Timestamp, duration, wire};
use crate::workflow::input::StartChild;
use crate::workflow::open::{self, Opening};
use crate::workflow::update::UpdateStage;
use crate::workflow::worker::workflow_task_started;

/// Opens a run of its own chain.
pub(super) fn open(wish: Wish, run_id: Option<Uuid>, now: &mut Now, env: Env<'_>) -> StartOutcome {
    let run_id = run_id.unwrap_or_else(|| now.run_id());
    let request = wish.start;
    let child = wish.child.as_deref();
    let inherited = child.and_then(|c| c.initiated.time_skipping_state_propagation.as_ref());
    let time = now.time.after(open::ahead(inherited));
    let backoff = first_backoff(&request, time);
    let awaits_parent = wish.child.is_some();
    let eager = request.request_eager_execution
        && backoff.is_zero()
        && wish.child.is_none()
        && wish.signal.is_none();
    let request_id = request.request_id.clone();
    let identity = request.identity.clone();
    let updated = wish.update.is_some();
    let opening = Opening {
        workflow_id: request.workflow_id.as_str().into(),
        run_id,
        request_id: request_id.clone(),
        user_metadata: request.user_metadata.clone(),
        links: request.links.clone(),
        awaits_parent,
        taken_messages: wish.taken_messages,
        watcher: wish.watcher,
        attributes: started_attributes(
            request,
            wish.child.as_deref(),
            run_id,
            backoff,
            eager,
            time,
            env,
        ),
    };
    let (new_run, eager_workflow_task) = open::open(opening, now, env, |step| {
        if let Some(signal) = &wish.signal {
            let attributes = signal::attributes(signal, None);
            signal::record(step, attributes, signal.links.clone());
        }
        if eager {
            step.schedule_workflow_task_quietly();
            let worker = workflow_task_started::Worker {
                identity: &identity,
                request_id: &request_id,
                sticky: false,
                resend: true,
                build: None,
                transition: None,
            };
            return Some(workflow_task_started::begin(step, worker));
        }
        step.ensure_workflow_task();
        if let Some(update) = wish.update {
            update::admit_with_start(step, update.request);
        }
        None
    });
    let reply = StartReply {
        run_id,
        first_execution_run_id: run_id.to_string(),
        started: true,
        status: Status::Running,
        request_id,
        eager_workflow_task: eager_workflow_task.flatten(),
        update: updated.then_some(UpdateStage::Admitted),
    };
    StartOutcome {
        current: None,
        new_run: Some(Box::new(new_run)),
        reply,
    }
}

/// How long the first workflow task waits: for the asked delay, or for the cron's next time.
fn first_backoff(request: &StartWorkflowExecutionRequest, now: Timestamp) -> Duration {
    let delay = duration(request.workflow_start_delay.as_ref());
    if !delay.is_zero() {
        return delay;
    }
    crate::workflow::chain::cron_backoff(&request.cron_schedule, now, now).unwrap_or_default()
}

fn started_attributes(
    request: StartWorkflowExecutionRequest,
    child: Option<&StartChild>,
    run_id: Uuid,
    backoff: Duration,
    eager: bool,
    now: Timestamp,
    env: Env<'_>,
) -> WorkflowExecutionStartedEventAttributes {
    let run = request.workflow_run_timeout;
    let execution = request.workflow_execution_timeout;
    let execution_timeout = duration(execution.as_ref());
    let run_timeout = open::run_timeout(duration(run.as_ref()), execution_timeout);
    let task_timeout = open::task_timeout(
        duration(request.workflow_task_timeout.as_ref()),
        run_timeout,
        env.limits,
    );
    // What is not set stays absent, and a zero stays a zero. A child's run timeout is always there (behaviour, 4.1).
    let shown = |asked: bool, span: Duration| (asked || !span.is_zero()).then(|| wire(span));
    let initiator = if request.cron_schedule.is_empty() {
        ContinueAsNewInitiator::Unspecified
    } else {
        ContinueAsNewInitiator::CronSchedule
    };
    let parent = child.map(|c| &c.parent);
    let mut attributes = WorkflowExecutionStartedEventAttributes {
        workflow_type: request.workflow_type,
        parent_workflow_namespace: parent.map_or_else(String::new, |p| p.namespace.clone()),
        parent_workflow_namespace_id: child
            .map_or_else(String::new, |c| c.parent_namespace_id.to_string()),
        parent_workflow_execution: parent.map(|p| p.execution.clone()),
        parent_initiated_event_id: parent.map_or(0, |p| p.initiated_event_id),
        task_queue: request.task_queue.map(|q| open::normal_queue(&q.name)),
        input: request.input,
        workflow_execution_timeout: shown(execution.is_some(), execution_timeout),
        workflow_run_timeout: shown(child.is_some() || run.is_some(), run_timeout),
        workflow_task_timeout: Some(wire(task_timeout)),
        initiator: initiator as i32,
        continued_failure: request.continued_failure,
        last_completion_result: request.last_completion_result,
        original_execution_run_id: run_id.to_string(),
        identity: request.identity,
        first_execution_run_id: run_id.to_string(),
        retry_policy: request.retry_policy,
        attempt: 1,
        workflow_execution_expiration_time: (!execution_timeout.is_zero())
            .then(|| now.after(execution_timeout).after(backoff).to_proto()),
        cron_schedule: request.cron_schedule,
        first_workflow_task_backoff: Some(wire(backoff)),
        memo: open::shown_memo(request.memo),
        search_attributes: request.search_attributes,
        header: request.header,
        workflow_id: request.workflow_id,
        completion_callbacks: request.completion_callbacks,
        root_workflow_execution: child.map(|c| c.root.clone()),
        priority: request.priority,
        eager_execution_accepted: eager,
        time_skipping_config: request.time_skipping_config,
        time_skipping_state_propagation: child
            .and_then(|c| c.initiated.time_skipping_state_propagation),
        versioning_override: request.versioning_override.as_ref().and_then(normalised),
        ..WorkflowExecutionStartedEventAttributes::default()
    };
    if let Some(child) = child {
        child
            .inherited
            .clone()
            .put_into(&mut attributes, env.routing);
    }
    attributes
}
