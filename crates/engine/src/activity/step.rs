//! The workbench of one step: what a rule records is applied at once. All of a rule's checks come before the
//! first change, so there is nothing to undo.

use prost::Message;
use proto::temporal::api::enums::v1::ActivityExecutionStatus;

use super::callback;
use super::record::{Change, ChangeKind, Closed, Record};
use super::state::State;
use crate::Env;
use crate::ids::Now;
use crate::time::Timestamp;
use crate::workflow::priority::for_matching;
use crate::workflow::transition::{ActivityTaskOffer, Effect, Reply};

/// The outcome of one step. The state already contains it.
#[derive(Debug)]
pub(crate) struct Transition {
    pub(crate) record: Option<Record>,
    pub(crate) reply: Reply,
    pub(crate) effects: Vec<Effect>,
    pub(crate) row_changed: bool,
}

/// One step under way.
pub(super) struct Step<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: &'a mut Now,
    pub(super) env: Env<'a>,
    pub(super) row_changed: bool,
    effects: Vec<Effect>,
    changes: Vec<Change>,
    shown: ActivityExecutionStatus,
}

impl<'a> Step<'a> {
    pub(super) fn begin(state: &'a mut State, now: &'a mut Now, env: Env<'a>) -> Self {
        Self {
            shown: state.status().shown(),
            state,
            now,
            env,
            row_changed: false,
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
        self.state.apply(&kind, self.now.time.0);
        self.changes.push(Change { kind: Some(kind) });
    }

    /// Records the end.
    pub(super) fn close(&mut self, closed: Closed) {
        self.change(ChangeKind::Closed(Box::new(closed)));
        self.effects.extend(callback::messages(self.state));
    }

    /// Something to carry out once what is recorded is durable.
    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Offers the attempt that waits, if its time has come.
    pub(super) fn offer_if_ready(&mut self) {
        if !self.state.offered && self.state.is_ready(self.time()) {
            self.effects.push(offer(self.state));
        }
    }

    /// Ends the step.
    pub(super) fn done(self, reply: Reply) -> Transition {
        let record = (!self.changes.is_empty()).then(|| Record {
            changes: self.changes,
            time: self.now.time.0,
        });
        if let Some(record) = &record {
            self.state.count(record);
        }
        Transition {
            row_changed: self.row_changed || self.shown != self.state.status().shown(),
            record,
            reply,
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

/// The reference to the attempt that waits, for matching. Its stamp is in the place of a scheduled event.
fn offer(state: &mut State) -> Effect {
    state.offered = true;
    Effect::OfferActivityTask(ActivityTaskOffer {
        task_queue: state.task_queue().into(),
        scheduled_event_id: state.core.stamp,
        attempt: state.core.attempt,
        stamp: 0,
        scheduled_time: Timestamp(state.core.dispatch_time),
        priority: for_matching(state.priority()),
        directive: crate::deployment::Directive::default(),
    })
}

/// What a freshly loaded activity owes the world.
pub fn ready(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let mut effects = callback::messages(state);
    if !state.offered && state.is_ready(now) {
        effects.push(offer(state));
    }
    effects
}
