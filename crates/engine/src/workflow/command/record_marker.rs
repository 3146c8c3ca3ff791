//! RECORD_MARKER: local activities, side effects, patches.

use prost::Message;
use proto::temporal::api::command::v1::RecordMarkerCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::MarkerRecordedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context, check_blob};
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<RecordMarkerCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let cause = Cause::BadRecordMarkerAttributes;
    let Some(a) = attributes else {
        let message = "RecordMarkerCommandAttributes is not set on RecordMarkerCommand.";
        return Err(BadCommand::new(cause, message));
    };
    if a.marker_name.is_empty() {
        return Err(BadCommand::new(
            cause,
            "MarkerName is not set on RecordMarkerCommand.",
        ));
    }
    if a.marker_name.len() > step.env.limits.id_length_max {
        let message = format!(
            "MarkerName on RecordMarkerCommand exceeds length limit. MarkerName={} Length={} Limit={}",
            a.marker_name,
            a.marker_name.len(),
            step.env.limits.id_length_max
        );
        return Err(BadCommand::new(cause, message));
    }
    let details: usize = a
        .details
        .iter()
        .map(|(name, p)| name.len() + p.encoded_len())
        .sum();
    check_blob(
        step,
        cause,
        details,
        "RecordMarkerCommandAttributes.Details",
    )?;
    step.write_with(
        Attributes::MarkerRecordedEventAttributes(MarkerRecordedEventAttributes {
            marker_name: a.marker_name,
            details: a.details,
            workflow_task_completed_event_id: context.completed_event_id,
            header: a.header,
            failure: a.failure,
        }),
        extras,
    );
    Ok(())
}
