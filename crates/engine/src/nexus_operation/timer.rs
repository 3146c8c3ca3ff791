//! What time does: a request is due again, or one of the three timeouts runs out.

use super::ask;
use super::step::Step;
use crate::time::Timestamp;

/// One thing that is due, if anything is. The overall timeouts go first: with them, nothing else matters any more.
pub(super) fn fire(step: &mut Step<'_>) {
    let now = step.time();
    let operation = &step.state.operation;
    if !step.state.is_open() {
        return;
    }
    if let Some(timeout) = operation.timed_out(now) {
        ask::time_out(step, timeout, false);
        return;
    }
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    if operation.started.is_none() && is_due(operation.start.wanted()) {
        ask::ask_to_start(step);
        return;
    }
    let cancellation = operation.cancellation.as_ref().filter(|c| c.is_pending());
    if cancellation.is_some_and(|c| is_due(c.asking.wanted())) {
        ask::ask_to_cancel(step);
    }
}
