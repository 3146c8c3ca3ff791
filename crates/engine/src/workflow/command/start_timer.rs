//! START_TIMER.

use proto::temporal::api::command::v1::StartTimerCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::TimerStartedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context};
use crate::time::is_negative;
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<StartTimerCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let bad = |message: String| BadCommand::new(Cause::BadStartTimerAttributes, message);
    let Some(a) = attributes else {
        return Err(bad(
            "StartTimerCommandAttributes is not set on StartTimerCommand.".into(),
        ));
    };
    if a.timer_id.is_empty() {
        return Err(bad("TimerId is not set on StartTimerCommand.".into()));
    }
    if a.timer_id.len() > step.env.limits.id_length_max {
        return Err(bad(format!(
            "TimerId on StartTimerCommand exceeds length limit. TimerId={} Length={} Limit={}",
            a.timer_id,
            a.timer_id.len(),
            step.env.limits.id_length_max
        )));
    }
    if is_negative(a.start_to_fire_timeout.as_ref()) {
        return Err(bad(format!(
            "An invalid StartToFireTimeout is set on StartTimerCommand: negative duration. TimerId={}",
            a.timer_id
        )));
    }
    if step.state.timers.contains(a.timer_id.as_str()) {
        return Err(BadCommand::new(
            Cause::StartTimerDuplicateId,
            format!(
                "invalid history builder state for action: add-timer-started-event, TimerID: {}",
                a.timer_id
            ),
        ));
    }
    step.write_with(
        Attributes::TimerStartedEventAttributes(TimerStartedEventAttributes {
            timer_id: a.timer_id,
            start_to_fire_timeout: a.start_to_fire_timeout,
            workflow_task_completed_event_id: context.completed_event_id,
        }),
        extras,
    );
    Ok(())
}
