//! The machine of standalone activities: jobs. One activity without a workflow around it, retried, timed out,
//! heartbeating and cancelled by the same rules as a workflow's activities (behaviour, sections 5 and 10.4).
//!
//! A job that goes well is three records: created, started, closed. It has no history; its durable state is one
//! protobuf message ([`state::Core`]), so a snapshot of it is that message. Records say what happened, and
//! `apply.rs` is the one place that knows what it means, live and when a journal is read back.
//!
//! One file a verb: `client/` (what clients ask), `worker/` (what workers report), `timer.rs` (what time does).

mod apply;
mod callback;
mod client;
mod describe;
mod index_row;
mod input;
mod journal;
mod outcome;
mod record;
mod start;
pub mod state;
mod step;
mod timer;
mod worker;

#[cfg(test)]
mod tests;

pub use describe::{Shown, describe, token_of, watched};
pub use index_row::row;
pub use input::{Input, Terminate};
pub use journal::{load, snapshot};
pub use outcome::outcome;
pub use record::Record;
pub use start::{NewRun, StartOutcome, StartReply, start};
pub use state::State;
pub use step::ready;

use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
use step::Step;
pub(crate) use step::Transition;

/// One step of a standalone activity. The state changes only when this succeeds.
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
    let reply = match input {
        Input::StartActivityTask(claim) => worker::task_started::start(&mut step, claim),
        Input::Heartbeat(target, details, identity) => {
            worker::heartbeat::heartbeat(&mut step, &target, details, identity)
        }
        Input::Completed(target, result, identity) => {
            worker::completed::complete(&mut step, &target, result, identity)
        }
        Input::Failed(target, failed) => worker::failed::fail(&mut step, &target, *failed),
        Input::Canceled(target, details, _) => {
            worker::canceled::cancel(&mut step, &target, details)
        }
        Input::RequestCancel(request) => {
            client::request_cancel::request_cancel(&mut step, *request)
        }
        Input::Terminate(request) => client::terminate::terminate(&mut step, request),
        Input::Delete => client::delete::delete(&mut step),
        Input::Pause(request) => client::pause::pause(&mut step, *request),
        Input::Unpause(request) => client::unpause::unpause(&mut step, &request),
        Input::Reset(request) => client::reset::reset(&mut step, &request),
        Input::UpdateOptions(request) => client::update_options::update(&mut step, &request),
        Input::CallbackAnswered(index, attempt, answer) => {
            callback::called(&mut step, index, attempt, answer)
        }
        Input::PeerAnswer(index, answer) => callback::delivered(&mut step, index, answer),
        Input::Deadline => timer::fire(&mut step),
    };
    match reply {
        Ok(reply) => Ok(step.done(reply)),
        Err(rejection) => {
            debug_assert!(step.is_untouched(), "a rejected step recorded something");
            Err(rejection)
        }
    }
}
