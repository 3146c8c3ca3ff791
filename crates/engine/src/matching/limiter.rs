//! A rate limit as a bucket of tokens, kept as the one instant from which the next token is there
//! (the "generic cell rate algorithm"): nothing runs while nothing is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

const SECOND_NS: i64 = 1_000_000_000;

/// Unused tokens of the last so long may be used at once.
const BURST_NS: i64 = SECOND_NS;

/// Later than any instant that is ever reached (year 2225).
pub(super) const NEVER_NS: i64 = 7 << 60;

/// How often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pace {
    /// As often as anyone likes.
    #[default]
    Unlimited,
    /// Not at all.
    Never,
    /// Once in so many nanoseconds.
    Every(i64),
}

impl Pace {
    /// From a rate by second. None and "not a number" are no limit; 0, less, and less than one in
    /// 31 years is never.
    pub(super) fn new(rate: Option<f64>) -> Self {
        match rate.filter(|rate| !rate.is_nan()) {
            None => Self::Unlimited,
            Some(rate) if rate > 1e-9 => Self::Every((SECOND_NS as f64 / rate) as i64),
            Some(_) => Self::Never,
        }
    }

    /// The pace of one that has a larger or smaller share.
    pub(super) fn weighted(self, weight: f32) -> Self {
        match self {
            Self::Every(interval_ns) => {
                Self::Every((interval_ns as f64 / f64::from(weight)) as i64)
            }
            other => other,
        }
    }

    /// The instant after a token was taken at `now_ns`, from the instant before.
    pub(super) fn after(self, ready_ns: i64, now_ns: i64) -> i64 {
        match self {
            Self::Unlimited => 0,
            Self::Never => NEVER_NS,
            Self::Every(interval_ns) => ready_ns
                .max(now_ns - BURST_NS)
                .saturating_add(interval_ns)
                .min(NEVER_NS),
        }
    }

    /// An instant of another pace, brought within reach of this one.
    pub(super) fn clip(self, ready_ns: i64, now_ns: i64) -> i64 {
        match self {
            Self::Unlimited => 0,
            Self::Never => NEVER_NS,
            Self::Every(interval_ns) => {
                ready_ns.min(now_ns.saturating_add(interval_ns).saturating_add(BURST_NS))
            }
        }
    }
}

/// A rate limit, and where it stands. The parts of a queue, which has one for each version of worker, share it
/// although each is used by itself: so it is a handle, whose numbers may be read and changed at any time.
#[derive(Clone, Debug, Default)]
pub struct RateLimit {
    numbers: Arc<Numbers>,
}

#[derive(Debug)]
struct Numbers {
    ready_ns: AtomicI64,
    /// Bits of a rate by second; "not a number" is none.
    api_rate: AtomicU64,
    worker_rate: AtomicU64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            ready_ns: AtomicI64::new(0),
            api_rate: AtomicU64::new(f64::NAN.to_bits()),
            worker_rate: AtomicU64::new(f64::NAN.to_bits()),
        }
    }
}

fn load(rate: &AtomicU64) -> Option<f64> {
    Some(f64::from_bits(rate.load(Ordering::Relaxed))).filter(|rate| !rate.is_nan())
}

fn store(rate: &AtomicU64, value: Option<f64>) {
    rate.store(value.unwrap_or(f64::NAN).to_bits(), Ordering::Relaxed);
}

impl RateLimit {
    /// Whether others hold it, too.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.numbers) > 1
    }

    /// Whether several parts of a queue hold it; one more is whoever keeps it for them.
    pub(super) fn has_parts(&self) -> bool {
        Arc::strong_count(&self.numbers) > 2
    }

    /// What UpdateTaskQueueConfig has set.
    pub(super) fn api_rate(&self) -> Option<f64> {
        load(&self.numbers.api_rate)
    }

    /// What the last worker asked for.
    pub(super) fn worker_rate(&self) -> Option<f64> {
        load(&self.numbers.worker_rate)
    }

    pub(super) fn set_api_rate(&self, rate: Option<f64>, now_ns: i64) {
        store(&self.numbers.api_rate, rate);
        self.clip(now_ns);
    }

    /// Whether tasks may go sooner now.
    pub(super) fn set_worker_rate(&self, rate: Option<f64>, now_ns: i64) -> bool {
        if self.worker_rate() == rate {
            return false;
        }
        store(&self.numbers.worker_rate, rate);
        let before_ns = self.ready_ns();
        self.clip(now_ns);
        self.ready_ns() < before_ns
    }

    fn pace(&self) -> Pace {
        Pace::new(self.api_rate().or(self.worker_rate()))
    }

    fn clip(&self, now_ns: i64) {
        let pace = self.pace();
        self.change(|ready_ns| pace.clip(ready_ns, now_ns));
    }

    pub(super) fn is_ready(&self, now_ns: i64) -> bool {
        self.ready_ns() <= now_ns
    }

    pub(super) fn ready_ns(&self) -> i64 {
        self.numbers.ready_ns.load(Ordering::Relaxed)
    }

    pub(super) fn consume(&self, now_ns: i64) {
        let pace = self.pace();
        self.change(|ready_ns| pace.after(ready_ns, now_ns));
    }

    /// Gives one token back.
    pub(super) fn refund(&self) {
        if let Pace::Every(interval_ns) = self.pace() {
            self.change(|ready_ns| ready_ns.saturating_sub(interval_ns));
        }
    }

    fn change(&self, to: impl Fn(i64) -> i64) {
        // It never gives up: there is always something to change to.
        let _ =
            self.numbers
                .ready_ns
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |ready_ns| {
                    Some(to(ready_ns))
                });
    }
}
