//! ResetStickyTaskQueue: the run goes back to its normal queue (behaviour, section 4.6).

use crate::rejection::Rejection;
use crate::workflow::record::{ChangeKind, Sticky};
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn reset_sticky(mut step: Step<'_>) -> Result<Transition, Rejection> {
    if !step.state.is_open() {
        return step.reject(Rejection::AlreadyCompleted);
    }
    clear(&mut step);
    step.done(Reply::Done)
}

/// Forgets the worker that has the run cached, if any.
pub(crate) fn clear(step: &mut Step<'_>) {
    if step.state.core.sticky.is_some() {
        step.change(ChangeKind::Sticky(Sticky::default()));
    }
}
