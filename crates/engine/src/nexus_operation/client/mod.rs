//! What clients ask.

pub(super) mod delete;
pub(super) mod request_cancel;
pub(super) mod terminate;

use crate::rejection::Rejection;

fn precondition(message: impl Into<String>) -> Rejection {
    Rejection::FailedPrecondition(message.into())
}
