//! What clients ask.

pub(super) mod delete;
pub(super) mod pause;
pub(super) mod request_cancel;
pub(super) mod reset;
pub(super) mod terminate;
pub(super) mod unpause;
pub(super) mod update_options;

use std::time::Duration;

use super::step::Step;
use crate::rejection::Rejection;
use crate::time::{Timestamp, duration};

pub(super) fn precondition(message: impl Into<String>) -> Rejection {
    Rejection::FailedPrecondition(message.into())
}

/// Whether a request with this id was the last of its kind: then it comes again.
fn is_repeat(request_id: &str, last: &str) -> bool {
    !request_id.is_empty() && request_id == last
}

/// This moment, or one within the jitter, no earlier than a first attempt's delay allows.
fn with_jitter(step: &mut Step<'_>, jitter: Option<&proto::Duration>) -> Timestamp {
    let jitter = duration(jitter);
    let by = if jitter.is_zero() {
        Duration::ZERO
    } else {
        jitter.mul_f64(step.now.fraction())
    };
    let at = step.time().after(by);
    step.state.not_before_delay(at)
}
