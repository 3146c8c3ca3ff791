//! What the shards have done since the start, for metrics. Plain atomics: nobody waits for anybody.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counters of all shards of a node.
#[derive(Debug, Default)]
pub struct Counters {
    /// Steps that the engine took.
    pub transitions: AtomicU64,
    /// Batches that failed.
    pub commits_failed: AtomicU64,
    /// Steps that panicked.
    pub steps_broken: AtomicU64,
    /// Executions asked of the store.
    pub cache_misses: AtomicU64,
    /// Executions loaded from the store.
    pub loads: AtomicU64,
    /// Executions that left memory.
    pub evictions: AtomicU64,
    /// Executions deleted.
    pub deletions: AtomicU64,
    cached: Vec<Cached>,
}

/// What one shard has in memory.
#[derive(Debug, Default)]
struct Cached {
    executions: AtomicUsize,
    bytes: AtomicUsize,
}

impl Counters {
    /// For so many shards.
    pub(super) fn new(shard_count: u32) -> Self {
        Self {
            cached: (0..shard_count).map(|_| Cached::default()).collect(),
            ..Self::default()
        }
    }

    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn set_cached(&self, shard: u32, executions: usize, bytes: usize) {
        if let Some(cached) = self.cached.get(shard as usize) {
            cached.executions.store(executions, Ordering::Relaxed);
            cached.bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// Executions in memory, over all shards.
    pub fn cached_executions(&self) -> usize {
        self.cached
            .iter()
            .map(|cached| cached.executions.load(Ordering::Relaxed))
            .sum()
    }

    /// Bytes of these, as estimated.
    pub fn cached_bytes(&self) -> usize {
        self.cached
            .iter()
            .map(|cached| cached.bytes.load(Ordering::Relaxed))
            .sum()
    }
}
