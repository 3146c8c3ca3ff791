//! One operation id and everything around it: its journal, the requests to its handler, a clock. After each step
//! the invariants are checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::temporal::api::nexus::v1::request::Variant;
use uuid::Uuid;

use crate::deployment::Routing;
use crate::ids::Now;
use crate::limits::Limits;
use crate::nexus::callback::{CallbackToken, TOKEN_HEADER};
use crate::nexus_operation::record::{Change, Record};
use crate::nexus_operation::start::{NewRun, Start, StartReply};
use crate::nexus_operation::state::State;
use crate::nexus_operation::{Input, handle, load, outcome, snapshot, start};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::transition::{Effect, NexusCall};
use crate::{Env, Namespace};

pub(super) const START: Timestamp = Timestamp(1_790_000_000_000_000_000);

/// See the module.
pub(super) struct World {
    pub(super) now: Now,
    pub(super) state: Option<State>,
    /// Requests to the handler, the last one last.
    pub(super) calls: Vec<NexusCall>,
    journal: Vec<Bytes>,
    namespace: Namespace,
    limits: Limits,
}

impl Default for World {
    fn default() -> Self {
        Self {
            now: Now {
                time: START,
                seed: 7,
                task_id: 1,
            },
            state: None,
            calls: Vec::new(),
            journal: Vec::new(),
            namespace: Namespace {
                id: Uuid::from_u128(1),
                name: "n".into(),
                retention: Duration::from_secs(86_400),
                search_attributes: BTreeMap::new(),
            },
            limits: Limits::default(),
        }
    }
}

/// What a step did.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) refused: Option<Rejection>,
    pub(super) changes: Vec<Change>,
    pub(super) calls: Vec<NexusCall>,
}

impl World {
    /// A start, normalised.
    pub(super) fn start(&mut self, asked: Start) -> (Option<StartReply>, Outcome) {
        let routing = Routing::default();
        let env = Env {
            namespace: &self.namespace,
            limits: &self.limits,
            routing: &routing,
        };
        let before = self.state.as_ref().map(|state| state.core.clone());
        let mut outcome = Outcome::default();
        let started = match start(self.state.as_mut(), asked, &mut self.now, env) {
            Ok(started) => started,
            Err(rejection) => {
                let after = self.state.as_ref().map(|state| state.core.clone());
                assert_eq!(before, after, "a refused start changed something");
                outcome.refused = Some(rejection);
                return (None, outcome);
            }
        };
        if let Some(transition) = started.current {
            self.recorded(transition.record, &mut outcome);
        }
        if let Some(new_run) = started.new_run {
            let NewRun {
                state,
                record,
                effects,
            } = *new_run;
            self.journal.clear();
            self.calls.clear();
            self.state = Some(state);
            self.recorded(Some(record), &mut outcome);
            self.called(effects, &mut outcome);
        }
        self.check();
        (Some(started.reply), outcome)
    }

    /// An input to the run that is there.
    pub(super) fn step(&mut self, input: Input) -> Outcome {
        let routing = Routing::default();
        let env = Env {
            namespace: &self.namespace,
            limits: &self.limits,
            routing: &routing,
        };
        let Some(state) = &mut self.state else {
            panic!("nothing was started");
        };
        let before = state.clone();
        let mut outcome = Outcome::default();
        match handle(state, input, &mut self.now, env) {
            Ok(transition) => {
                assert!(
                    before.is_open() || transition.record.is_none(),
                    "a closed operation changed"
                );
                assert_eq!(
                    transition.record.is_none(),
                    before.same_durable(state),
                    "what changed is what was recorded"
                );
                assert_eq!(
                    transition.row_changed,
                    before.status() != state.status(),
                    "a status that lists show changes with its row"
                );
                self.recorded(transition.record, &mut outcome);
                self.called(transition.effects, &mut outcome);
            }
            Err(rejection) => {
                assert!(
                    before.same_durable(state),
                    "a rejected step changed something"
                );
                outcome.refused = Some(rejection);
            }
        }
        self.check();
        outcome
    }

    /// The process dies and is started again: requests under way are forgotten.
    pub(super) fn crash(&mut self) {
        if let Some(state) = &self.state {
            let id = Arc::clone(&state.operation_id);
            self.state = Some(self.folded(id, state.run_id, None));
            self.check();
        }
    }

    /// Everything that is due by a time fires, one thing after the other.
    pub(super) fn until(&mut self, at: Timestamp) -> Outcome {
        let mut all = Outcome::default();
        for _ in 0..1000 {
            let due = self.state.as_ref().and_then(State::next_deadline);
            let Some(due) = due.filter(|due| *due <= at) else {
                self.now.time = self.now.time.max(at);
                return all;
            };
            self.now.time = self.now.time.max(due);
            let outcome = self.step(Input::Deadline);
            all.changes.extend(outcome.changes);
            all.calls.extend(outcome.calls);
        }
        panic!("a deadline does not go away");
    }

    fn recorded(&mut self, record: Option<Record>, outcome: &mut Outcome) {
        if let Some(record) = record {
            self.journal.push(record.encode());
            outcome.changes = record.changes;
        }
    }

    fn called(&mut self, effects: Vec<Effect>, outcome: &mut Outcome) {
        for effect in effects {
            let Effect::NexusCall(call) = effect else {
                panic!("a standalone operation has no use for {effect:?}");
            };
            if let Some(Variant::StartOperation(start)) = &call.request.variant {
                let header = &start.callback_header[TOKEN_HEADER];
                let token = CallbackToken::decode_header(header).expect("a token");
                let state = self.state.as_ref().expect("an operation");
                assert_eq!(
                    token.run(),
                    Some(state.run_id),
                    "the result comes back here"
                );
            }
            self.calls.push((*call).clone());
            outcome.calls.push(*call);
        }
    }

    fn folded(&self, id: Arc<str>, run_id: Uuid, from: Option<(Bytes, usize)>) -> State {
        let (snapshot, skip) = from.map_or((None, 0), |(bytes, skip)| (Some(bytes), skip));
        let records = self.journal.iter().skip(skip).cloned();
        load(id, run_id, snapshot, records).expect("the journal folds")
    }

    /// The invariants.
    fn check(&self) {
        let Some(state) = &self.state else { return };
        let id = || Arc::clone(&state.operation_id);
        let folded = self.folded(id(), state.run_id, None);
        assert!(
            folded.same_durable(state),
            "not the fold of its journal: {state:#?}\nfolded: {folded:#?}"
        );
        let bytes = snapshot(state).expect("a snapshot");
        let restored = self.folded(id(), state.run_id, Some((bytes, self.journal.len())));
        assert!(restored.same_durable(state), "not its snapshot");
        assert_eq!(state.core.seq, self.journal.len() as u64);
        let size: usize = self.journal.iter().map(Bytes::len).sum();
        assert_eq!(state.core.size, i64::try_from(size).unwrap());
        let (wake, next) = (state.wake_at(), state.next_deadline());
        assert!(
            next.is_none_or(|next| wake.is_some_and(|wake| wake <= next)),
            "found too late: {wake:?} {next:?}"
        );
        // Until it has started, a request is under way, or will be made.
        assert!(
            state.is_started() || state.is_under_way() || next.is_some(),
            "nobody asks for it: {state:#?}"
        );
        // What a restart forgets is due at once.
        let forgotten = folded.next_deadline();
        assert!(
            !state.is_under_way() || forgotten.is_some_and(|at| at <= self.now.time),
            "a request that a crash forgets is not made again"
        );
        assert_eq!(state.is_open(), state.core.close_time == 0);
        assert_eq!(outcome(state).is_none(), state.is_open());
        assert!(state.is_open() || (next.is_none() && !state.is_under_way()));
    }
}
