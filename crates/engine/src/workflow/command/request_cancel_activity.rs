//! REQUEST_CANCEL_ACTIVITY_TASK (behaviour, sections 4.2 and 5.5).

use proto::temporal::api::command::v1::RequestCancelActivityTaskCommandAttributes;
use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    ActivityTaskCancelRequestedEventAttributes, ActivityTaskCanceledEventAttributes,
};

use super::{BadCommand, Context};
use crate::workflow::client::start::json_string;
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &mut Context,
    attributes: Option<RequestCancelActivityTaskCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let bad = |message: String| BadCommand::new(Cause::BadRequestCancelActivityAttributes, message);
    let Some(a) = attributes else {
        return Err(bad(
            "RequestCancelActivityTaskCommandAttributes is not set on RequestCancelActivityTaskCommand.".into(),
        ));
    };
    let id = a.scheduled_event_id;
    if id <= 0 {
        return Err(bad(
            "ScheduledEventId is not set on RequestCancelActivityTaskCommand.".into(),
        ));
    }
    let Some(activity) = step.state.activities.get(&id) else {
        return Err(bad(unknown(id)));
    };
    if activity.cancel_requested_event_id != 0 {
        return Err(bad(unknown(id)));
    }
    let started = activity.started.is_some();
    // One that has finished, with its result in the buffer, only gets the request recorded.
    let finished = activity.closing;
    let requested = step.write_with(
        Attributes::ActivityTaskCancelRequestedEventAttributes(
            ActivityTaskCancelRequestedEventAttributes {
                scheduled_event_id: id,
                workflow_task_completed_event_id: context.completed_event_id,
            },
        ),
        extras,
    );
    if started || finished {
        return Ok(());
    }
    // No worker has it, so nobody need be asked.
    let canceled = ActivityTaskCanceledEventAttributes {
        details: Some(Payloads {
            payloads: vec![json_string("ACTIVITY_ID_NOT_STARTED")],
        }),
        latest_cancel_requested_event_id: requested,
        scheduled_event_id: id,
        started_event_id: 0,
        identity: context.identity.clone(),
        ..ActivityTaskCanceledEventAttributes::default()
    };
    step.defer(Attributes::ActivityTaskCanceledEventAttributes(canceled));
    Ok(())
}

fn unknown(id: i64) -> String {
    format!(
        "invalid history builder state for action: add-activitytask-cancel-requested-event, ScheduledEventID: {id}"
    )
}
