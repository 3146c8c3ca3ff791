//! Time and chance, as parameters.

use std::time::SystemTime;

use engine::ids::Now;
use engine::time::Timestamp;

/// The wall clock.
pub trait Clock: Send + Sync {
    /// This instant.
    fn now(&self) -> Timestamp;

    /// A shard has had a turn. A clock that wants to know what it waits for may ask.
    fn turned(&self, _shard: u32, _waits: &mut dyn FnMut() -> Waits) {}
}

/// What a shard waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Nothing: it is at work.
    Itself,
    /// So many who are at work outside, or who should be; and the next deadline of an open execution.
    Others {
        /// Workers, mostly.
        at_work: usize,
        /// If there is a deadline.
        next: Option<Timestamp>,
    },
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// Bits of a task id that count the events of one epoch; the bits above are the epoch.
const TASK_ID_BITS: u32 = 40;

/// What a shard hands to each step: the time, a seed that no other step has, and the next task id.
#[derive(Debug)]
pub(super) struct Steps {
    seed: u64,
    task_id: i64,
}

impl Steps {
    /// For a shard in a new epoch. Epochs only grow, and so do task ids with them.
    pub(super) fn new(seed: u64, epoch: u64) -> Self {
        let epoch = i64::try_from(epoch).unwrap_or(i64::MAX >> TASK_ID_BITS);
        Self {
            seed,
            task_id: (epoch << TASK_ID_BITS) | 1,
        }
    }

    /// What the next step may know.
    pub(super) fn next(&mut self, time: Timestamp) -> Now {
        // SplitMix64, with another increment than the steps themselves draw with.
        self.seed = self.seed.wrapping_add(0xd134_2543_de82_ef95);
        let mut seed = self.seed;
        seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Now {
            time,
            seed: seed ^ (seed >> 31),
            task_id: self.task_id,
        }
    }

    /// The step is over: what it used is used.
    pub(super) fn used(&mut self, now: &Now) {
        self.task_id = now.task_id;
    }
}
