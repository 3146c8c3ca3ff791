//! When the clock jumps, and where to.

use std::collections::BTreeMap;

use engine::time::Timestamp;
use tokio::sync::oneshot;

use super::NotLocked;
use crate::shard::Waits;

/// Locks, sleepers, and what shards wait for.
pub(super) struct State {
    locks: u64,
    sleepers: BTreeMap<(Timestamp, u64), Sleeper>,
    sleeper_count: u64,
    /// `None` until the first one tells.
    shards: BTreeMap<u32, Waits>,
    turns: u64,
}

struct Sleeper {
    /// It took a lock off, and puts it back on.
    relocks: bool,
    woken: oneshot::Sender<()>,
}

impl State {
    pub(super) fn new(locks: u64) -> Self {
        Self {
            locks,
            sleepers: BTreeMap::new(),
            sleeper_count: 0,
            shards: BTreeMap::new(),
            turns: 0,
        }
    }

    pub(super) fn lock(&mut self) {
        self.locks += 1;
    }

    pub(super) fn unlock(&mut self) -> Result<(), NotLocked> {
        self.locks = self.locks.checked_sub(1).ok_or(NotLocked)?;
        Ok(())
    }

    /// Somebody sleeps until a time; the sender speaks when it is there.
    pub(super) fn sleep(&mut self, at: Timestamp, relocks: bool) -> oneshot::Receiver<()> {
        let (woken, receiver) = oneshot::channel();
        self.sleeper_count += 1;
        let sleeper = Sleeper { relocks, woken };
        self.sleepers.insert((at, self.sleeper_count), sleeper);
        receiver
    }

    /// Wakes those whose time is there.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some(first) = self.sleepers.first_entry()
            && first.key().0 <= now
        {
            let sleeper = first.remove();
            self.locks += u64::from(sleeper.relocks);
            // Who went away meanwhile needs no word.
            let _ = sleeper.woken.send(());
        }
    }

    pub(super) fn first_sleeper(&self) -> Option<Timestamp> {
        self.sleepers.keys().next().map(|(at, _)| *at)
    }

    /// What a shard waits for after a turn. Whether it is something else than before.
    pub(super) fn turned(&mut self, shard: u32, waits: Waits) -> bool {
        self.turns += 1;
        self.shards.insert(shard, waits) != Some(waits)
    }

    /// Turns that shards have told of.
    pub(super) fn turns(&self) -> u64 {
        self.turns
    }

    /// What shards have told is of before the jump.
    pub(super) fn jumped(&mut self) {
        for waits in self.shards.values_mut() {
            *waits = Waits::Work;
        }
    }

    /// Where the clock may jump to: the next thing that anybody waits for, if nobody is at work.
    pub(super) fn jump(&self, now: Timestamp) -> Option<Timestamp> {
        if self.locks > 0 || self.shards.is_empty() {
            return None;
        }
        let mut next = self.first_sleeper();
        for waits in self.shards.values() {
            match waits {
                Waits::Work => return None,
                Waits::Outside => {}
                Waits::Time(at) => next = Some(next.map_or(*at, |next| next.min(*at))),
            }
        }
        // What is due already is about to be looked at.
        next.filter(|next| *next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(100);

    fn unlocked(shards: &[Waits]) -> State {
        let mut state = State::new(0);
        for (shard, waits) in (0..).zip(shards) {
            state.turned(shard, *waits);
        }
        state
    }

    #[test]
    fn the_clock_jumps_to_the_next_deadline_of_all() {
        let time = |at| Waits::Time(Timestamp(at));
        for (shards, next) in [
            (&[][..], None),
            (&[Waits::Outside], None),
            (&[time(200)], Some(Timestamp(200))),
            (
                &[time(300), Waits::Outside, time(200)],
                Some(Timestamp(200)),
            ),
            (&[time(200), Waits::Work], None),
            (&[time(100)], None),
        ] {
            assert_eq!(unlocked(shards).jump(NOW), next, "{shards:?}");
        }
    }

    #[test]
    fn locks_are_counted() {
        let mut state = unlocked(&[Waits::Time(Timestamp(200))]);
        state.lock();
        state.lock();
        assert_eq!(state.unlock(), Ok(()));
        assert_eq!(state.jump(NOW), None);
        assert_eq!(state.unlock(), Ok(()));
        assert!(state.jump(NOW).is_some());
        assert_eq!(state.unlock(), Err(NotLocked));
    }

    #[test]
    fn sleepers_are_woken_in_time_and_put_their_lock_back_on() {
        let mut state = unlocked(&[Waits::Outside]);
        let mut later = state.sleep(Timestamp(300), false);
        let mut sooner = state.sleep(Timestamp(200), true);
        assert_eq!(state.jump(NOW), Some(Timestamp(200)));
        state.wake(Timestamp(200));
        assert_eq!(sooner.try_recv(), Ok(()));
        assert!(later.try_recv().is_err());
        assert_eq!(state.jump(Timestamp(200)), None, "locked again");
        state.unlock().unwrap();
        assert_eq!(state.jump(Timestamp(200)), Some(Timestamp(300)));
    }

    #[test]
    fn after_a_jump_shards_must_speak_first() {
        let mut state = unlocked(&[Waits::Time(Timestamp(200))]);
        state.jumped();
        assert_eq!(state.jump(NOW), None);
        assert!(state.turned(0, Waits::Outside));
        assert!(!state.turned(0, Waits::Outside));
    }
}
