//! User timers fire in the order of their times.

use proto::temporal::api::history::v1::TimerFiredEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use crate::workflow::step::{Extras, Step};

pub(super) fn fire_due(step: &mut Step<'_>) {
    let now = step.time();
    let mut fired = false;
    while let Some((at, timer_id)) = step.state.timers.first_due() {
        if at > now {
            break;
        }
        let timer_id = timer_id.clone();
        let Some(timer) = step.state.timers.get(&timer_id).copied() else {
            break;
        };
        // Recording it takes it out of what is due: at once, or by its place in the buffer.
        step.external(
            Attributes::TimerFiredEventAttributes(TimerFiredEventAttributes {
                timer_id: timer_id.to_string(),
                started_event_id: timer.started_event_id,
            }),
            Extras::default(),
        );
        fired = true;
    }
    if fired {
        step.enforce_buffer_limits();
        step.ensure_workflow_task();
    }
}
