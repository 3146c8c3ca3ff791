//! Identifiers, and chance as a value: the engine draws ids from the seed that comes in with each
//! input, so that the same inputs always give the same journal.

use uuid::Uuid;

use crate::time::Timestamp;

/// An event's number in its run: dense from 1. Zero means "none", as on the wire.
pub type EventId = i64;

/// What a step may know of the world: the time, a source of ids, and the next task id.
#[derive(Debug)]
pub struct Now {
    /// The instant at which this input is taken.
    pub time: Timestamp,
    /// Seeds the ids that this step draws. Must differ from step to step.
    pub seed: u64,
    /// The `task_id` of the next event: strictly increasing over a shard (behaviour, section 4.1).
    pub task_id: i64,
}

impl Now {
    fn draw(&mut self) -> u64 {
        // SplitMix64: the seed is already random, this only spreads it over several ids.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A new run id: a version 7 UUID, so that runs started together lie together in a store.
    pub fn run_id(&mut self) -> Uuid {
        let millis = u64::try_from(self.time.0 / 1_000_000).unwrap_or(0);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.draw().to_be_bytes());
        random[8..].copy_from_slice(&self.draw().to_be_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// A new random id, for request ids and the like.
    pub fn uuid(&mut self) -> Uuid {
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.draw().to_be_bytes());
        random[8..].copy_from_slice(&self.draw().to_be_bytes());
        uuid::Builder::from_random_bytes(random).into_uuid()
    }

    /// The `task_id` for the next event.
    pub(crate) fn next_task_id(&mut self) -> i64 {
        let id = self.task_id;
        self.task_id += 1;
        id
    }

    /// A number from 0 to 1, for jitter.
    pub(crate) fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
