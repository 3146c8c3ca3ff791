//! UPSERT_WORKFLOW_SEARCH_ATTRIBUTES.

use proto::temporal::api::command::v1::UpsertWorkflowSearchAttributesCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::UpsertWorkflowSearchAttributesEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context};
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<UpsertWorkflowSearchAttributesCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let bad = |message: String| BadCommand::new(Cause::BadSearchAttributes, message);
    let Some(a) = attributes else {
        return Err(bad(
            "UpsertWorkflowSearchAttributesCommandAttributes is not set on UpsertWorkflowSearchAttributesCommand."
                .into(),
        ));
    };
    let Some(given) = a.search_attributes.filter(|s| !s.indexed_fields.is_empty()) else {
        return Err(bad(
            "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.".into(),
        ));
    };
    let normal = step
        .env
        .checked_search_attributes(&given)
        .map_err(|error| bad(error.to_string()))?;
    step.write_with(
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(
            UpsertWorkflowSearchAttributesEventAttributes {
                workflow_task_completed_event_id: context.completed_event_id,
                search_attributes: Some(normal),
            },
        ),
        extras,
    );
    step.row_changed = true;
    Ok(())
}
