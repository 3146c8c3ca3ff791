//! The schedule machine: when to start which workflow, and what to do while the last one still runs
//! (behaviour, section 8).
//!
//! A schedule is an execution like a run: a journal of records, a state that folds them, one writer. It has
//! no history events: a record holds [`record::Change`]s alone. [`spec`] says when it is due, `policy.rs`
//! what an action means while another runs, `advance.rs` what time and room in the buffer bring about, `apply.rs` is the fold,
//! `client/` what clients ask, `peer.rs` what it says to workflows and hears of them.
//!
//! A schedule never skips silently: a time that was due becomes an action or is counted, as missed, skipped
//! or dropped. A start carries a number, which the workflow's chain carries too, so that one delivered
//! twice starts one workflow, and its end is told once.

mod advance;
mod apply;
mod client;
mod describe;
mod index_row;
mod peer;
mod policy;
pub mod record;
pub mod spec;
pub mod state;
mod step;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::workflowservice::v1::{PatchScheduleRequest, UpdateScheduleRequest};
use uuid::Uuid;

pub use client::create::{Created, NewSchedule, create};
pub use describe::{describe, matching_times};
pub use index_row::{list_info, row, shown_memo, shown_search_attributes};
pub use peer::ready;
pub use record::Record;
pub use state::State;

use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
use crate::workflow::JournalError;
use crate::workflow::input::{ActionClosed, PeerAnswer};
use crate::workflow::transition::Send;
use step::Step;

/// In front of a schedule's id, it makes the workflow id under which lists know the schedule.
pub const WORKFLOW_ID_PREFIX: &str = "temporal-sys-scheduler:";

/// The id under which lists and the store know a schedule.
pub fn workflow_id(schedule_id: &str) -> String {
    format!("{WORKFLOW_ID_PREFIX}{schedule_id}")
}

/// Raised with every change of the snapshot's format.
const SNAPSHOT_VERSION: u8 = 1;

/// Everything that can happen to an existing schedule.
#[derive(Clone, Debug)]
pub enum Input {
    /// UpdateSchedule, validated.
    Update(Box<UpdateScheduleRequest>),
    /// PatchSchedule, validated.
    Patch(Box<PatchScheduleRequest>),
    /// DeleteSchedule.
    Delete,
    /// Time has passed: whatever is due, happens. Harmless when nothing is.
    Deadline,
    /// The chain that an action started has closed.
    ActionClosed(Box<ActionClosed>),
    /// The answer to a message that this schedule sent.
    PeerAnswer(u64, PeerAnswer),
}

/// The outcome of one step. The state already contains it.
#[derive(Debug)]
pub struct Transition {
    /// What must become durable; `None` when the step changed nothing.
    pub record: Option<Record>,
    /// Messages to send once the record is durable.
    pub sends: Vec<Send>,
}

/// One step of a schedule. The state changes only when this succeeds.
///
/// # Errors
/// A rule said no; the state is as it was.
pub fn handle(
    state: &mut State,
    input: Input,
    now: &mut Now,
    env: Env<'_>,
) -> Result<Transition, Rejection> {
    let mut step = Step::begin(state, now.time);
    match input {
        Input::Update(request) => client::update::update(&mut step, *request, env)?,
        Input::Patch(request) => client::patch::patch(&mut step, *request)?,
        Input::Delete => client::delete::delete(&mut step)?,
        Input::Deadline => advance::advance(&mut step),
        Input::ActionClosed(closed) => peer::closed(&mut step, *closed),
        Input::PeerAnswer(seq, answer) => peer::answered(&mut step, seq, answer),
    }
    Ok(step.finish())
}

/// Reads a schedule back from its journal, from a snapshot on if there is one.
///
/// # Errors
/// When the journal is damaged, or the snapshot is of another version: then the caller loads without it.
pub fn load(
    workflow_id: Arc<str>,
    run_id: Uuid,
    snapshot: Option<Bytes>,
    records: impl IntoIterator<Item = Bytes>,
) -> Result<State, JournalError> {
    let mut state = match snapshot {
        Some(bytes) => Some(
            decode_snapshot(&workflow_id, run_id, &bytes)
                .ok_or(JournalError::Snapshot { run_id })?,
        ),
        None => None,
    };
    for bytes in records {
        let seq = state.as_ref().map_or(0, |state| state.core.seq) + 1;
        let record = Record::decode(bytes).map_err(|source| JournalError::Decode {
            run_id,
            seq,
            source,
        })?;
        match &mut state {
            Some(state) => state.apply_record(&record),
            None => {
                let created = State::create(workflow_id.clone(), &record);
                let mut created = created.ok_or(JournalError::NoCreation { run_id })?;
                created.apply_record(&record);
                state = Some(created);
            }
        }
    }
    let mut state = state.ok_or(JournalError::NoCreation { run_id })?;
    state.derive();
    Ok(state)
}

/// Everything durable of a state as bytes.
pub fn snapshot(state: &State) -> Bytes {
    let mut bytes = vec![SNAPSHOT_VERSION];
    bytes.extend(state.core.encode_to_vec());
    bytes.into()
}

fn decode_snapshot(workflow_id: &Arc<str>, run_id: Uuid, bytes: &Bytes) -> Option<State> {
    if bytes.first() != Some(&SNAPSHOT_VERSION) {
        return None;
    }
    let core = state::Core::decode(bytes.slice(1..)).ok()?;
    let state = State::of(workflow_id.clone(), core);
    (state.run_id == run_id).then_some(state)
}
