//! What becomes of a message: it finds its execution, waits for it to be loaded, or is refused.

use std::sync::Arc;
use std::time::Duration;

use engine::Namespace;
use engine::execution::Effect;
use engine::rejection::Rejection;
use engine::time::Timestamp;
use store::Loaded;
use uuid::Uuid;

use super::CallError;
use super::cache::{Current, Void};
use super::cell::{Cell, CommitId};
use super::counters::Counters;
use super::load::{FoldError, LoadEnded, LoadResult, fold};
use super::message::{Body, Target};
use super::release::{Release, carry_out_effects, tell_sender};
use super::writer::Shard;

/// What was found for a target.
enum Find {
    /// The run is in memory.
    Here(Uuid),
    /// There is none; so it was with this commit.
    Missing(CommitId),
    /// It is being loaded.
    Loading,
    /// It cannot be had.
    Refused(CallError),
}

impl Shard {
    /// Takes a message in.
    pub(super) fn admit(&mut self, target: Target, body: Body) {
        if self.is_stopping() {
            // What comes from executions is sent again after the restart.
            body.refuse(CallError::stopping());
            return;
        }
        if !self.is_open() {
            if body.is_internal() || self.is_opening_first() {
                self.keep(target, body);
            } else {
                body.refuse(CallError::Unavailable(
                    "the store is unavailable".to_owned(),
                ));
            }
            return;
        }
        if body.is_abandoned() {
            return;
        }
        let Some((target, body)) = self.loads.park(target, body) else {
            return;
        };
        match self.find(&target) {
            Find::Here(run_id) => self.act(target, run_id, body),
            Find::Missing(commit) => self.act_missing(&target, body, commit),
            Find::Refused(error) => self.refuse(&target, body, error),
            Find::Loading => drop(self.loads.park(target, body)),
        }
    }

    fn find(&mut self, target: &Target) -> Find {
        let durable = self.pipeline.durable();
        let run_id = match target.run_id {
            Some(run_id) => run_id,
            None => match self.cache.current(target.id()) {
                Some(Current::Run(run_id)) => run_id,
                Some(Current::Void(void)) if void.commit() > durable => return Find::of_void(void),
                Some(Current::Void(_)) | None => return self.load(target),
            },
        };
        if let Some(cell) = self.cache.get_mut(run_id) {
            cell.touched = true;
            let same = cell.key.namespace == target.namespace.id
                && cell.key.kind == target.kind
                && cell.key.workflow_id == target.workflow_id;
            return if same {
                Find::Here(run_id)
            } else {
                Find::Missing(0)
            };
        }
        match self.cache.void(run_id) {
            Some(void) if void.commit() > durable => Find::of_void(void),
            Some(_) | None if self.is_quarantined(run_id) => Find::Refused(quarantined()),
            Some(_) | None => self.load(target),
        }
    }

    fn load(&mut self, target: &Target) -> Find {
        Counters::add(&self.counters.cache_misses, 1);
        match self.loads.begin(target) {
            None => Find::Loading,
            Some(result) => self.take_in(target, result),
        }
    }

    /// Puts what the store gave into memory.
    fn take_in(&mut self, target: &Target, result: LoadResult) -> Find {
        let loaded = match result {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Find::Missing(0),
            Err(error) => return Find::Refused(CallError::Unavailable(error.to_string())),
        };
        let run_id = loaded.key.run_id;
        if self.cache.contains(run_id) {
            return Find::Here(run_id);
        }
        match self.cache.void(run_id) {
            Some(void) if void.commit() > self.pipeline.durable() => return Find::of_void(void),
            _ => {}
        }
        if self.is_quarantined(run_id) {
            return Find::Refused(quarantined());
        }
        match self.put(loaded) {
            Ok(()) => Find::Here(run_id),
            Err(FoldError::Snapshot(loaded)) => match self.loads.begin_whole(target, *loaded) {
                None => Find::Loading,
                Some(result) => self.take_in(target, result),
            },
            Err(FoldError::Damaged(cause)) => {
                tracing::error!(%run_id, cause, "a journal cannot be folded; its execution rests");
                self.broken.insert(run_id, u32::MAX);
                Find::Refused(quarantined())
            }
        }
    }

    /// Folds a journal into a cell, and offers and sends what it has ready.
    fn put(&mut self, loaded: Loaded) -> Result<(), FoldError> {
        let now = self.now();
        let caught = std::panic::catch_unwind(|| {
            let mut cell = fold(loaded)?;
            let effects = cell.state.ready(now);
            Ok::<_, FoldError>((cell, effects))
        });
        let (cell, mut effects) =
            caught.unwrap_or_else(|_| Err(FoldError::Damaged("folding it panicked".to_owned())))?;
        let key = cell.key.clone();
        if let Some(until) = self.offered_until.remove(&key.run_id) {
            effects.retain(|effect| match effect {
                Effect::OfferWorkflowTask(offer) => offer.scheduled_time > until,
                Effect::OfferActivityTask(offer) => offer.scheduled_time > until,
                Effect::Withdraw(_)
                | Effect::WithdrawAll
                | Effect::Send(_)
                | Effect::NexusCall(_)
                | Effect::CallbackCall(_) => true,
            });
        }
        self.cache.insert(cell);
        Counters::add(&self.counters.loads, 1);
        if !effects.is_empty() {
            carry_out_effects(&key, effects, &self.outside);
        }
        self.rearm(key.run_id);
        Ok(())
    }

    /// A load has come to its end.
    pub(super) fn loaded(&mut self, (target, result, waiting): LoadEnded) {
        if let (Err(error), Some(run_id)) = (&result, target.run_id) {
            tracing::warn!(%run_id, %error, "an execution cannot be loaded");
            // If it was to be taken up, nobody else asks again.
            let again = self.now().after(Duration::from_secs(1));
            self.sleepers.remember(again, target.key(run_id));
        }
        if let Find::Refused(error) = self.take_in(&target, result) {
            for (target, body) in waiting {
                self.refuse(&target, body, error.clone());
            }
            return;
        }
        for (target, body) in waiting {
            self.admit(target, body);
        }
    }

    /// Answers without doing anything. A message between executions is sent again later.
    fn refuse(&mut self, target: &Target, body: Body, error: CallError) {
        match body {
            Body::Peer(call) => {
                let seq = call.sent.seq;
                tell_sender(&call.from, Body::PeerFailed(seq), &self.outside);
            }
            Body::PeerAnswer(..) | Body::PeerFailed(_) => {
                // The sender itself is out of reach: when it is loaded again, it sends again.
                tracing::debug!(workflow_id = %target.workflow_id, %error, "an answer finds nobody");
            }
            body => body.refuse(error),
        }
    }

    /// Carries a message out on a run in memory.
    fn act(&mut self, target: Target, run_id: Uuid, body: Body) {
        match body {
            Body::Start(input, answer) => self.start(&target, Some(run_id), *input, answer),
            Body::Step(input, answer) => self.step(&target.namespace, run_id, input, answer),
            Body::Look(look) => self.look(run_id, look),
            Body::LookWhen(when, look) => self.look_when(run_id, when, look),
            Body::Query(call) => self.query(run_id, *call),
            Body::Update(call) => self.update(&target.namespace, run_id, *call),
            Body::Delete(answer) => self.delete(&target.namespace, run_id, answer),
            Body::Reset(call) => self.reset(&target, Some(run_id), *call),
            Body::Peer(call) => self.peer(&target, Some(run_id), *call),
            Body::PeerAnswer(seq, answer) => {
                self.peer_answer(&target.namespace, run_id, seq, answer)
            }
            Body::PeerFailed(seq) => self.peer_failed(run_id, seq),
        }
    }

    /// Carries a message out when its run does not exist.
    fn act_missing(&mut self, target: &Target, body: Body, commit: CommitId) {
        match body {
            Body::Start(input, answer) => self.start(target, None, *input, answer),
            Body::Reset(call) => self.reset(target, None, *call),
            Body::Peer(call) => self.peer(target, None, *call),
            Body::PeerAnswer(..) | Body::PeerFailed(_) => {}
            body => self.hold(
                commit,
                Release::Refusal(body, CallError::Rejected(target.missing())),
            ),
        }
    }

    /// The namespace of a run, unless it is being deleted.
    pub(super) fn namespace(&self, id: Uuid) -> Option<Arc<Namespace>> {
        self.outside.namespaces.namespace_by_id(id)
    }

    /// How long closed runs of a namespace are kept; for ever while it is being deleted as a whole.
    pub(super) fn retention(&self, namespace: Uuid) -> Duration {
        self.namespace(namespace)
            .map_or(Duration::MAX, |namespace| namespace.retention)
    }

    /// A run has left memory: when must it come back?
    pub(super) fn evicted(&mut self, cell: Box<Cell>, now: Timestamp) {
        Counters::add(&self.counters.evictions, 1);
        if cell.state.has_offers() {
            self.offered_until.insert(cell.key.run_id, now);
        }
        let retention = self.retention(cell.key.namespace);
        if let Some(at) = cell.deadline(retention) {
            self.sleepers.put(at, cell.stored_wake, cell.key);
        }
    }
}

impl Find {
    fn of_void(void: Void) -> Self {
        match void {
            Void::Deleted(commit) => Self::Missing(commit),
            Void::Broken(_) => Self::Refused(CallError::Unavailable(
                "the execution is being reloaded".to_owned(),
            )),
        }
    }
}

fn quarantined() -> CallError {
    CallError::Rejected(Rejection::Internal(
        "the execution is quarantined: its steps fail".to_owned(),
    ))
}
