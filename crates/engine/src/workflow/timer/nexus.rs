//! What time does to Nexus operations and to callbacks: a request is due again, or a timeout runs out.

use crate::workflow::nexus;
use crate::workflow::step::Step;

pub(super) fn fire_operations(step: &mut Step<'_>) {
    let now = step.time();
    // Each turn takes one thing out of what is due: a request under way, a result.
    while let Some((at, id)) = step.state.nexus_operations.first_due() {
        if at > now {
            break;
        }
        let id = *id;
        nexus::time_out(step, id);
    }
}

/// Callbacks outlive their execution's end.
pub(super) fn fire_callbacks(step: &mut Step<'_>) {
    let now = step.time();
    while let Some((at, index)) = step.state.callbacks.first_due() {
        if at > now {
            break;
        }
        let index = *index;
        nexus::deliver(step, index);
    }
}
