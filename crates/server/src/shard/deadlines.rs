//! When to look at which execution: a heap for those in memory, an ordered set for those that are not.
//!
//! The heap is lazy: a cell is in it with the earliest time that it was armed for, and what comes up too
//! early is looked at and put back. The set knows the runs in the store up to a horizon; what lies
//! beyond is left to the store's index, except that the earliest of it is remembered, so that the index is read
//! only when there is something in it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use engine::time::Timestamp;
use store::ExecutionKey;
use uuid::Uuid;

/// Deadlines of executions in memory.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Timestamp, Uuid)>>,
}

impl Deadlines {
    /// Wakes a run at a time.
    pub(super) fn arm(&mut self, at: Timestamp, run_id: Uuid) {
        self.heap.push(Reverse((at, run_id)));
    }

    /// Whether most of the entries must be of runs that have moved on or left memory.
    pub(super) fn is_stale(&self, run_count: usize) -> bool {
        /// Fewer than so many are not worth the trouble.
        const SMALL: usize = 4096;
        self.heap.len() > SMALL + 4 * run_count
    }

    /// Begins anew with what the runs in memory are armed for.
    pub(super) fn rebuild(&mut self, armed: impl Iterator<Item = (Timestamp, Uuid)>) {
        self.heap = armed.map(Reverse).collect();
    }

    /// The earliest time; its run may have moved on since.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the next entry that is due.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Uuid)> {
        if self.first()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

/// Deadlines of executions that are in the store alone.
#[derive(Debug)]
pub(super) struct Sleepers {
    known: BTreeSet<(Timestamp, ExecutionKey)>,
    /// Everything in the index before this time is in `known`, in memory, or being taken up.
    horizon: Timestamp,
    /// Not before this time is there anything in the index beyond the horizon.
    beyond: Option<Timestamp>,
}

impl Sleepers {
    /// Runs that are remembered, at most, when the index is read; about 100 bytes each. A run that the
    /// index would not lead to in time is remembered all the same.
    const KNOWN_MAX: usize = 100_000;

    /// Knows nothing of the index yet: it must be read from its beginning.
    pub(super) fn new() -> Self {
        Self {
            known: BTreeSet::new(),
            horizon: Timestamp::MIN,
            beyond: Some(Timestamp::MIN),
        }
    }

    /// A run leaves memory. `wake` is when it must be looked at, `stored` what the index says of it, never
    /// later than that.
    pub(super) fn put(&mut self, wake: Timestamp, stored: Option<i64>, key: ExecutionKey) {
        match stored.map(Timestamp) {
            Some(stored) if stored >= self.horizon => self.expect_beyond(Some(stored)),
            _ => self.remember(wake, key),
        }
    }

    /// Wakes a run at a time.
    pub(super) fn remember(&mut self, wake: Timestamp, key: ExecutionKey) {
        self.known.insert((wake, key));
    }

    /// The index is being read up to a new horizon; gives the old one.
    pub(super) fn begin_reading(&mut self, horizon: Timestamp) -> Timestamp {
        self.beyond = None;
        std::mem::replace(&mut self.horizon, horizon)
    }

    /// The index was read no further than to here.
    pub(super) fn stop_reading(&mut self, horizon: Timestamp) {
        self.horizon = horizon;
        self.expect_beyond(Some(horizon));
    }

    /// There is something beyond the horizon at this time, if at any.
    pub(super) fn expect_beyond(&mut self, at: Option<Timestamp>) {
        self.beyond = [self.beyond, at].into_iter().flatten().min();
    }

    /// Whether no more of the index should be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.known.len() >= Self::KNOWN_MAX
    }

    /// When something must be done: take up a run, or read more of the index.
    pub(super) fn first(&self) -> Option<Timestamp> {
        let known = self.known.first().map(|(at, _)| *at);
        [known, self.beyond].into_iter().flatten().min()
    }

    /// Whether more of the index must be read by now.
    pub(super) fn must_read(&self, now: Timestamp) -> bool {
        self.beyond.is_some_and(|at| at <= now)
    }

    /// Takes out the next run that is due.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<ExecutionKey> {
        if self.known.first()?.0 > now {
            return None;
        }
        self.known.pop_first().map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u128) -> ExecutionKey {
        ExecutionKey {
            slot: 0,
            namespace: Uuid::nil(),
            kind: 0,
            workflow_id: "w".into(),
            run_id: Uuid::from_u128(id),
        }
    }

    #[test]
    fn the_index_is_read_again_only_when_there_is_something_in_it() {
        let mut sleepers = Sleepers::new();
        assert!(sleepers.must_read(Timestamp(0)));
        assert_eq!(sleepers.begin_reading(Timestamp(100)), Timestamp::MIN);
        assert_eq!(sleepers.first(), None);
        sleepers.put(Timestamp(150), Some(150), key(1));
        sleepers.put(Timestamp(120), Some(120), key(2));
        assert_eq!(sleepers.first(), Some(Timestamp(120)));
        assert!(!sleepers.must_read(Timestamp(119)));
        assert!(sleepers.must_read(Timestamp(120)));
        assert_eq!(
            sleepers.pop_due(Timestamp(200)),
            None,
            "these are the index's to find"
        );
    }

    #[test]
    fn a_run_that_the_index_marks_too_early_is_remembered() {
        let mut sleepers = Sleepers::new();
        sleepers.begin_reading(Timestamp(100));
        sleepers.put(Timestamp(500), Some(0), key(1));
        assert_eq!(sleepers.first(), Some(Timestamp(500)));
        assert_eq!(sleepers.pop_due(Timestamp(499)), None);
        assert_eq!(sleepers.pop_due(Timestamp(500)), Some(key(1)));
    }
}
