//! RespondWorkflowTaskCompleted: the worker's commands become events (behaviour, sections 4.2 to 4.7).
//!
//! The order of steps is the order of [`complete`]; what each command does is in `command/`.

use proto::temporal::api::common::v1::WorkerVersionStamp;
use proto::temporal::api::enums::v1::{
    CommandType, TimeoutType, VersioningBehavior as Behavior, WorkflowTaskFailedCause as Cause,
};
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    WorkflowTaskCompletedEventAttributes, WorkflowTaskTimedOutEventAttributes,
};
use proto::temporal::api::workflowservice::v1::RespondWorkflowTaskCompletedRequest;

use super::completion_pages::{self, Paged};
use super::{activity_task_started, workflow_task_failed, workflow_task_started};
use crate::deployment::Version;
use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::time::duration;
use crate::workflow::command::{self, BadCommand, Context, protocol_message};
use crate::workflow::input::WorkflowTaskCompleted;
use crate::workflow::record::{ChangeKind, Sticky};
use crate::workflow::state::State;
use crate::workflow::step::Step;
use crate::workflow::token::WorkflowTaskToken;
use crate::workflow::transition::{Reply, Transition, WorkflowTaskCompletedReply};
use crate::workflow::update;
use crate::workflow::versioning;

pub(crate) fn complete(
    mut step: Step<'_>,
    completed: WorkflowTaskCompleted,
) -> Result<Transition, Rejection> {
    let WorkflowTaskCompleted {
        token,
        request,
        nexus_endpoints,
        ..
    } = completed;
    if !holds_task(step.state, &token) {
        return step.reject(Rejection::WorkflowTaskNotFound);
    }
    if step.state.is_paused() && request.force_create_new_workflow_task {
        return step.reject(Rejection::FailedPrecondition(
            "Workflow is paused and force create new workflow task is not allowed.".to_owned(),
        ));
    }
    let identity = request.identity.clone();
    let (request, nexus_endpoints) =
        match completion_pages::receive(&mut step, request, nexus_endpoints) {
            Ok(Paged::Whole(request, nexus_endpoints)) => (*request, nexus_endpoints),
            Ok(Paged::Kept) => return step.done(Reply::Done),
            Ok(Paged::TooLarge(bad)) => return bad_command(step, bad, &identity),
            Err(rejection) => return step.reject(rejection),
        };
    let said = match check_sequence(&request).and_then(|()| versioning::completed(&request)) {
        Ok(said) => said,
        Err(rejection) => return step.reject(rejection),
    };
    if let Some(transition) = heartbeat_expired(&mut step, &request) {
        return Ok(step.finish(transition));
    }
    let original_scheduled_time = step
        .state
        .core
        .workflow_task
        .as_ref()
        .map(|task| task.original_scheduled_time);
    let unhandled = !step.state.core.buffered.is_empty();
    let directive_before = settled_directive(step.state);
    let before = step.savepoint();
    let mut reply = WorkflowTaskCompletedReply::default();
    let completed_event_id = if leaves_no_trace(&step, &request) {
        step.state.core.workflow_task = None;
        reply.reset_history_event_id = step.state.core.previous_started_event_id;
        0
    } else if let Some(completed_event_id) = record_completed(&mut step, &request, said) {
        completed_event_id
    } else {
        return step.reject(Rejection::WorkflowTaskNotFound);
    };
    set_sticky(&mut step, &request);
    if directive_before != settled_directive(step.state) {
        // Before the commands: what they schedule goes to the right place by itself.
        versioning::offer_activities_again(&mut step);
    }
    let heartbeat = request.commands.is_empty() && request.messages.is_empty();
    let mut context = Context {
        completed_event_id,
        identity: request.identity.clone(),
        eager: Vec::new(),
        nexus_endpoints,
        unhandled,
        messages: request.messages,
    };
    let carried_out = request
        .commands
        .into_iter()
        .try_for_each(|command| command::carry_out(&mut step, &mut context, command))
        .and_then(|()| protocol_message::receive_rest(&mut step, &mut context));
    if let Err(bad) = carried_out {
        step.undo_to(before);
        return bad_command(step, bad, &request.identity);
    }
    if step.state.is_open() {
        if !request.force_create_new_workflow_task {
            update::reject_unprocessed(&mut step);
        }
        let news = step.flush_buffer();
        let moving = step.state.version_transition().is_some();
        let inline = request.return_new_workflow_task && !moving;
        let build = request.worker_version_stamp.as_ref();
        let build = build.filter(|build| !build.use_versioning);
        if step.state.is_paused() {
            step.state.volatile.close_contended = false;
        } else if news || moving || request.force_create_new_workflow_task {
            step.state.volatile.close_contended &= news;
            let next = Next {
                inline,
                speculative: false,
                resend: !request.force_create_new_workflow_task,
                build,
            };
            follow_up(&mut step, next, &request.identity, &mut reply);
            if heartbeat && request.force_create_new_workflow_task {
                // A heartbeat keeps the clock of the task that it prolongs (behaviour, section 4.7).
                keep_original_time(&mut step, original_scheduled_time);
            }
        } else {
            step.state.volatile.close_contended = false;
            if update::any_to_send(step.state) {
                // Updates that came while this task was started.
                let next = Next {
                    inline,
                    speculative: inline,
                    resend: true,
                    build,
                };
                follow_up(&mut step, next, &request.identity, &mut reply);
            }
        }
        for scheduled_event_id in context.eager {
            reply.activity_tasks.extend(activity_task_started::eager(
                &mut step,
                scheduled_event_id,
                &request.identity,
            ));
        }
    } else {
        reply.workflow_task_follows = true;
    }
    step.done(Reply::WorkflowTaskCompleted(Box::new(reply)))
}

/// Whether a speculative task vanishes: it led to nothing but rejections, and the worker need not be told
/// anything that it could not be told again (behaviour, section 7.2).
fn leaves_no_trace(step: &Step<'_>, request: &RespondWorkflowTaskCompletedRequest) -> bool {
    let core = &step.state.core;
    if !core.workflow_task.as_ref().is_some_and(|t| t.speculative)
        || !request.commands.is_empty()
        || request.force_create_new_workflow_task
        || step.state.version_transition().is_some()
    {
        return false;
    }
    let capabilities = request.capabilities.as_ref();
    let takes_events_again =
        capabilities.is_some_and(|c| c.discard_speculative_workflow_task_with_events);
    let events_max = if takes_events_again {
        step.env.limits.speculative_events_max
    } else {
        0
    };
    // After the last started event come its completion and what happened since.
    let events = core.next_event_id - core.previous_started_event_id - 2;
    events <= events_max && request.messages.iter().all(protocol_message::is_rejection)
}

/// Where a run's waiting tasks were offered, whatever is moving.
fn settled_directive(state: &State) -> (Behavior, Option<Version>, bool) {
    let versioning = state.core.versioning.as_ref();
    (
        versioning.map_or(Behavior::Unspecified, |v| v.settled_behavior()),
        versioning.and_then(|v| v.settled_version()),
        state.version_transition().is_some(),
    )
}

/// Whether a token is of the task that is started now; all of it must match.
pub(crate) fn holds_task(state: &State, token: &WorkflowTaskToken) -> bool {
    state.is_open()
        && state
            .started_workflow_task()
            .is_some_and(|(task, started)| {
                task.attempt == token.attempt
                    && started.event_id == token.started_event_id
                    && started.time.0 == token.started_time
                    && (task.is_transient() || task.scheduled_event_id == token.scheduled_event_id)
            })
}

/// Errors in the sequence leave the task started and write nothing (behaviour, section 4.3).
fn check_sequence(request: &RespondWorkflowTaskCompletedRequest) -> Result<(), Rejection> {
    for message in &request.messages {
        protocol_message::check(message)?;
    }
    let commands = &request.commands;
    for (index, command) in commands.iter().enumerate() {
        let kind = CommandType::try_from(command.command_type).unwrap_or(CommandType::Unspecified);
        let closes = matches!(
            kind,
            CommandType::CompleteWorkflowExecution
                | CommandType::FailWorkflowExecution
                | CommandType::CancelWorkflowExecution
                | CommandType::ContinueAsNewWorkflowExecution
        );
        if kind == CommandType::Unspecified {
            return Err(Rejection::invalid("unknown command type: Unspecified"));
        }
        if closes && index + 1 < commands.len() {
            let names: Vec<&str> = commands
                .iter()
                .map(|c| command::name(c.command_type))
                .collect();
            return Err(Rejection::invalid(format!(
                "invalid command sequence: [{}], command {} must be the last command.",
                names.join(", "),
                command::name(command.command_type)
            )));
        }
    }
    Ok(())
}

/// A chain of heartbeats that has gone on for too long ends with a time-out.
fn heartbeat_expired(
    step: &mut Step<'_>,
    request: &RespondWorkflowTaskCompletedRequest,
) -> Option<Result<Reply, Rejection>> {
    let heartbeat = request.force_create_new_workflow_task
        && request.commands.is_empty()
        && request.messages.is_empty();
    let since = step
        .state
        .core
        .workflow_task
        .as_ref()?
        .original_scheduled_time;
    if !heartbeat || step.time().since(since) <= step.env.limits.workflow_task_heartbeat_max {
        return None;
    }
    time_out_started(step, TimeoutType::StartToClose);
    Some(Err(Rejection::WorkflowTaskHeartbeatTimeout))
}

/// Ends the started task with a time-out and schedules the next. A transient one leaves no event.
pub(crate) fn time_out_started(step: &mut Step<'_>, timeout_type: TimeoutType) {
    let transient = step
        .state
        .core
        .workflow_task
        .as_ref()
        .is_some_and(|t| t.is_transient());
    if transient {
        workflow_task_failed::forget_attempt(step);
    } else if let Some(recorded) = workflow_task_started::record(step) {
        step.write(Attributes::WorkflowTaskTimedOutEventAttributes(
            WorkflowTaskTimedOutEventAttributes {
                scheduled_event_id: recorded.scheduled_event_id,
                started_event_id: recorded.started_event_id,
                timeout_type: timeout_type as i32,
            },
        ));
    }
    workflow_task_failed::go_on(step);
}

fn record_completed(
    step: &mut Step<'_>,
    request: &RespondWorkflowTaskCompletedRequest,
    said: versioning::Completed,
) -> Option<EventId> {
    let moving = step.state.started_workflow_task();
    let moving = moving.and_then(|(_, started)| started.transition.clone());
    let recorded = workflow_task_started::record(step)?;
    if let Some(transition) = moving {
        versioning::record_transition(step, &transition);
    }
    Some(step.write(Attributes::WorkflowTaskCompletedEventAttributes(
        WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: recorded.scheduled_event_id,
            started_event_id: recorded.started_event_id,
            identity: request.identity.clone(),
            binary_checksum: request.binary_checksum.clone(),
            worker_version: request.worker_version_stamp.clone(),
            sdk_metadata: request.sdk_metadata.clone(),
            metering_metadata: request.metering_metadata,
            versioning_behavior: said.behavior.into(),
            worker_deployment_name: said.deployment_name,
            deployment_version: said.version.as_ref().map(Version::to_wire),
            ..WorkflowTaskCompletedEventAttributes::default()
        },
    )))
}

/// Sticky attributes set stickiness, their absence clears it (behaviour, section 4.6).
fn set_sticky(step: &mut Step<'_>, request: &RespondWorkflowTaskCompletedRequest) {
    let asked = request.sticky_attributes.as_ref().and_then(|sticky| {
        let queue = sticky.worker_task_queue.as_ref()?.name.clone();
        (!queue.is_empty()).then(|| Sticky {
            queue,
            timeout: i64::try_from(duration(sticky.schedule_to_start_timeout.as_ref()).as_nanos())
                .unwrap_or(i64::MAX),
        })
    });
    // A run that moves away from this worker is not its own any more.
    let asked = asked
        .filter(|_| step.state.version_transition().is_none())
        .unwrap_or_default();
    let same = match &step.state.core.sticky {
        Some(now) => {
            *now.queue == asked.queue && i64::try_from(now.timeout.as_nanos()) == Ok(asked.timeout)
        }
        None => asked.queue.is_empty(),
    };
    if !same {
        step.change(ChangeKind::Sticky(asked));
    }
}

/// What the reference shows as the claim of a task that was started inline.
const INLINE_REQUEST_ID: &str = "request-from-RespondWorkflowTaskCompleted";

/// What workflow task follows a completion.
struct Next<'a> {
    /// Started inline, because the worker asked for that.
    inline: bool,
    /// There is nothing to store for it.
    speculative: bool,
    /// It brings again what the completed one brought and did not answer.
    resend: bool,
    /// The build of a worker that has no version.
    build: Option<&'a WorkerVersionStamp>,
}

/// Schedules the next workflow task.
fn follow_up(
    step: &mut Step<'_>,
    next: Next<'_>,
    identity: &str,
    reply: &mut WorkflowTaskCompletedReply,
) {
    reply.workflow_task_follows = true;
    if !next.inline {
        step.schedule_workflow_task();
        return;
    }
    if next.speculative {
        step.schedule_speculative_workflow_task();
    } else {
        step.schedule_workflow_task_quietly();
    }
    // The worker has everything up to the task that it completes now.
    let worker = workflow_task_started::Worker {
        identity,
        request_id: INLINE_REQUEST_ID,
        sticky: true,
        resend: next.resend,
        build: next.build,
        transition: None,
    };
    reply.workflow_task = workflow_task_started::begin(step, worker);
}

fn keep_original_time(step: &mut Step<'_>, original: Option<crate::time::Timestamp>) {
    if let Some(original) = original {
        step.change(ChangeKind::WorkflowTaskOriginalScheduledTime(original.0));
    }
}

/// A bad command fails the task; some also end the workflow (behaviour, section 4.3).
fn bad_command(
    mut step: Step<'_>,
    bad: BadCommand,
    identity: &str,
) -> Result<Transition, Rejection> {
    let transient = step
        .state
        .core
        .workflow_task
        .as_ref()
        .is_some_and(|t| t.is_transient());
    let unhandled = bad.cause == Cause::UnhandledCommand;
    let rejection = Rejection::invalid(bad.wire_message());
    if transient && !unhandled && !bad.ends_workflow {
        // Nothing is written for a later attempt: the task stays started until it times out.
        update::abort_sent(&mut step);
        return Ok(step.finish(Err(rejection)));
    }
    update::abort_sent(&mut step);
    if bad.ends_workflow {
        let message = bad.wire_message();
        workflow_task_failed::record(&mut step, bad.cause, Some(bad.failure()), identity, "");
        step.flush_buffer();
        step.force_terminate(&message);
        return Ok(step.finish(Err(rejection)));
    }
    step.state.volatile.close_contended = unhandled;
    workflow_task_failed::record(&mut step, bad.cause, Some(bad.failure()), identity, "");
    workflow_task_failed::go_on(&mut step);
    Ok(step.finish(Err(rejection)))
}
