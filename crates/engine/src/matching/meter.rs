//! Events by second over the last 30 seconds, in buckets of 5.

const BUCKET_NS: i64 = 5_000_000_000;
const BUCKETS: usize = 7;

/// What a rate is taken over, once so much time has passed.
pub(super) const WINDOW_NS: i64 = 30_000_000_000;

/// Counts events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    started_ns: i64,
    bucket_started_ns: i64,
    current: usize,
    buckets: [u32; BUCKETS],
}

impl Meter {
    pub(super) fn new(now_ns: i64) -> Self {
        Self {
            started_ns: now_ns,
            bucket_started_ns: now_ns,
            current: 0,
            buckets: [0; BUCKETS],
        }
    }

    /// One event.
    pub(super) fn add(&mut self, now_ns: i64) {
        self.advance(now_ns);
        self.buckets[self.current] = self.buckets[self.current].saturating_add(1);
    }

    /// Events by second; of the time since the start while that is shorter than the window.
    pub(super) fn rate(mut self, now_ns: i64) -> f32 {
        self.advance(now_ns);
        let total: u64 = self.buckets.iter().map(|count| u64::from(*count)).sum();
        let in_bucket_ns = now_ns.saturating_sub(self.bucket_started_ns);
        let elapsed_ns = (in_bucket_ns + WINDOW_NS).min(now_ns.saturating_sub(self.started_ns));
        if elapsed_ns <= 0 {
            return 0.0;
        }
        (total as f64 * 1e9 / elapsed_ns as f64) as f32
    }

    fn advance(&mut self, now_ns: i64) {
        let steps = now_ns.saturating_sub(self.bucket_started_ns) / BUCKET_NS;
        for _ in 0..steps.clamp(0, BUCKETS as i64) {
            self.current = (self.current + 1) % BUCKETS;
            self.buckets[self.current] = 0;
        }
        self.bucket_started_ns += steps.max(0) * BUCKET_NS;
    }
}
