//! MODIFY_WORKFLOW_PROPERTIES: the memo.

use prost::Message;
use proto::temporal::api::command::v1::ModifyWorkflowPropertiesCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::WorkflowPropertiesModifiedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context};
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<ModifyWorkflowPropertiesCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let cause = Cause::BadModifyWorkflowPropertiesAttributes;
    let Some(a) = attributes else {
        let message = "ModifyWorkflowPropertiesCommandAttributes is not set on ModifyWorkflowPropertiesCommand.";
        return Err(BadCommand::new(cause, message));
    };
    if a.upserted_memo
        .as_ref()
        .is_none_or(|memo| memo.fields.is_empty())
    {
        let message = "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.";
        return Err(BadCommand::new(cause, message));
    }
    let limit = step.env.limits.memo_size_error;
    let too_large = "ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size limit.";
    if a.upserted_memo.as_ref().map_or(0, Message::encoded_len) > limit {
        return Err(BadCommand::ending_workflow(cause, too_large));
    }
    step.write_with(
        Attributes::WorkflowPropertiesModifiedEventAttributes(
            WorkflowPropertiesModifiedEventAttributes {
                workflow_task_completed_event_id: context.completed_event_id,
                upserted_memo: a.upserted_memo,
            },
        ),
        extras,
    );
    if step.state.core.memo.encoded_len() > limit {
        return Err(BadCommand::ending_workflow(cause, too_large));
    }
    step.row_changed = true;
    Ok(())
}
