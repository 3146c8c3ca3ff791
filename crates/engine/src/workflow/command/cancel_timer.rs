//! CANCEL_TIMER.

use proto::temporal::api::command::v1::CancelTimerCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::TimerCanceledEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context};
use crate::workflow::record::ChangeKind;
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<CancelTimerCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let bad = |message: String| BadCommand::new(Cause::BadCancelTimerAttributes, message);
    let Some(a) = attributes else {
        return Err(bad(
            "CancelTimerCommandAttributes is not set on CancelTimerCommand.".into(),
        ));
    };
    if a.timer_id.is_empty() {
        return Err(bad("TimerId is not set on CancelTimerCommand.".into()));
    }
    let Some(timer) = step.state.timers.get(a.timer_id.as_str()).copied() else {
        return Err(bad(format!(
            "invalid history builder state for action: add-timer-canceled-event, TimerID: {}",
            a.timer_id
        )));
    };
    if timer.fires_at.is_none() {
        // It fired while the worker decided to cancel it: the firing is taken back (behaviour, 4.2).
        step.change(ChangeKind::BufferedTimerDropped(a.timer_id.clone()));
    }
    step.write_with(
        Attributes::TimerCanceledEventAttributes(TimerCanceledEventAttributes {
            timer_id: a.timer_id,
            started_event_id: timer.started_event_id,
            workflow_task_completed_event_id: context.completed_event_id,
            identity: context.identity.clone(),
        }),
        extras,
    );
    Ok(())
}
