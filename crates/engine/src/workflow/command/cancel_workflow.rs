//! CANCEL_WORKFLOW_EXECUTION: never retried, and the end of a cron chain.

use proto::temporal::api::command::v1::CancelWorkflowExecutionCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::WorkflowExecutionCanceledEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context, check_blob, refuse_unhandled, size};
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<CancelWorkflowExecutionCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    refuse_unhandled(context)?;
    let cause = Cause::BadCancelWorkflowExecutionAttributes;
    let Some(a) = attributes else {
        let message = "CancelWorkflowExecutionCommandAttributes is not set on CancelWorkflowExecutionCommand.";
        return Err(BadCommand::new(cause, message));
    };
    check_blob(
        step,
        cause,
        size(a.details.as_ref()),
        "CancelWorkflowExecutionCommandAttributes.Details",
    )?;
    step.write_with(
        Attributes::WorkflowExecutionCanceledEventAttributes(
            WorkflowExecutionCanceledEventAttributes {
                workflow_task_completed_event_id: context.completed_event_id,
                details: a.details,
            },
        ),
        extras,
    );
    Ok(())
}
