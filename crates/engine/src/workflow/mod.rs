//! The workflow machine: a run, its journal, and what may happen to it.
//!
//! One door, [`handle`], for a run that exists, and one, [`start()`], for runs that may not. Behind them
//! one file a verb: `client/` (what clients ask), `worker/` (what workers report), `command/` (what a
//! completed workflow task decides), `timer/` (what time does), `peer/` (what other runs say), `nexus/`
//! (operations of others, and callbacks). They record
//! through `step.rs`; `state/apply.rs` folds what they record. Nothing here waits, reads a clock or draws
//! a random number.

pub(crate) mod chain;
mod client;
mod close;
pub(crate) mod command;
mod describe;
mod event_type;
mod index_row;
pub mod input;
pub(crate) mod nexus;
mod open;
mod peer;
pub(crate) mod priority;
pub mod query;
pub mod record;
mod recover;
mod snapshot;
pub mod state;
mod step;
mod time_skipping;
mod timer;
pub mod token;
pub mod transition;
mod unstored;
pub mod update;
pub mod versioning;
mod withdraw;
mod worker;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

pub use client::reset::{ResetInput, reset};
pub use client::start::{StartInput, StartOutcome, StartReply, start};
pub use describe::describe;
pub(crate) use event_type::event_type;
pub(crate) use index_row::attribute_type;
pub use index_row::{IndexRow, row};
pub use input::Input;
pub use peer::answer_for_missing as peer_answer_for_missing;
pub use record::Record;
pub use recover::ready;
use snapshot::decode_snapshot;
pub use snapshot::snapshot;
pub use state::State;
pub use state::journal::JournalError;
pub use time_skipping::{FastForwardPoll, poll_fast_forward};
pub use transition::{Effect, Reply, Transition};
pub use unstored::{Unstored, unstored_events};
pub use update::{UpdateNews, UpdateStage, UpdateWorkflow, readmitted, update_stage};

use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
pub(crate) use client::update_activity_options::merged as merged_options;
use step::Step;
pub(crate) use worker::activity_task_failed::kept as kept_failure;

/// One step of a run. The state changes only when this succeeds.
///
/// # Errors
/// A rule said no; the state is as it was.
pub fn handle(
    state: &mut State,
    input: Input,
    now: &mut Now,
    env: Env<'_>,
) -> Result<Transition, Rejection> {
    let step = Step::begin(state, now, env);
    match input {
        Input::Signal(request) => client::signal::signal(step, *request),
        Input::RequestCancel(request) => client::request_cancel::request_cancel(step, request),
        Input::Terminate(request) => client::terminate::terminate(step, *request),
        Input::Delete => client::delete::delete(step),
        Input::Update(update) => client::update::update(step, *update),
        Input::ResetStickyTaskQueue => client::reset_sticky::reset_sticky(step),
        Input::StartWorkflowTask(claim) => worker::workflow_task_started::start(step, &claim),
        Input::WorkflowTaskCompleted(completed) => {
            worker::workflow_task_completed::complete(step, *completed)
        }
        Input::WorkflowTaskFailed(token, request) => {
            worker::workflow_task_failed::fail(step, &token, *request)
        }
        Input::StartActivityTask(claim) => worker::activity_task_started::start(step, &claim),
        Input::ActivityTaskHeartbeat(target, details, identity) => {
            worker::activity_task_heartbeat::heartbeat(step, &target, details, identity)
        }
        Input::ActivityTaskCompleted(target, completed) => {
            worker::activity_task_completed::complete(step, &target, *completed)
        }
        Input::ActivityTaskFailed(target, failed) => {
            worker::activity_task_failed::fail(step, &target, *failed)
        }
        Input::ActivityTaskCanceled(target, details, identity) => {
            worker::activity_task_canceled::cancel(step, &target, details, identity)
        }
        Input::Reset(mark) => client::reset::mark(step, mark),
        Input::UpdateWorkflowOptions(request) => {
            client::update_workflow_options::update(step, *request)
        }
        Input::PauseWorkflow(request) => client::pause_workflow::pause(step, *request),
        Input::UnpauseWorkflow(request) => client::unpause_workflow::unpause(step, *request),
        Input::PauseActivity(request) => client::pause_activity::pause(step, *request),
        Input::UnpauseActivity(request) => client::unpause_activity::unpause(step, *request),
        Input::ResetActivity(request) => client::reset_activity::reset(step, *request),
        Input::UpdateActivityOptions(request) => {
            client::update_activity_options::update(step, *request)
        }
        Input::NexusStartAnswered(id, attempt, answer) => {
            nexus::start_answered(step, id, attempt, *answer)
        }
        Input::NexusCancelAnswered(id, attempt, answer) => {
            nexus::cancel_answered(step, id, attempt, *answer)
        }
        Input::NexusOperationCompleted(completion) => nexus::completed(step, *completion),
        Input::CallbackAnswered(index, attempt, answer) => {
            nexus::callback_answered(step, index, attempt, answer)
        }
        Input::Deadline => timer::fire(step),
        Input::Peer(message) => peer::received(step, message),
        Input::PeerAnswer(seq, answer) => peer::answered(step, seq, answer),
    }
}

/// Reads a run back from its journal, from a snapshot on if there is one.
///
/// # Errors
/// When the journal is damaged, or the snapshot is of another version: then the caller loads without it.
pub fn load(
    workflow_id: Arc<str>,
    run_id: Uuid,
    snapshot: Option<Bytes>,
    records: impl IntoIterator<Item = Bytes>,
) -> Result<State, JournalError> {
    let from = match snapshot {
        Some(bytes) => Some(
            decode_snapshot(workflow_id.clone(), run_id, &bytes)
                .ok_or(JournalError::Snapshot { run_id })?,
        ),
        None => None,
    };
    state::journal::fold(workflow_id, run_id, from, records)
}
