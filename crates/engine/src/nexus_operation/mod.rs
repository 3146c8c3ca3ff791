//! The machine of standalone Nexus operations: one operation of a Nexus service without a workflow around it
//! (behaviour, section 10.4). It is asked for, retried, timed out and cancelled by the rules of a workflow's
//! operations ([`crate::nexus`]); what is its own is that it is an execution, with an id, policies for it, and an
//! outcome that clients wait for.
//!
//! An operation that goes well is two records (created, closed), or three when its result comes later. It has no
//! history. Records say what happened, and `apply.rs` is the one place that knows what it means, live and when a
//! journal is read back.
//!
//! `client/`: what clients ask. `ask.rs`: the requests to the handler. `answered.rs`: what becomes of their
//! answers. `completed.rs`: the result arrives later. `timer.rs`: what time does.

mod answered;
mod apply;
mod ask;
mod client;
mod completed;
mod describe;
mod index_row;
mod input;
mod journal;
mod record;
mod start;
pub mod state;
mod step;
mod timer;

#[cfg(test)]
mod tests;

pub use describe::{Shown, describe, outcome, poll, token_of, watched};
pub use index_row::{Listed, row};
pub use input::{Input, Terminate};
pub use journal::{load, snapshot};
pub use record::Record;
pub use start::{NewRun, Start, StartOutcome, StartReply, start};
pub use state::State;
pub(crate) use step::Transition;

use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
use step::Step;

/// One step of a standalone operation. The state changes only when this succeeds.
///
/// # Errors
/// A rule said no; the state is as it was.
pub(crate) fn handle(
    state: &mut State,
    input: Input,
    now: &mut Now,
    env: Env<'_>,
) -> Result<Transition, Rejection> {
    let mut step = Step::begin(state, now, env);
    let done = match input {
        Input::StartAnswered(attempt, answer) => {
            answered::start_answered(&mut step, attempt, *answer);
            Ok(())
        }
        Input::CancelAnswered(attempt, answer) => {
            answered::cancel_answered(&mut step, attempt, *answer);
            Ok(())
        }
        Input::Completed(completion) => completed::completed(&mut step, *completion),
        Input::RequestCancel(request) => {
            client::request_cancel::request_cancel(&mut step, *request)
        }
        Input::Terminate(request) => client::terminate::terminate(&mut step, request),
        Input::Delete => client::delete::delete(&mut step),
        Input::Deadline => {
            timer::fire(&mut step);
            Ok(())
        }
    };
    match done {
        Ok(()) => Ok(step.done()),
        Err(rejection) => {
            debug_assert!(step.is_untouched(), "a rejected step recorded something");
            Err(rejection)
        }
    }
}
