//! Executions of every kind behind one door.
//!
//! Everything durable is an execution, and each kind is a machine of its own: pure, with its own state,
//! records and inputs. This module is what they have in common, so that whoever keeps executions (the
//! server's shard) needs to know none of them: one enum over the machines, and one function for each thing
//! that is done to any execution. A call costs a branch: nothing is boxed, nothing is dispatched through a table.
//!
//! How to add a kind:
//!
//! 1. A folder beside `workflow/` with `State`, `Record` (protobuf), `Input`, `handle`, `start`, `load` (the
//!    fold), `ready` and `row`. A step records what changed, applies it by the code that also folds a journal,
//!    and counts its records in a `seq`.
//! 2. A number and a division in [`Kind`]: numbers are stored, so they never change.
//! 3. A variant in [`Execution`], [`Input`], [`StartInput`], [`StartReply`], [`Record`] and [`NewRun`]; the
//!    compiler then asks for an arm in each function here.
//! 4. What it says to other executions goes out as [`Effect::Send`], from an outbox that its state keeps until
//!    the answer ([`Input::PeerAnswer`]) is recorded; `ready` sends again what is left in it. The receiver's
//!    kind is [`Send::kind`]. A new message is a variant of [`Peer`], handled by the kinds that receive it, with
//!    an answer for a receiver that is not there ([`answer_for_missing`]). Receivers recognise a repeat by
//!    what the message carries: it is delivered at least once.
//! 5. A message that starts its receiver becomes a [`StartInput`] in [`start_message`].
//! 6. Replies to callers are variants of [`Reply`], unless the caller can read them off the state.
//! 7. In the server: `Shards::step` takes its inputs as they are (give [`Input`] a `From`), and
//!    `Shards::read_execution` looks at its state. Lists name its division.

mod door;
mod kind;
mod start;

pub use door::{Execution, Input, callback_answered, completed, nexus_answered};
pub use kind::{Kind, missing};
pub use start::{NewRun, StartInput, StartOutcome, StartReply, start, start_answer, start_message};

pub use crate::workflow::IndexRow;
pub use crate::workflow::input::{Peer, PeerAnswer};
pub use crate::workflow::peer_answer_for_missing as answer_for_missing;
pub use crate::workflow::state::journal::JournalError;
pub use crate::workflow::transition::{Effect, Reply, Send};

use bytes::Bytes;

use crate::rejection::Rejection;
use crate::{activity, nexus_operation, schedule, workflow};

static NO_HISTORY: Bytes = Bytes::new();

/// One step's entry in a journal.
#[derive(Clone, Debug)]
pub enum Record {
    /// Of a workflow run.
    Workflow(workflow::Record),
    /// Of a standalone activity.
    Activity(activity::Record),
    /// Of a schedule.
    Schedule(schedule::Record),
    /// Of a standalone Nexus operation.
    NexusOperation(nexus_operation::Record),
}

impl Record {
    /// The record as the journal keeps it.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Workflow(record) => record.encode(),
            Self::Activity(record) => record.encode(),
            Self::Schedule(record) => record.encode(),
            Self::NexusOperation(record) => record.encode(),
        }
    }

    /// Its history events, encoded; empty for kinds without a history.
    pub fn history(&self) -> &Bytes {
        match self {
            Self::Workflow(record) => &record.history,
            Self::Activity(_) | Self::Schedule(_) | Self::NexusOperation(_) => &NO_HISTORY,
        }
    }
}

/// The outcome of one step. The state already contains it.
#[derive(Debug)]
pub struct Transition {
    /// What must become durable; `None` when the step changed nothing durable.
    pub record: Option<Record>,
    /// To the caller, once the record (and whatever it may have seen) is durable.
    pub reply: Result<Reply, Rejection>,
    /// To carry out once the record is durable, in order.
    pub effects: Vec<Effect>,
    /// The index row changed.
    pub row_changed: bool,
    /// The next run of this id, opened by the same commit.
    pub successor: Option<NewRun>,
    /// To those who wait for a workflow's updates, once the record is durable.
    pub updates: Vec<workflow::UpdateNews>,
}

impl From<schedule::Transition> for Transition {
    fn from(transition: schedule::Transition) -> Self {
        Self {
            // Lists show what nearly every step changes.
            row_changed: transition.record.is_some(),
            record: transition.record.map(Record::Schedule),
            reply: Ok(Reply::Done),
            effects: transition.sends.into_iter().map(Effect::Send).collect(),
            successor: None,
            updates: Vec::new(),
        }
    }
}

impl From<workflow::Transition> for Transition {
    fn from(transition: workflow::Transition) -> Self {
        Self {
            record: transition.record.map(Record::Workflow),
            reply: transition.reply,
            effects: transition.effects,
            row_changed: transition.row_changed,
            successor: transition.successor.map(NewRun::Workflow),
            updates: transition.updates,
        }
    }
}

impl From<nexus_operation::Transition> for Transition {
    fn from(transition: nexus_operation::Transition) -> Self {
        Self {
            record: transition.record.map(Record::NexusOperation),
            reply: Ok(Reply::Done),
            effects: transition.effects,
            row_changed: transition.row_changed,
            successor: None,
            updates: Vec::new(),
        }
    }
}

impl From<activity::Transition> for Transition {
    fn from(transition: activity::Transition) -> Self {
        Self {
            record: transition.record.map(Record::Activity),
            reply: Ok(transition.reply),
            effects: transition.effects,
            row_changed: transition.row_changed,
            successor: None,
            updates: Vec::new(),
        }
    }
}
