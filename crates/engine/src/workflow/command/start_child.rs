//! START_CHILD_WORKFLOW_EXECUTION (behaviour, section 6.6).

use prost::Message;
use proto::temporal::api::command::v1::StartChildWorkflowExecutionCommandAttributes;
use proto::temporal::api::enums::v1::{
    ParentClosePolicy, WorkflowIdReusePolicy, WorkflowTaskFailedCause as Cause,
};
use proto::temporal::api::history::v1::StartChildWorkflowExecutionInitiatedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::schedule_activity::check_priority;
use super::{BadCommand, Context, check_blob, size};
use crate::deployment::{normalised, validate_override_form};
use crate::time::{duration, is_negative, wire};
use crate::workflow::open::{self, normal_queue, shown_memo};
use crate::workflow::step::{Extras, Step};
use crate::workflow::time_skipping;
use crate::{cron, retry};

const CAUSE: Cause = Cause::BadStartChildExecutionAttributes;

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<StartChildWorkflowExecutionCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let bad = |message: String| BadCommand::new(CAUSE, message);
    let Some(a) = attributes else {
        return Err(bad(
            "StartChildWorkflowExecutionCommandAttributes is not set on StartChildWorkflowExecutionCommand.".into(),
        ));
    };
    check_blob(
        step,
        CAUSE,
        size(a.input.as_ref()),
        "StartChildWorkflowExecutionCommandAttributes. Input",
    )?;
    if a.memo.as_ref().map_or(0, Message::encoded_len) > step.env.limits.memo_size_error {
        let message = "StartChildWorkflowExecutionCommandAttributes. Memo exceeds size limit.";
        return Err(BadCommand::ending_workflow(CAUSE, message));
    }
    check(step, &a)?;
    let search_attributes = match &a.search_attributes {
        Some(given) => Some(
            step.env
                .checked_search_attributes(given)
                .map_err(|error| BadCommand::new(Cause::BadSearchAttributes, error.to_string()))?,
        ),
        None => None,
    };
    let limit = step.env.limits.pending_children_max;
    let pending = step.state.children.len();
    if pending >= limit {
        return Err(BadCommand::new(
            Cause::PendingChildWorkflowsLimitExceeded,
            format!(
                "the number of pending child workflow executions, {pending}, has reached the per-workflow limit of {limit}"
            ),
        ));
    }
    let event = initiated(step, context, a, search_attributes)?;
    step.write_with(
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(event),
        extras,
    );
    Ok(())
}

fn check(
    step: &Step<'_>,
    a: &StartChildWorkflowExecutionCommandAttributes,
) -> Result<(), BadCommand> {
    let bad = |message: String| Err(BadCommand::new(CAUSE, message));
    let limit = step.env.limits.id_length_max;
    let workflow_type = a.workflow_type.as_ref().map_or("", |t| &t.name);
    let namespace = if a.namespace.is_empty() {
        &*step.env.namespace.name
    } else {
        &a.namespace
    };
    if namespace != &*step.env.namespace.name {
        return bad("cross namespace commands are not allowed".to_owned());
    }
    let id = &a.workflow_id;
    let command = "StartChildWorkflowExecutionCommand";
    if id.is_empty() {
        return bad(format!(
            "Required field WorkflowId is not set on {command}. WorkflowType={workflow_type} Namespace={namespace}"
        ));
    }
    if workflow_type.is_empty() {
        return bad(format!(
            "Required field WorkflowType is not set on {command}. WorkflowId={id} Namespace={namespace}"
        ));
    }
    if id.len() > limit {
        let length = id.len();
        return bad(format!(
            "WorkflowId on {command} exceeds length limit. WorkflowId={id} Length={length} Limit={limit} WorkflowType={workflow_type} Namespace={namespace}"
        ));
    }
    if workflow_type.len() > limit {
        let length = workflow_type.len();
        return bad(format!(
            "WorkflowType on {command} exceeds length limit. WorkflowId={id} WorkflowType={workflow_type} Length={length} Limit={limit} Namespace={namespace}"
        ));
    }
    let which = format!("WorkflowId={id} WorkflowType={workflow_type} Namespace={namespace}");
    for (field, value) in [
        ("WorkflowExecutionTimeout", &a.workflow_execution_timeout),
        ("WorkflowRunTimeout", &a.workflow_run_timeout),
        ("WorkflowTaskTimeout", &a.workflow_task_timeout),
    ] {
        if is_negative(value.as_ref()) {
            return bad(format!(
                "Invalid {field} on {command}: negative duration. {which}"
            ));
        }
    }
    if let Some(policy) = &a.retry_policy
        && let Err(error) = retry::completed(policy)
    {
        return bad(format!(
            "invalid WorkflowRetryPolicy on {command}: {error}. {which}"
        ));
    }
    if !a.cron_schedule.is_empty()
        && let Err(error) = cron::Cron::parse(&a.cron_schedule)
    {
        return bad(format!(
            "invalid CronSchedule on {command}: {error}. {which}"
        ));
    }
    check_priority(a.priority.as_ref()).or_else(|error| bad(error.to_owned()))?;
    if let Some(given) = &a.versioning_override
        && let Err(rejection) = validate_override_form(given)
    {
        return bad(rejection.to_string());
    }
    Ok(())
}

/// The event: defaults filled, as the child will have them.
fn initiated(
    step: &Step<'_>,
    context: &Context,
    a: StartChildWorkflowExecutionCommandAttributes,
    search_attributes: Option<proto::temporal::api::common::v1::SearchAttributes>,
) -> Result<StartChildWorkflowExecutionInitiatedEventAttributes, BadCommand> {
    let queue = match a.task_queue.as_ref().map_or("", |q| &q.name) {
        "" => step.state.core.start.task_queue.to_string(),
        name => name.to_owned(),
    };
    let execution_timeout = duration(a.workflow_execution_timeout.as_ref());
    let run_timeout =
        open::run_timeout(duration(a.workflow_run_timeout.as_ref()), execution_timeout);
    let task_timeout = open::task_timeout(
        duration(a.workflow_task_timeout.as_ref()),
        run_timeout,
        step.env.limits,
    );
    let parent_close_policy = match a.parent_close_policy {
        0 => ParentClosePolicy::Terminate as i32,
        policy => policy,
    };
    let workflow_id_reuse_policy = match a.workflow_id_reuse_policy {
        0 => WorkflowIdReusePolicy::AllowDuplicate as i32,
        policy => policy,
    };
    let retry_policy = match &a.retry_policy {
        Some(policy) => {
            Some(retry::completed(policy).map_err(|e| BadCommand::new(CAUSE, e.to_string()))?)
        }
        None => None,
    };
    let (time_skipping_config, time_skipping_state_propagation) =
        time_skipping::for_child(step.state);
    Ok(StartChildWorkflowExecutionInitiatedEventAttributes {
        time_skipping_config,
        time_skipping_state_propagation,
        namespace: step.env.namespace.name.to_string(),
        namespace_id: step.env.namespace.id.to_string(),
        workflow_id: a.workflow_id,
        workflow_type: a.workflow_type,
        task_queue: Some(normal_queue(&queue)),
        input: a.input,
        workflow_execution_timeout: a.workflow_execution_timeout,
        workflow_run_timeout: Some(wire(run_timeout)),
        workflow_task_timeout: Some(wire(task_timeout)),
        parent_close_policy,
        control: a.control,
        workflow_task_completed_event_id: context.completed_event_id,
        workflow_id_reuse_policy,
        retry_policy,
        cron_schedule: a.cron_schedule,
        header: a.header,
        memo: shown_memo(a.memo),
        search_attributes,
        inherit_build_id: a.inherit_build_id,
        priority: a.priority,
        versioning_override: a.versioning_override.as_ref().and_then(normalised),
    })
}
