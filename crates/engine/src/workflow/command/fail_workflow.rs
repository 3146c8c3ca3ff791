//! FAIL_WORKFLOW_EXECUTION: retried by the workflow's own policy, or continued by its cron.

use prost::Message;
use proto::temporal::api::command::v1::FailWorkflowExecutionCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::WorkflowExecutionFailedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context, check_blob, refuse_unhandled};
use crate::workflow::chain;
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<FailWorkflowExecutionCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    refuse_unhandled(context)?;
    let cause = Cause::BadFailWorkflowExecutionAttributes;
    let Some(a) = attributes else {
        let message =
            "FailWorkflowExecutionCommandAttributes is not set on FailWorkflowExecutionCommand.";
        return Err(BadCommand::new(cause, message));
    };
    let Some(failure) = a.failure else {
        return Err(BadCommand::new(
            cause,
            "Failure is not set on FailWorkflowExecutionCommand.",
        ));
    };
    check_blob(
        step,
        cause,
        failure.encoded_len(),
        "FailWorkflowExecutionCommandAttributes.Failure",
    )?;
    let (retry_state, next) = chain::next_after_failure(step, &failure);
    let new_execution_run_id = next
        .as_ref()
        .map_or_else(String::new, |n| n.run_id.to_string());
    step.write_with(
        Attributes::WorkflowExecutionFailedEventAttributes(
            WorkflowExecutionFailedEventAttributes {
                failure: Some(failure.clone()),
                retry_state: retry_state as i32,
                workflow_task_completed_event_id: context.completed_event_id,
                new_execution_run_id,
            },
        ),
        extras,
    );
    if let Some(next) = next {
        chain::open_next(step, next, Some(failure), None);
    }
    Ok(())
}
