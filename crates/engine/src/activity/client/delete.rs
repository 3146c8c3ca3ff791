//! DeleteActivityExecution of an open one: it is terminated first. That it is to go is recorded with its end, so that a
//! server that starts afresh goes on with it.

use super::terminate;
use crate::activity::input::Terminate;
use crate::activity::record::ChangeKind;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn delete(step: &mut Step<'_>) -> Result<Reply, Rejection> {
    let reply = terminate::terminate(
        step,
        Terminate {
            reason: "Delete activity execution".to_owned(),
            ..Terminate::default()
        },
    )?;
    if !step.is_untouched() {
        step.change(ChangeKind::Deleting(true));
    }
    Ok(reply)
}
