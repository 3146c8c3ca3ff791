//! DeleteSchedule. What runs, runs on.

use crate::rejection::Rejection;
use crate::schedule::record::ChangeKind;
use crate::schedule::step::Step;

pub(in crate::schedule) fn delete(step: &mut Step<'_>) -> Result<(), Rejection> {
    if !step.state.is_open() {
        return Err(Rejection::AlreadyCompleted);
    }
    step.change(ChangeKind::Ended(true));
    Ok(())
}
