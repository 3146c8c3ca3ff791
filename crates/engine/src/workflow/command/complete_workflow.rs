//! COMPLETE_WORKFLOW_EXECUTION. A cron chain goes on with its next run.

use proto::temporal::api::command::v1::CompleteWorkflowExecutionCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::WorkflowExecutionCompletedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context, check_blob, refuse_unhandled, size};
use crate::workflow::chain;
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<CompleteWorkflowExecutionCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    refuse_unhandled(context)?;
    let Some(a) = attributes else {
        return Err(BadCommand::new(
            Cause::BadCompleteWorkflowExecutionAttributes,
            "CompleteWorkflowExecutionCommandAttributes is not set on CompleteWorkflowExecutionCommand.",
        ));
    };
    // The reference reports this one with an activity's cause; so do we (behaviour, section 4.3).
    check_blob(
        step,
        Cause::BadScheduleActivityAttributes,
        size(a.result.as_ref()),
        "CompleteWorkflowExecutionCommandAttributes.Result",
    )?;
    let next = chain::next_cron(step);
    let new_execution_run_id = next
        .as_ref()
        .map_or_else(String::new, |n| n.run_id.to_string());
    let result = a.result.clone();
    step.write_with(
        Attributes::WorkflowExecutionCompletedEventAttributes(
            WorkflowExecutionCompletedEventAttributes {
                result: a.result,
                workflow_task_completed_event_id: context.completed_event_id,
                new_execution_run_id,
            },
        ),
        extras,
    );
    if let Some(next) = next {
        chain::open_next(step, next, None, result);
    }
    Ok(())
}
