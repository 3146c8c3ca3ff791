//! Taking up executions from the store: at the start, what waits for a worker, for delivery or for a deadline
//! that has passed; later, what comes due without being in memory.
//!
//! The index is read in pages, ahead of time by a window, and again only when there is something in it.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use engine::time::Timestamp;
use store::{Answer, ExecutionKey, Wake, WakeCursor};
use uuid::Uuid;

use super::message::Target;
use super::writer::Shard;

/// How far ahead the index is read.
const WINDOW: Duration = Duration::from_secs(3600);
/// Wakes on one page.
const PAGE: usize = 512;
/// Runs taken up in one round of the shard.
const TAKE_UP_MAX: usize = 32;
/// When the store does not answer: how long to wait before asking again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One pass over the index.
pub(super) struct Scan {
    /// From the beginning, whatever the horizon is.
    whole: bool,
    stage: Stage,
    /// Due by now.
    found: VecDeque<ExecutionKey>,
}

enum Stage {
    /// No pass is under way.
    Idle,
    /// A page is being read, up to this horizon.
    Page(Timestamp, Answer<Vec<Wake>>),
    /// The next page begins behind here, once what was found is taken up.
    Between(Timestamp, WakeCursor),
    /// All pages were read; what is the first beyond the horizon?
    Beyond(Answer<Vec<Wake>>),
}

impl Scan {
    /// A pass over all of the index, not begun.
    pub(super) fn whole() -> Self {
        Self {
            whole: true,
            stage: Stage::Idle,
            found: VecDeque::new(),
        }
    }

    /// Whether a pass is under way.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
    }

    /// Whether runs wait to be taken up.
    pub(super) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }
}

impl Shard {
    /// Goes on with reading the index; whether something happened.
    pub(super) fn poll_scan(&mut self, context: &mut Context<'_>) -> bool {
        let mut happened = false;
        while self.is_open() && !self.is_stopping() {
            match &mut self.scan.stage {
                Stage::Idle => {
                    let now = self.now();
                    if !self.sleepers.must_read(now) {
                        return happened;
                    }
                    self.begin_pass(now);
                }
                Stage::Between(horizon, after) => {
                    let (horizon, after) = (*horizon, *after);
                    if self.scan.has_found() {
                        return happened;
                    }
                    self.read_page(horizon, Some(after));
                }
                Stage::Page(horizon, answer) => {
                    let horizon = *horizon;
                    match answer.as_mut().poll(context) {
                        Poll::Pending => return happened,
                        Poll::Ready(Ok(wakes)) => self.page_read(horizon, wakes),
                        Poll::Ready(Err(error)) => self.give_up_pass(&error),
                    }
                }
                Stage::Beyond(answer) => match answer.as_mut().poll(context) {
                    Poll::Pending => return happened,
                    Poll::Ready(Ok(wakes)) => {
                        self.sleepers
                            .expect_beyond(wakes.first().map(|wake| Timestamp(wake.wake_at)));
                        self.scan.stage = Stage::Idle;
                    }
                    Poll::Ready(Err(error)) => self.give_up_pass(&error),
                },
            }
            happened = true;
        }
        happened
    }

    fn begin_pass(&mut self, now: Timestamp) {
        let horizon = now.after(WINDOW);
        let old = self.sleepers.begin_reading(horizon);
        let whole = std::mem::replace(&mut self.scan.whole, false);
        let after = (!whole).then(|| before(old));
        self.read_page(horizon, after);
    }

    fn read_page(&mut self, horizon: Timestamp, after: Option<WakeCursor>) {
        let answer = self.store.wakes(self.slots.clone(), horizon.0, after, PAGE);
        self.scan.stage = Stage::Page(horizon, answer);
    }

    fn page_read(&mut self, horizon: Timestamp, wakes: Vec<Wake>) {
        let now = self.now();
        let full = wakes.len() >= PAGE;
        let last = wakes.last().map(Wake::cursor);
        for wake in wakes {
            if wake.wake_at <= now.0 {
                self.scan.found.push_back(wake.key);
            } else if !self.cache.contains(wake.key.run_id) {
                self.sleepers.remember(Timestamp(wake.wake_at), wake.key);
            }
        }
        self.scan.stage = match last {
            Some(last) if full && self.sleepers.is_full() => {
                self.sleepers.stop_reading(Timestamp(last.wake_at));
                Stage::Idle
            }
            Some(last) if full => Stage::Between(horizon, last),
            _ => Stage::Beyond(self.store.wakes(
                self.slots.clone(),
                i64::MAX,
                Some(before(horizon)),
                1,
            )),
        };
    }

    /// The store does not answer: what was read stays known, the rest is tried again.
    fn give_up_pass(&mut self, error: &store::StoreError) {
        tracing::warn!(shard = self.id, %error, "the index of deadlines cannot be read");
        let again = self.now().after(RETRY_AFTER);
        self.scan.stage = Stage::Idle;
        self.scan.whole = true;
        self.sleepers.begin_reading(Timestamp::MIN);
        self.sleepers.expect_beyond(Some(again));
    }

    /// Takes up some of what waits to be.
    pub(super) fn take_up_some(&mut self) {
        if !self.is_open() || self.is_stopping() {
            return;
        }
        for _ in 0..TAKE_UP_MAX {
            let Some(key) = self.scan.found.pop_front() else {
                break;
            };
            self.take_up(key);
        }
        let now = self.now();
        for _ in 0..TAKE_UP_MAX {
            let Some(key) = self.sleepers.pop_due(now) else {
                break;
            };
            self.take_up(key);
        }
    }

    /// Loads a run so that what it has to do is done. One that is in memory is looked after already.
    pub(super) fn take_up(&mut self, key: ExecutionKey) {
        if self.cache.contains(key.run_id) || self.is_quarantined(key.run_id) {
            return;
        }
        // Without its namespace it is being deleted.
        let Some(namespace) = self.outside.namespaces.namespace_by_id(key.namespace) else {
            return;
        };
        let target = Target::of(&key, namespace);
        if self.loads.is_loading(&target) {
            // Perhaps another run of this workflow id.
            let again = self.now().after(Duration::from_millis(10));
            self.sleepers.remember(again, key);
            return;
        }
        if let Some(result) = self.loads.begin(&target) {
            self.loaded((target, result, VecDeque::new()));
        }
    }
}

/// The cursor before everything of a time.
fn before(at: Timestamp) -> WakeCursor {
    WakeCursor {
        wake_at: at.0.saturating_sub(1),
        run_id: Uuid::max(),
    }
}
