//! A shard: the single writer of its executions. A plain loop over its inbox.
//!
//! Each round carries out what has become durable, takes a bounded number of messages, looks at
//! what is due, takes up a few runs from the store, and sends everything written off as one batch.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use engine::limits::Limits;
use engine::time::Timestamp;
use hashbrown::HashMap;
use store::{Answer, ExecutionKey, Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};
use uuid::Uuid;

use super::CallError;
use super::cache::{Cache, Void};
use super::clock::{Clock, Steps, Waits};
use super::counters::Counters;
use super::deadlines::{Deadlines, Sleepers};
use super::load::Loads;
use super::message::{Body, Message, Target};
use super::pipeline::Pipeline;
use super::recovery::Scan;
use super::release::{Outside, Release};

/// Messages taken in one round, and so at most in one batch.
const MESSAGES_MAX: usize = 256;
/// Deadlines looked at in one round.
const DUE_MAX: usize = 64;
/// Runs considered for leaving memory in one round; more than can come in.
const EVICTION_LOOKS: usize = 4 * MESSAGES_MAX;
/// How long the loop sleeps at most while something is armed: the wall clock may jump, a sleep does not notice.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// After a store failed: how long to wait before the next try.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long a message between executions rests before it is sent again.
pub(super) const RESEND_AFTER: Duration = Duration::from_secs(1);

/// What a shard is made of.
pub(super) struct Parts {
    pub(super) id: u32,
    pub(super) slots: std::ops::Range<u16>,
    pub(super) store: Arc<dyn Store>,
    pub(super) outside: Outside,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: u64,
    pub(super) limits: Arc<Limits>,
    pub(super) cache_bytes_max: usize,
    pub(super) counters: Arc<Counters>,
}

/// See the module.
pub(super) struct Shard {
    pub(super) id: u32,
    pub(super) slots: std::ops::Range<u16>,
    pub(super) store: Arc<dyn Store>,
    pub(super) outside: Outside,
    pub(super) clock: Arc<dyn Clock>,
    seed: u64,
    pub(super) limits: Arc<Limits>,
    pub(super) counters: Arc<Counters>,

    pub(super) cache: Cache,
    pub(super) pipeline: Pipeline,
    pub(super) loads: Loads,
    pub(super) deadlines: Deadlines,
    pub(super) sleepers: Sleepers,
    pub(super) scan: Scan,
    pub(super) steps: Steps,
    /// Messages of runs in this shard to send again, and when.
    pub(super) resend: std::collections::VecDeque<(Timestamp, ExecutionKey, u64)>,
    /// Runs that left memory while matching held tasks of theirs, and when they left: what became ready
    /// before that is not offered again when they are loaded.
    pub(super) offered_until: HashMap<Uuid, Timestamp>,
    /// How often a step of a run broke.
    pub(super) broken: HashMap<Uuid, u32>,
    phase: Phase,
    /// The last pause between two tries to open an epoch.
    backoff: Duration,
    /// From executions, while the store is away.
    kept: Vec<(Target, Body)>,
    stopping: Option<oneshot::Sender<()>>,
    last_time: Timestamp,
}

/// Whether the shard may write.
enum Phase {
    /// An epoch is being opened.
    Opening(Answer<u64>),
    /// It may.
    Open,
    /// The store is away; the next try is when this ends.
    Away(Pin<Box<Sleep>>),
}

impl Shard {
    /// A shard that has asked for its epoch.
    pub(super) fn new(parts: Parts) -> Self {
        let opening = parts.store.open_epoch(parts.id);
        Self {
            id: parts.id,
            slots: parts.slots,
            cache: Cache::new(parts.cache_bytes_max),
            pipeline: Pipeline::new(parts.id),
            loads: Loads::new(Arc::clone(&parts.store)),
            deadlines: Deadlines::default(),
            sleepers: Sleepers::new(),
            scan: Scan::whole(),
            steps: Steps::new(parts.seed, 0),
            resend: std::collections::VecDeque::new(),
            offered_until: HashMap::new(),
            broken: HashMap::new(),
            phase: Phase::Opening(opening),
            backoff: Duration::ZERO,
            kept: Vec::new(),
            stopping: None,
            last_time: Timestamp::MIN,
            store: parts.store,
            outside: parts.outside,
            clock: parts.clock,
            seed: parts.seed,
            limits: parts.limits,
            counters: parts.counters,
        }
    }

    /// Runs until it is told to stop, or all doors to it are gone.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let mut messages = Vec::with_capacity(MESSAGES_MAX);
        // Far away until something is armed.
        let mut alarm = Box::pin(sleep_until(Instant::now() + SLEEP_MAX));
        loop {
            let armed = self.set_alarm(alarm.as_mut());
            let hurry = self.is_hurried();
            let open = poll_fn(|context| {
                let alarm = armed.then_some(alarm.as_mut());
                self.poll_round(context, &mut inbox, &mut messages, alarm, hurry)
            })
            .await;
            if !open {
                break;
            }
            for message in messages.drain(..) {
                match message {
                    Message::To(target, body) => self.admit(target, body),
                    Message::Wake => {}
                    Message::Stop(stopped) => self.stopping = Some(stopped),
                }
            }
            self.fire();
            self.take_up_some();
            self.evict_some();
            self.pipeline.flush(self.store.as_ref());
            let clock = Arc::clone(&self.clock);
            clock.turned(self.id, &mut || self.waits());
            if self.stopping.is_some() && self.pipeline.is_idle() {
                break;
            }
            if hurry {
                // Work of the shard's own is left: let the neighbours on this thread have a turn.
                tokio::task::yield_now().await;
            }
        }
        if let Some(stopped) = self.stopping.take() {
            // Whoever asked may have given up waiting.
            let _ = stopped.send(());
        }
    }

    /// One look at everything that can wake the loop; ready with false when all doors are gone.
    fn poll_round(
        &mut self,
        context: &mut Context<'_>,
        inbox: &mut mpsc::UnboundedReceiver<Message>,
        messages: &mut Vec<Message>,
        alarm: Option<Pin<&mut Sleep>>,
        hurry: bool,
    ) -> Poll<bool> {
        let mut woken = hurry;
        while let Poll::Ready(outcome) = self.pipeline.poll_durable(context) {
            woken = true;
            match outcome {
                Ok(releases) => self.release(releases),
                Err(error) => self.fail(&error),
            }
        }
        woken |= self.poll_phase(context);
        while let Poll::Ready(ended) = self.loads.poll_loaded(context) {
            woken = true;
            self.loaded(ended);
        }
        woken |= self.poll_scan(context);
        woken |= alarm.is_some_and(|alarm| alarm.poll(context).is_ready());
        match inbox.poll_recv_many(context, messages, MESSAGES_MAX) {
            Poll::Ready(count) => Poll::Ready(count > 0),
            Poll::Pending if woken => Poll::Ready(true),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether the first epoch is still being opened: callers can wait for that.
    pub(super) fn is_opening_first(&self) -> bool {
        matches!(self.phase, Phase::Opening(_)) && self.pipeline.epoch() == 0
    }

    /// Whether the shard may write.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether new work is refused because the node stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Keeps a message for when the store is back.
    pub(super) fn keep(&mut self, target: Target, body: Body) {
        self.kept.push((target, body));
    }

    /// This instant; never before an earlier one, so that times in a history never run backwards while the
    /// shard lives.
    pub(super) fn now(&mut self) -> Timestamp {
        self.last_time = self.last_time.max(self.clock.now());
        self.last_time
    }

    /// Carries out what has become durable.
    fn release(&mut self, releases: Vec<Release>) {
        self.cache.forget_voids(self.pipeline.durable());
        for release in releases {
            self.carry_out(release);
        }
    }

    /// Carries one thing out.
    pub(super) fn carry_out(&mut self, release: Release) {
        if let Some(key) = release.carry_out(&self.outside) {
            self.take_up(key);
        }
    }

    /// Holds something back until a commit is durable; carries it out at once if that is so.
    pub(super) fn hold(&mut self, until: u64, release: Release) {
        if let Some(release) = self.pipeline.hold(until, release) {
            self.carry_out(release);
        }
    }

    /// A commit failed. Everything that is not durable is dropped, those who wait for it are told, and the
    /// shard starts afresh in a new epoch: what it knows of the index may rest on what was lost.
    fn fail(&mut self, error: &StoreError) {
        tracing::error!(shard = self.id, %error, "a commit failed; dropping what is not durable");
        Counters::add(&self.counters.commits_failed, 1);
        if let StoreError::Conflict { run_id, .. } = error {
            *self.broken.entry(*run_id).or_default() += 1;
        }
        let unavailable = CallError::Unavailable(error.to_string());
        let durable = self.pipeline.durable();
        for release in self.pipeline.abort() {
            release.fail(&unavailable, &self.outside);
        }
        for mut cell in self.cache.drop_undurable(durable) {
            let Some(waiting) = cell.waiting.take() else {
                continue;
            };
            for (_, look) in waiting.readers {
                look.answer(Err(unavailable.clone()));
            }
            if let Some(query) = waiting.query {
                drop(query.answer.send(Err(unavailable.clone())));
            }
        }
        self.sleepers = Sleepers::new();
        self.scan = Scan::whole();
        self.phase = Phase::Opening(self.store.open_epoch(self.id));
        for (target, body) in self.loads.abort() {
            self.admit(target, body);
        }
    }

    /// Goes on with opening an epoch; whether something happened.
    fn poll_phase(&mut self, context: &mut Context<'_>) -> bool {
        let mut happened = false;
        loop {
            match &mut self.phase {
                Phase::Open => return happened,
                Phase::Away(sleep) => {
                    if sleep.as_mut().poll(context).is_pending() {
                        return happened;
                    }
                    self.phase = Phase::Opening(self.store.open_epoch(self.id));
                }
                Phase::Opening(epoch) => match epoch.as_mut().poll(context) {
                    Poll::Pending => return happened,
                    Poll::Ready(Ok(epoch)) => self.opened(epoch),
                    Poll::Ready(Err(error)) => {
                        tracing::warn!(shard = self.id, %error, "the store does not open an epoch");
                        self.backoff = (self.backoff * 2).clamp(BACKOFF.0, BACKOFF.1);
                        let sleep = Box::pin(tokio::time::sleep(self.backoff));
                        self.phase = Phase::Away(sleep);
                    }
                },
            }
            happened = true;
        }
    }

    fn opened(&mut self, epoch: u64) {
        self.pipeline.set_epoch(epoch);
        self.steps = Steps::new(self.seed ^ epoch, epoch);
        self.backoff = Duration::ZERO;
        self.phase = Phase::Open;
        for (target, body) in std::mem::take(&mut self.kept) {
            self.admit(target, body);
        }
    }

    /// Looks at what is due.
    fn fire(&mut self) {
        if !self.is_open() {
            return;
        }
        let now = self.now();
        for _ in 0..DUE_MAX {
            let Some((at, run_id)) = self.deadlines.pop_due(now) else {
                break;
            };
            self.due(at, run_id, now);
        }
        for _ in 0..DUE_MAX {
            if self.resend.front().is_none_or(|(at, ..)| *at > now) {
                break;
            }
            if let Some((_, key, seq)) = self.resend.pop_front() {
                self.send_again(key, seq);
            }
        }
    }

    /// Work is left that nothing from outside will announce.
    fn is_hurried(&mut self) -> bool {
        if !self.is_open() || self.is_stopping() {
            return false;
        }
        let now = self.now();
        self.first_deadline().is_some_and(|at| at <= now) || self.scan.has_found()
    }

    fn first_deadline(&self) -> Option<Timestamp> {
        let resend = self.resend.front().map(|(at, ..)| *at);
        let sleepers = if self.scan.is_under_way() {
            None
        } else {
            self.sleepers.first()
        };
        [self.deadlines.first(), sleepers, resend]
            .into_iter()
            .flatten()
            .min()
    }

    /// Sets the alarm to the next deadline; false when there is none, or nothing could be done about it.
    fn set_alarm(&mut self, alarm: Pin<&mut Sleep>) -> bool {
        if !self.is_open() || self.is_stopping() {
            return false;
        }
        let Some(first) = self.first_deadline() else {
            return false;
        };
        let rest = first.since(self.now()).min(SLEEP_MAX);
        let at = Instant::now() + rest;
        // One that is set too early only wakes the loop once more.
        if alarm.is_elapsed() || alarm.deadline() > at {
            alarm.reset(at);
        }
        true
    }

    /// What this shard waits for, for a clock that may jump. It looks at every execution in memory.
    fn waits(&mut self) -> Waits {
        let now = self.now();
        let is_quiet = self.is_open()
            && self.pipeline.is_idle()
            && self.loads.is_idle()
            && !self.scan.is_under_way()
            && !self.scan.has_found()
            && self.kept.is_empty();
        if !is_quiet {
            return Waits::Itself;
        }
        let at_work = self.cache.states().map(|state| state.at_work(now)).sum();
        let open = self.cache.states().filter(|state| state.is_open());
        let next = open
            .filter_map(engine::execution::Execution::next_deadline)
            .min();
        Waits::Others { at_work, next }
    }

    /// Puts runs out of memory while there are too many.
    fn evict_some(&mut self) {
        let durable = self.pipeline.durable();
        let now = self.now();
        let mut looks = EVICTION_LOOKS;
        while let Some(cell) = self.cache.evict(durable, now, &mut looks) {
            self.evicted(cell, now);
        }
        if self.deadlines.is_stale(self.cache.len()) {
            self.deadlines.rebuild(self.cache.armed());
        }
        self.counters
            .set_cached(self.id, self.cache.len(), self.cache.bytes());
    }

    /// Whether a run must not be touched any more: its steps keep breaking.
    pub(super) fn is_quarantined(&self, run_id: Uuid) -> bool {
        /// After so many broken steps.
        const BROKEN_MAX: u32 = 3;
        !self.broken.is_empty()
            && self
                .broken
                .get(&run_id)
                .is_some_and(|count| *count >= BROKEN_MAX)
    }

    /// A step of a run broke halfway: its state is worth nothing. It is loaded again once what it had
    /// written is durable.
    pub(super) fn break_run(&mut self, run_id: Uuid) {
        *self.broken.entry(run_id).or_default() += 1;
        Counters::add(&self.counters.steps_broken, 1);
        let Some(last_commit) = self.cache.get_mut(run_id).map(|cell| cell.last_commit) else {
            return;
        };
        let Some(cell) = self.cache.make_void(run_id, Void::Broken(last_commit)) else {
            return;
        };
        self.hold(last_commit, Release::TakeUp(cell.key));
    }
}
