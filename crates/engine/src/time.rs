//! Time as a value. The engine never reads a clock: every instant comes in as an argument.

use std::fmt;
use std::time::Duration;

/// Nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The far past: an instant that is always due.
    pub const MIN: Self = Self(0);

    /// This instant moved by `by`, saturating at the end of representable time (year 2262).
    pub fn after(self, by: Duration) -> Self {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// This instant moved back by `by`.
    pub fn before(self, by: Duration) -> Self {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// Time from `earlier` to this instant; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As the wire type.
    pub fn to_proto(self) -> proto::Timestamp {
        proto::Timestamp {
            seconds: self.0.div_euclid(1_000_000_000),
            // A remainder of a division by 10^9 always fits.
            nanos: self.0.rem_euclid(1_000_000_000) as i32,
        }
    }

    /// From the wire type; instants outside of representable time are clamped.
    pub fn from_proto(time: &proto::Timestamp) -> Self {
        Self(
            time.seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(i64::from(time.nanos)),
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "@{}.{:09}",
            self.0.div_euclid(1_000_000_000),
            self.0.rem_euclid(1_000_000_000)
        )
    }
}

/// The longest span that is kept: 100 years. Longer ones are shortened to it, never refused.
pub const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A wire duration as a span of time. Absent and zero are both zero; negative ones, which request
/// validation refuses, count as zero.
pub fn duration(wire: Option<&proto::Duration>) -> Duration {
    let Some(wire) = wire else {
        return Duration::ZERO;
    };
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(wire.seconds), u32::try_from(wire.nanos)) else {
        return Duration::ZERO;
    };
    Duration::from_secs(seconds)
        .saturating_add(Duration::from_nanos(nanos.into()))
        .min(DURATION_MAX)
}

/// Whether a wire duration is negative, which no request may carry.
pub fn is_negative(wire: Option<&proto::Duration>) -> bool {
    wire.is_some_and(|d| d.seconds < 0 || d.nanos < 0)
}

/// A span of time as a wire duration.
pub fn wire(span: Duration) -> proto::Duration {
    proto::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        // Sub-second nanoseconds are below 10^9.
        nanos: span.subsec_nanos() as i32,
    }
}
