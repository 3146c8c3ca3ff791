//! CONTINUE_AS_NEW_WORKFLOW_EXECUTION (behaviour, section 6.4).

use prost::Message;
use proto::temporal::api::command::v1::ContinueAsNewWorkflowExecutionCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::WorkflowExecutionContinuedAsNewEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context, check_blob, refuse_unhandled, size};
use crate::time::{duration, is_negative, wire};
use crate::workflow::chain;
use crate::workflow::open::{self, normal_queue};
use crate::workflow::step::{Extras, Step};
use crate::{cron, retry};

const CAUSE: Cause = Cause::BadContinueAsNewAttributes;

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<ContinueAsNewWorkflowExecutionCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    refuse_unhandled(context)?;
    let Some(mut a) = attributes else {
        return Err(BadCommand::new(
            CAUSE,
            "ContinueAsNewWorkflowExecutionCommandAttributes is not set on ContinueAsNewWorkflowExecutionCommand.",
        ));
    };
    check_blob(
        step,
        CAUSE,
        size(a.input.as_ref()),
        "ContinueAsNewWorkflowExecutionCommandAttributes. Input",
    )?;
    if a.memo.as_ref().map_or(0, Message::encoded_len) > step.env.limits.memo_size_error {
        let message = "ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.";
        return Err(BadCommand::ending_workflow(CAUSE, message));
    }
    check(step, &mut a)?;
    fill_in(step, &mut a);
    let next = chain::continue_as_new(step, &a);
    step.write_with(
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(
            WorkflowExecutionContinuedAsNewEventAttributes {
                new_execution_run_id: next.run_id.to_string(),
                workflow_type: a.workflow_type.clone(),
                task_queue: a.task_queue.clone(),
                input: a.input.clone(),
                workflow_run_timeout: a.workflow_run_timeout,
                workflow_task_timeout: a.workflow_task_timeout,
                workflow_task_completed_event_id: context.completed_event_id,
                // As it was asked for; the next run's first event tells what became of it.
                backoff_start_interval: a.backoff_start_interval,
                initiator: a.initiator,
                failure: a.failure.clone(),
                last_completion_result: a.last_completion_result.clone(),
                header: a.header.clone(),
                memo: open::shown_memo(a.memo.clone()),
                search_attributes: a.search_attributes.clone(),
                inherit_build_id: a.inherit_build_id,
                initial_versioning_behavior: a.initial_versioning_behavior,
            },
        ),
        extras,
    );
    chain::open_continued(step, next, a);
    Ok(())
}

fn check(
    step: &Step<'_>,
    a: &mut ContinueAsNewWorkflowExecutionCommandAttributes,
) -> Result<(), BadCommand> {
    let bad = |message: String| Err(BadCommand::new(CAUSE, message));
    let limit = step.env.limits.id_length_max;
    let command = "ContinueAsNewWorkflowExecutionCommand";
    let workflow_type = match a.workflow_type.as_ref().map_or("", |t| &t.name) {
        "" => step.state.core.start.workflow_type.to_string(),
        name => name.to_owned(),
    };
    if workflow_type.len() > limit {
        let length = workflow_type.len();
        return bad(format!(
            "WorkflowType on {command} exceeds length limit. WorkflowType={workflow_type} Length={length} Limit={limit}"
        ));
    }
    let queue = match a.task_queue.as_ref().map_or("", |queue| &queue.name) {
        "" => step.state.core.start.task_queue.to_string(),
        name => name.to_owned(),
    };
    if queue.len() > limit {
        return bad(format!(
            "error validating {command} TaskQueue: taskQueue length exceeds limit. WorkflowType={workflow_type} TaskQueue=name:\"{queue}\""
        ));
    }
    let which = format!("WorkflowType={workflow_type} TaskQueue=name:\"{queue}\"");
    for (field, value) in [
        ("WorkflowRunTimeout", &a.workflow_run_timeout),
        ("WorkflowTaskTimeout", &a.workflow_task_timeout),
        ("BackoffStartInterval", &a.backoff_start_interval),
    ] {
        if is_negative(value.as_ref()) {
            return bad(format!(
                "Invalid {field} on {command}: negative duration. {which}"
            ));
        }
    }
    if let Some(policy) = a.retry_policy.take() {
        match retry::completed(&policy) {
            Ok(filled) => a.retry_policy = Some(filled),
            Err(error) => {
                return bad(format!(
                    "invalid WorkflowRetryPolicy on {command}: {error}. {which}"
                ));
            }
        }
    }
    if !a.cron_schedule.is_empty()
        && let Err(error) = cron::Cron::parse(&a.cron_schedule)
    {
        return bad(format!(
            "invalid CronSchedule on {command}: {error}. {which}"
        ));
    }
    if let Some(given) = a.search_attributes.take() {
        match step.env.checked_search_attributes(&given) {
            Ok(normal) => a.search_attributes = Some(normal),
            Err(error) => {
                return Err(BadCommand::new(
                    Cause::BadSearchAttributes,
                    error.to_string(),
                ));
            }
        }
    }
    Ok(())
}

/// Type, queue and timeouts default to the old run's; memo, search attributes, retry policy, header and
/// cron come only from the command (behaviour, section 6.4).
fn fill_in(step: &Step<'_>, a: &mut ContinueAsNewWorkflowExecutionCommandAttributes) {
    let start = &step.state.core.start;
    if a.workflow_type.as_ref().is_none_or(|t| t.name.is_empty()) {
        a.workflow_type.clone_from(&start.attributes.workflow_type);
    }
    let queue = match a.task_queue.as_ref().map_or("", |q| &q.name) {
        "" => start.task_queue.to_string(),
        name => name.to_owned(),
    };
    a.task_queue = Some(normal_queue(&queue));
    let asked = duration(a.workflow_run_timeout.as_ref());
    let run = if asked.is_zero() {
        start.run_timeout
    } else {
        asked
    };
    let run = open::run_timeout(run, start.execution_timeout);
    a.workflow_run_timeout = Some(wire(run));
    let asked = duration(a.workflow_task_timeout.as_ref());
    let task = if asked.is_zero() {
        start.workflow_task_timeout
    } else {
        asked
    };
    a.workflow_task_timeout = Some(wire(open::task_timeout(task, run, step.env.limits)));
}
