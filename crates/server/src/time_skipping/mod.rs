//! A clock for tests of users' workflows: it goes as the wall's does, and jumps to the next deadline when nobody
//! is at work. A workflow that waits for two weeks is tested in milliseconds; the engine does not know.
//!
//! Tests lock it and unlock it through the API's TestService; while any lock is held it does not jump. Every
//! shard tells after each turn what it waits for, and is woken after a jump.
//!
//! - [`state`]: when to jump, and who sleeps until when: pure.

mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use engine::time::Timestamp;
use tokio::sync::{Notify, oneshot};

use self::state::{Holds, State};
use crate::shard::{Clock, Shards, SystemClock, Waits};
use crate::sync::{Mutex, lock};

/// The clock.
pub struct TimeSkipping {
    /// How far it is ahead of the wall's, in ns.
    ahead: AtomicI64,
    state: Mutex<State>,
    changed: Notify,
}

/// An unlock without a lock.
#[derive(Debug, PartialEq, Eq)]
pub struct NotLocked;

impl TimeSkipping {
    /// A clock that may jump, unless it begins locked.
    pub fn new(is_locked: bool) -> Arc<Self> {
        Arc::new(Self {
            ahead: AtomicI64::new(0),
            state: Mutex::new(State::new(u64::from(is_locked))),
            changed: Notify::new(),
        })
    }

    /// No jumps until this is unlocked again. Locks are counted.
    pub fn lock(&self) {
        lock(&self.state).lock();
    }

    /// Takes one lock off.
    ///
    /// # Errors
    /// There is none.
    pub fn unlock(&self) -> Result<(), NotLocked> {
        lock(&self.state).unlock()?;
        self.changed.notify_one();
        Ok(())
    }

    /// Waits until the clock shows a time.
    pub async fn sleep_until(&self, at: Timestamp) {
        let woken = lock(&self.state).sleep(at, Holds::Nothing);
        self.wait(woken).await;
    }

    /// Takes one lock off until the clock shows a time, and waits for that. Without a lock it is somebody at work who
    /// sleeps, such as an activity: that work does not keep the clock meanwhile.
    ///
    /// # Errors
    /// There is no lock, and nobody at work.
    pub async fn unlock_until(&self, at: Timestamp) -> Result<(), NotLocked> {
        let woken = {
            let mut state = lock(&self.state);
            let holds = if state.unlock().is_ok() {
                Holds::Lock
            } else if state.is_somebody_at_work() {
                Holds::Work
            } else {
                return Err(NotLocked);
            };
            state.sleep(at, holds)
        };
        self.wait(woken).await;
        Ok(())
    }

    async fn wait(&self, woken: oneshot::Receiver<()>) {
        self.changed.notify_one();
        // An error: the clock is gone, and so is the server.
        let _ = woken.await;
    }

    /// Makes the clock jump whenever it may. Never returns.
    pub async fn run(self: Arc<Self>, shards: Shards) {
        /// What has come in before a jump is looked at before the jump.
        const SETTLE: Duration = Duration::from_millis(1);
        loop {
            let now = self.now();
            let (next, turns) = {
                let mut state = lock(&self.state);
                state.wake(now);
                (state.jump(now), state.turns())
            };
            let Some(next) = next else {
                let nap = lock(&self.state).first_sleeper().map(|at| at.since(now));
                match nap {
                    Some(nap) => {
                        let _ = tokio::time::timeout(nap, self.changed.notified()).await;
                    }
                    None => self.changed.notified().await,
                }
                continue;
            };
            tokio::time::sleep(SETTLE).await;
            let mut state = lock(&self.state);
            if state.turns() != turns || state.jump(self.now()) != Some(next) {
                continue;
            }
            let leap = next.since(self.now());
            let leap = i64::try_from(leap.as_nanos()).unwrap_or(i64::MAX);
            self.ahead.fetch_add(leap, Ordering::AcqRel);
            state.jumped();
            drop(state);
            shards.wake();
        }
    }
}

impl Clock for TimeSkipping {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Acquire);
        Timestamp(SystemClock.now().0.saturating_add(ahead))
    }

    fn turned(&self, shard: u32, waits: &mut dyn FnMut() -> Waits) {
        let changed = lock(&self.state).turned(shard, waits());
        if changed {
            self.changed.notify_one();
        }
    }
}
