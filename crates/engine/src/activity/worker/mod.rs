//! What workers report.

pub(super) mod canceled;
pub(super) mod completed;
pub(super) mod failed;
pub(super) mod heartbeat;
pub(super) mod task_started;

use super::client::precondition;
use super::state::{State, Status};
use crate::rejection::Rejection;
use crate::workflow::input::ActivityTarget;

/// Nobody waits for this report: what is said of one that is not there.
fn not_found(state: &State) -> Rejection {
    Rejection::StandaloneActivityNotFound {
        activity_id: state.activity_id.to_string(),
    }
}

/// Whether a report is about an attempt that a worker has: the one of its token, or by id whatever is current.
fn resolve(state: &State, target: &ActivityTarget) -> Result<(), Rejection> {
    let held = state.status().has_attempt()
        && match target {
            ActivityTarget::Token(token) => {
                token.attempt == state.core.attempt && token.started_time == state.core.started_time
            }
            ActivityTarget::Id(_) => true,
        };
    if held { Ok(()) } else { Err(not_found(state)) }
}

/// As [`resolve`], but by its id an activity that no worker has is found too, and one that is over says so.
fn resolve_any(state: &State, target: &ActivityTarget) -> Result<(), Rejection> {
    match (target, state.status()) {
        (ActivityTarget::Id(_), Status::Scheduled | Status::Paused) => Ok(()),
        (ActivityTarget::Id(_), status) if !status.is_open() => {
            Err(precondition(format!("invalid transition from {status:?}")))
        }
        _ => resolve(state, target),
    }
}
