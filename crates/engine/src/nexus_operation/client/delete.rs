//! Deleting an open operation: it is terminated first. That it is to go is recorded with its end, so that a server that
//! starts afresh goes on with it.

use super::terminate;
use crate::nexus_operation::input::Terminate;
use crate::nexus_operation::record::ChangeKind;
use crate::nexus_operation::step::Step;
use crate::rejection::Rejection;

pub(in crate::nexus_operation) fn delete(step: &mut Step<'_>) -> Result<(), Rejection> {
    terminate::terminate(
        step,
        Terminate {
            reason: "Delete nexus operation execution".to_owned(),
            ..Terminate::default()
        },
    )?;
    if !step.is_untouched() {
        step.change(ChangeKind::Deleting(true));
    }
    Ok(())
}
