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
    /// Sleepers who are at work otherwise.
    asleep_at_work: usize,
    /// `None` until the first one tells.
    shards: BTreeMap<u32, Waits>,
    turns: u64,
}

/// What a sleeper takes up again when it wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// It came to sleep.
    Nothing,
    /// A lock that it took off.
    Lock,
    /// Work that a shard counts.
    Work,
}

struct Sleeper {
    holds: Holds,
    woken: oneshot::Sender<()>,
}

impl State {
    pub(super) fn new(locks: u64) -> Self {
        Self {
            locks,
            sleepers: BTreeMap::new(),
            sleeper_count: 0,
            asleep_at_work: 0,
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
    pub(super) fn sleep(&mut self, at: Timestamp, holds: Holds) -> oneshot::Receiver<()> {
        let (woken, receiver) = oneshot::channel();
        self.sleeper_count += 1;
        self.asleep_at_work += usize::from(holds == Holds::Work);
        let sleeper = Sleeper { holds, woken };
        self.sleepers.insert((at, self.sleeper_count), sleeper);
        receiver
    }

    /// Wakes those whose time is there.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some(first) = self.sleepers.first_entry()
            && first.key().0 <= now
        {
            let sleeper = first.remove();
            self.locks += u64::from(sleeper.holds == Holds::Lock);
            self.asleep_at_work -= usize::from(sleeper.holds == Holds::Work);
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
            *waits = Waits::Itself;
        }
    }

    /// Whether somebody is at work who is not asleep. A shard that is at work itself may not have counted yet.
    pub(super) fn is_somebody_at_work(&self) -> bool {
        let mut at_work = 0;
        for waits in self.shards.values() {
            match waits {
                Waits::Itself => return true,
                Waits::Others { at_work: some, .. } => at_work += some,
            }
        }
        at_work > self.asleep_at_work
    }

    /// Where the clock may jump to: the next thing that anybody waits for, if nobody is at work.
    pub(super) fn jump(&self, now: Timestamp) -> Option<Timestamp> {
        if self.locks > 0 || self.shards.is_empty() || self.is_somebody_at_work() {
            return None;
        }
        let deadlines = self.shards.values().filter_map(|waits| match waits {
            Waits::Itself => None,
            Waits::Others { next, .. } => *next,
        });
        let next = deadlines.chain(self.first_sleeper()).min();
        // What is due already is about to be looked at.
        next.filter(|next| *next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(100);
    const OUTSIDE: Waits = working(0, None);
    const WORK: Waits = working(1, None);

    const fn working(at_work: usize, next: Option<Timestamp>) -> Waits {
        Waits::Others { at_work, next }
    }

    const fn time(at: i64) -> Waits {
        working(0, Some(Timestamp(at)))
    }

    fn unlocked(shards: &[Waits]) -> State {
        let mut state = State::new(0);
        for (shard, waits) in (0..).zip(shards) {
            state.turned(shard, *waits);
        }
        state
    }

    #[test]
    fn the_clock_jumps_to_the_next_deadline_of_all() {
        for (shards, next) in [
            (&[][..], None),
            (&[OUTSIDE], None),
            (&[time(200)], Some(Timestamp(200))),
            (&[time(300), OUTSIDE, time(200)], Some(Timestamp(200))),
            (&[time(200), WORK], None),
            (&[time(200), Waits::Itself], None),
            (&[time(100)], None),
        ] {
            assert_eq!(unlocked(shards).jump(NOW), next, "{shards:?}");
        }
    }

    #[test]
    fn locks_are_counted() {
        let mut state = unlocked(&[time(200)]);
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
        let mut state = unlocked(&[OUTSIDE]);
        let mut later = state.sleep(Timestamp(300), Holds::Nothing);
        let mut sooner = state.sleep(Timestamp(200), Holds::Lock);
        assert_eq!(state.jump(NOW), Some(Timestamp(200)));
        state.wake(Timestamp(200));
        assert_eq!(sooner.try_recv(), Ok(()));
        assert!(later.try_recv().is_err());
        assert_eq!(state.jump(Timestamp(200)), None, "locked again");
        state.unlock().unwrap();
        assert_eq!(state.jump(Timestamp(200)), Some(Timestamp(300)));
    }

    #[test]
    fn who_sleeps_at_work_does_not_keep_the_clock() {
        let deadline = Some(Timestamp(200));
        let mut state = unlocked(&[working(1, deadline)]);
        assert_eq!(state.jump(NOW), None);
        assert!(state.is_somebody_at_work());
        let mut sleeper = state.sleep(Timestamp(300), Holds::Work);
        assert_eq!(state.jump(NOW), deadline, "a deadline comes before");
        assert!(!state.is_somebody_at_work());
        state.turned(0, working(2, deadline));
        assert_eq!(state.jump(NOW), None, "another one is at work");
        state.turned(0, WORK);
        assert_eq!(state.jump(NOW), Some(Timestamp(300)));
        state.wake(Timestamp(300));
        assert_eq!(sleeper.try_recv(), Ok(()));
        assert!(state.is_somebody_at_work());
    }

    #[test]
    fn after_a_jump_shards_must_speak_first() {
        let mut state = unlocked(&[time(200)]);
        state.jumped();
        assert_eq!(state.jump(NOW), None);
        assert!(state.turned(0, OUTSIDE));
        assert!(!state.turned(0, OUTSIDE));
    }
}
