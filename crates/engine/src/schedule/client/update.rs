//! UpdateSchedule: everything but the memo is replaced.

use proto::temporal::api::workflowservice::v1::UpdateScheduleRequest;

use crate::Env;
use crate::rejection::Rejection;
use crate::schedule::advance;
use crate::schedule::record::{ChangeKind, Updated};
use crate::schedule::step::Step;

pub(in crate::schedule) fn update(
    step: &mut Step<'_>,
    request: UpdateScheduleRequest,
    env: Env<'_>,
) -> Result<(), Rejection> {
    let search_attributes = match &request.search_attributes {
        Some(given) => Some(
            env.checked_search_attributes(given)
                .map_err(|error| Rejection::invalid(error.to_string()))?,
        ),
        None => None,
    };
    if !take_request(step, &request.request_id)? {
        return Ok(());
    }
    // What was due before the update is done as it was.
    advance::pass_time(step);
    advance::work(step);
    // Another change came first: the update is not made, and nobody is told (behaviour, section 8).
    if is_current(&request.conflict_token, step.state.core.conflict_token) {
        step.change(ChangeKind::Updated(Box::new(Updated {
            schedule: request.schedule,
            search_attributes,
        })));
    }
    advance::advance(step);
    Ok(())
}

/// A token of fewer than eight bytes is none, and so is 0.
fn is_current(token: &[u8], current: i64) -> bool {
    match token.first_chunk::<8>() {
        Some(bytes) => matches!(i64::from_be_bytes(*bytes), 0) || *bytes == current.to_be_bytes(),
        None => true,
    }
}

/// Takes a client's request on a schedule that lives; false when it was taken before.
pub(super) fn take_request(step: &mut Step<'_>, request_id: &str) -> Result<bool, Rejection> {
    if !step.state.is_open() {
        return Err(Rejection::AlreadyCompleted);
    }
    if request_id.is_empty() {
        return Ok(true);
    }
    let mut taken = step.state.core.request_ids.iter();
    if taken.any(|id| id == request_id) {
        return Ok(false);
    }
    step.change(ChangeKind::RequestTaken(request_id.to_owned()));
    Ok(true)
}
