//! The workbench of one step: what a rule records is applied at once. All of a rule's checks come before the
//! first change, so there is nothing to undo.

use prost::Message;
use proto::temporal::api::enums::v1::NexusOperationExecutionStatus as Status;

use super::record::{Change, ChangeKind, Closed, Record};
use super::state::State;
use crate::Env;
use crate::ids::Now;
use crate::time::Timestamp;
use crate::workflow::transition::{Effect, NexusCall};

/// The outcome of one step. The state already contains it.
#[derive(Debug)]
pub(crate) struct Transition {
    pub(crate) record: Option<Record>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) row_changed: bool,
}

/// One step under way.
pub(super) struct Step<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: &'a mut Now,
    pub(super) env: Env<'a>,
    effects: Vec<Effect>,
    changes: Vec<Change>,
    shown: Status,
}

impl<'a> Step<'a> {
    pub(super) fn begin(state: &'a mut State, now: &'a mut Now, env: Env<'a>) -> Self {
        Self {
            shown: state.status(),
            state,
            now,
            env,
            effects: Vec::new(),
            changes: Vec::new(),
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        self.now.time
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.changes.is_empty()
    }

    /// Records a change.
    pub(super) fn change(&mut self, kind: ChangeKind) {
        self.state.apply(&kind, self.now.time);
        self.changes.push(Change { kind: Some(kind) });
    }

    /// Records the end.
    pub(super) fn close(&mut self, closed: Closed) {
        self.change(ChangeKind::Closed(Box::new(closed)));
    }

    /// Asks the handler for something.
    pub(super) fn call(&mut self, call: NexusCall) {
        self.effects.push(Effect::NexusCall(Box::new(call)));
    }

    /// Ends the step.
    pub(super) fn done(self) -> Transition {
        let record = (!self.changes.is_empty()).then(|| Record {
            changes: self.changes,
            time: self.now.time.0,
        });
        if let Some(record) = &record {
            self.state.count(record);
        }
        Transition {
            row_changed: self.shown != self.state.status(),
            record,
            effects: self.effects,
        }
    }
}

impl State {
    /// A record is part of the journal.
    pub(super) fn count(&mut self, record: &Record) {
        self.core.seq += 1;
        self.core.size += i64::try_from(record.encoded_len()).unwrap_or(i64::MAX);
    }
}
