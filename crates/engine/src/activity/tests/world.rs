//! One activity id and everything around it: its journal, what was offered and handed out, a clock. After each
//! step the invariants are checked.

use crate::deployment::Routing;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, StartActivityExecutionRequest,
};
use uuid::Uuid;

use crate::activity::record::{Change, Record};
use crate::activity::start::{NewRun, StartReply};
use crate::activity::state::{Phase, State, Status};
use crate::activity::{Input, handle, load, ready, snapshot, start};
use crate::ids::Now;
use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::input::StartActivityTask;
use crate::workflow::transition::{ActivityTaskOffer, Effect, Reply};
use crate::{Env, Namespace};

pub(super) const START: Timestamp = Timestamp(1_790_000_000_000_000_000);

/// See the module.
pub(super) struct World {
    pub(super) now: Now,
    pub(super) state: Option<State>,
    /// Offers that matching holds, also those that have become void.
    pub(super) offers: Vec<ActivityTaskOffer>,
    /// Tasks that workers were given, the last one last.
    pub(super) tasks: Vec<PollActivityTaskQueueResponse>,
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
            offers: Vec::new(),
            tasks: Vec::new(),
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
    pub(super) reply: Option<Result<Reply, Rejection>>,
    pub(super) changes: Vec<Change>,
    pub(super) effects: Vec<Effect>,
}

impl World {
    /// A start, normalised.
    pub(super) fn start(
        &mut self,
        request: StartActivityExecutionRequest,
    ) -> (Result<StartReply, Rejection>, Outcome) {
        let routing = Routing::default();
        let env = Env {
            namespace: &self.namespace,
            limits: &self.limits,
            routing: &routing,
        };
        let before = self.state.as_ref().map(|state| state.core.clone());
        let started = start(self.state.as_mut(), request, &mut self.now, env);
        let started = match started {
            Ok(started) => started,
            Err(rejection) => {
                let after = self.state.as_ref().map(|state| state.core.clone());
                assert_eq!(before, after, "a refused start changed something");
                return (Err(rejection), Outcome::default());
            }
        };
        let mut outcome = Outcome::default();
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
            self.offers.clear();
            self.tasks.clear();
            self.state = Some(state);
            self.recorded(Some(record), &mut outcome);
            self.offered(&effects);
            outcome.effects = effects;
        }
        self.check();
        (Ok(started.reply), outcome)
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
        let before = state.core.clone();
        let was_open = state.is_open();
        let after_the_end = matches!(
            input,
            Input::CallbackAnswered(..) | Input::PeerAnswer(..) | Input::Delete
        );
        let mut outcome = Outcome::default();
        match handle(state, input, &mut self.now, env) {
            Ok(transition) => {
                assert!(
                    was_open || after_the_end || transition.record.is_none(),
                    "a closed activity changed"
                );
                assert_eq!(
                    transition.record.is_some(),
                    before != state.core,
                    "what changed is what was recorded"
                );
                let shown = |core: &crate::activity::state::Core| core.status().shown();
                assert!(
                    transition.row_changed || shown(&before) == shown(&state.core),
                    "a status that lists show changed without its row"
                );
                self.recorded(transition.record, &mut outcome);
                self.offered(&transition.effects);
                outcome.effects = transition.effects;
                outcome.reply = Some(Ok(transition.reply));
            }
            Err(rejection) => {
                assert_eq!(before, state.core, "a rejected step changed something");
                outcome.reply = Some(Err(rejection));
            }
        }
        self.check();
        outcome
    }

    /// A poller claims an offer.
    pub(super) fn claim(&mut self, offer: &ActivityTaskOffer, request_id: &str) -> Outcome {
        let outcome = self.step(Input::StartActivityTask(StartActivityTask {
            scheduled_event_id: offer.scheduled_event_id,
            attempt: offer.attempt,
            stamp: 0,
            request_id: request_id.to_owned(),
            identity: "worker".to_owned(),
            version: None,
            directive: None,
            sdk: Default::default(),
        }));
        if let Some(Ok(Reply::ActivityTask(task))) = &outcome.reply {
            // The same claim twice is the same task.
            let fresh = self
                .tasks
                .iter()
                .all(|other| other.task_token != task.task_token);
            let started = !outcome.changes.is_empty();
            assert_eq!(fresh, started, "a task is handed out once");
            if fresh {
                self.tasks.push((**task).clone());
            }
        }
        outcome
    }

    /// The process dies and is started again: what was in memory is gone, and what was offered.
    pub(super) fn crash(&mut self) -> Vec<Effect> {
        self.offers.clear();
        let Some(state) = &self.state else {
            return Vec::new();
        };
        let mut state = self.folded(Arc::clone(&state.activity_id), state.run_id, None);
        let effects = ready(&mut state, self.now.time);
        self.state = Some(state);
        self.offered(&effects);
        self.check();
        effects
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
            all.effects.extend(outcome.effects);
        }
        panic!("a deadline does not go away");
    }

    fn recorded(&mut self, record: Option<Record>, outcome: &mut Outcome) {
        if let Some(record) = record {
            self.journal.push(record.encode());
            outcome.changes = record.changes;
        }
    }

    fn offered(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::OfferActivityTask(offer) => self.offers.push(offer.clone()),
                Effect::Send(_) | Effect::CallbackCall(_) => {}
                other => panic!("a standalone activity has no use for {other:?}"),
            }
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
        let id = || Arc::clone(&state.activity_id);
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
        let wake = state.wake_at();
        let next = state.next_deadline();
        assert!(
            next.is_none_or(|next| wake.is_some_and(|wake| wake <= next)),
            "found too late: {wake:?} {next:?}"
        );
        match state.status() {
            Status::Scheduled => {
                // Something will fire, or a worker can take it.
                assert!(state.offered || next.is_some());
                let good = self.offers.iter().filter(|offer| {
                    offer.scheduled_event_id == state.core.stamp
                        && offer.attempt == state.core.attempt
                });
                assert_eq!(good.count(), usize::from(state.offered), "one good offer");
            }
            status if status.has_attempt() => {
                assert!(next.is_some(), "an attempt that nothing ends");
                assert!(!state.offered);
            }
            Status::Paused => assert!(!state.offered),
            _ => {
                let called = (0..).zip(&state.core.callbacks).any(|(index, callback)| {
                    callback.is_to_be_called() && !state.calling.contains(&index)
                });
                assert_eq!(
                    next.is_some(),
                    called,
                    "who is told later is told some time"
                );
                assert!(!state.offered);
            }
        }
        for callback in &state.core.callbacks {
            let waits = callback.phase() == Phase::Standby;
            assert_eq!(waits, state.is_open(), "told at the end, and not before");
        }
        if state.has_messages() {
            assert_eq!(
                wake,
                Some(Timestamp::MIN),
                "a message that is not sent again"
            );
        }
        assert_eq!(state.is_open(), state.core.close_time == 0);
        let outcome = crate::activity::outcome(state);
        assert_eq!(outcome.is_none(), state.is_open());
    }
}
