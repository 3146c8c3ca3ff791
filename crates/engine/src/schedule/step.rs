//! The workbench of a step: what a rule records is applied at once, so that the next rule sees it. Rules
//! check before they record, so that a rejected step has nothing to undo.

use super::Transition;
use super::record::{Change, ChangeKind, Record};
use super::state::State;
use crate::time::Timestamp;

pub(super) struct Step<'a> {
    pub(super) state: &'a mut State,
    pub(super) time: Timestamp,
    record: Record,
    /// The last message that was queued before this step.
    last_message: u64,
}

impl<'a> Step<'a> {
    pub(super) fn begin(state: &'a mut State, time: Timestamp) -> Self {
        Self {
            last_message: state.core.last_message,
            state,
            time,
            record: Record {
                changes: Vec::new(),
                time: time.0,
            },
        }
    }

    /// Records a change.
    pub(super) fn change(&mut self, kind: ChangeKind) {
        self.state.apply(&kind, self.time);
        self.record.changes.push(Change { kind: Some(kind) });
    }

    /// The number of the next start or backfill.
    pub(super) fn next_number(&self) -> u64 {
        self.state.core.last_number + 1
    }

    pub(super) fn finish(self) -> Transition {
        if self.record.changes.is_empty() {
            return Transition {
                record: None,
                sends: Vec::new(),
            };
        }
        self.state.core.seq += 1;
        self.state.derive();
        Transition {
            sends: super::peer::sends_after(self.state, self.last_message),
            record: Some(self.record),
        }
    }
}
