//! DeleteActivityExecution of an open one: it is terminated first. That it is to go is recorded with its end, so that a
//! server that starts afresh goes on with it. One that has ended goes when everybody who must know has been told.

use super::terminate;
use crate::activity::input::Terminate;
use crate::activity::record::ChangeKind;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn delete(step: &mut Step<'_>) -> Result<Reply, Rejection> {
    if !step.state.is_open() {
        if !step.state.core.deleting {
            step.change(ChangeKind::Deleting(true));
        }
        return Ok(Reply::Done);
    }
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
