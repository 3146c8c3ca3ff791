//! Nexus operations of a workflow, and the callbacks that answer those of others (behaviour, sections 6.7
//! and 10.3). What is to be asked of a handler is decided here and carried out outside; the answer comes
//! back as an input. Asking is at least once, with the same request id.
//!
//! - [`ask`]: the requests. [`answered`]: what becomes of their answers.
//! - [`completed`]: an operation's result arrives. [`callback`]: this execution's own is sent.

mod answered;
mod ask;
mod callback;
mod completed;

use std::time::Duration;

pub(crate) use answered::{cancel_answered, start_answered};
pub(crate) use ask::{ask_to_cancel, ask_to_start, time_out};
pub(crate) use callback::{callback_answered, completion, deliver, delivered};
pub(crate) use completed::{complete, completed};

use super::step::Step;

/// How long one request may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A request with less time than this is not made.
const REQUEST_TIME_MIN: Duration = Duration::from_millis(1500);
/// Between attempts: doubling from the first to the second.
const BACKOFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3600)];

/// How long to wait after so many attempts, with some jitter.
fn backoff(step: &mut Step<'_>, attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts - 1).unwrap_or(0).min(16);
    let base = BACKOFF[0].saturating_mul(1 << exponent).min(BACKOFF[1]);
    base.mul_f64(0.8 + 0.2 * step.now.fraction())
}
