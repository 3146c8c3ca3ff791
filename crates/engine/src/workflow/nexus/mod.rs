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

pub(crate) use answered::{cancel_answered, start_answered};
pub(crate) use ask::{ask_to_cancel, ask_to_start, time_out};
pub(crate) use callback::{callback_answered, completion, deliver, delivered};
pub(crate) use completed::{complete, completed};
