//! REQUEST_CANCEL_NEXUS_OPERATION (behaviour, sections 4.2 and 10.3).

use proto::temporal::api::command::v1::RequestCancelNexusOperationCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::NexusOperationCancelRequestedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context};
use crate::workflow::nexus;
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<RequestCancelNexusOperationCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let cause = Cause::BadRequestCancelNexusOperationAttributes;
    let Some(a) = attributes else {
        let text = "empty CancelNexusOperationCommandAttributes";
        return Err(BadCommand::new(cause, text));
    };
    let id = a.scheduled_event_id;
    // One whose result waits in the buffer may be asked to stop: the workflow cannot know.
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return Err(BadCommand::new(
            cause,
            format!(
                "requested cancelation for a non-existing or already completed operation \
                 with scheduled event ID of {id}"
            ),
        ));
    };
    if operation.cancellation.is_some() {
        return Err(BadCommand::new(
            cause,
            format!(
                "cancelation was already requested for an operation with scheduled event ID {id}"
            ),
        ));
    }
    step.write_with(
        Attributes::NexusOperationCancelRequestedEventAttributes(
            NexusOperationCancelRequestedEventAttributes {
                scheduled_event_id: id,
                workflow_task_completed_event_id: context.completed_event_id,
            },
        ),
        extras,
    );
    nexus::ask_to_cancel(step, id);
    Ok(())
}
