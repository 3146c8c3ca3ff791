//! A rate limit as a bucket of tokens, kept as the one instant from which the next token is there
//! (the "generic cell rate algorithm"): nothing runs while nothing is asked.

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

/// A pace, and where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limiter {
    pace: Pace,
    ready_ns: i64,
}

impl Limiter {
    pub(super) fn is_ready(&self, now_ns: i64) -> bool {
        self.ready_ns <= now_ns
    }

    pub(super) fn ready_ns(&self) -> i64 {
        self.ready_ns
    }

    pub(super) fn consume(&mut self, now_ns: i64) {
        self.ready_ns = self.pace.after(self.ready_ns, now_ns);
    }

    /// Gives one token back.
    pub(super) fn refund(&mut self) {
        if let Pace::Every(interval_ns) = self.pace {
            self.ready_ns = self.ready_ns.saturating_sub(interval_ns);
        }
    }

    pub(super) fn set(&mut self, pace: Pace, now_ns: i64) {
        self.pace = pace;
        self.ready_ns = pace.clip(self.ready_ns, now_ns);
    }
}
