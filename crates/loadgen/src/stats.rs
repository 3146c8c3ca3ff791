//! Latencies and their percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies in microseconds, with three significant digits.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

/// What is told of latencies, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        let hour_in_micros = 3_600_000_000;
        #[expect(clippy::expect_used, reason = "the bounds are constants and valid")]
        let histogram =
            Histogram::new_with_bounds(1, hour_in_micros, 3).expect("constant bounds are valid");
        Self(histogram)
    }
}

impl Latencies {
    /// Notes one latency; an hour is the longest that is told apart.
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(
            u64::try_from(latency.as_micros())
                .unwrap_or(u64::MAX)
                .max(1),
        );
    }

    /// Takes in what another noted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for value in other.0.iter_recorded() {
            self.0
                .saturating_record_n(value.value_iterated_to(), value.count_at_value());
        }
    }

    /// How many were noted.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The percentiles; nothing if none was noted.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        if self.0.is_empty() {
            return None;
        }
        let at = |quantile| millis(self.0.value_at_quantile(quantile));
        Some(Percentiles {
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            max_ms: millis(self.0.max()),
        })
    }
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1e3
}

/// `total` shared among `count`; nothing shared is nothing each.
pub(crate) fn each(total: f64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        total / count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(millis: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for millis in millis {
            latencies.record(Duration::from_millis(millis));
        }
        latencies
    }

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() <= right * 0.002
    }

    #[test]
    fn percentiles_of_one_to_a_hundred() {
        let told = latencies(1..=100)
            .percentiles()
            .expect("some were recorded");
        assert!(near(told.p50_ms, 50.0), "{told:?}");
        assert!(near(told.p90_ms, 90.0), "{told:?}");
        assert!(near(told.p99_ms, 99.0), "{told:?}");
        assert!(near(told.max_ms, 100.0), "{told:?}");
    }

    #[test]
    fn none_has_no_percentiles() {
        assert_eq!(Latencies::default().percentiles(), None);
    }

    #[test]
    fn merged_latencies_are_as_if_recorded_together() {
        let mut left = latencies(1..=50);
        left.merge(&latencies(51..=100));
        assert_eq!(left.count(), 100);
        let median = left.percentiles().expect("some were recorded").p50_ms;
        assert!(near(median, 50.0), "{median}");
    }

    #[test]
    fn sharing_among_nobody_is_zero() {
        assert!(each(5.0, 0).abs() < f64::EPSILON);
        assert!((each(5.0, 2) - 2.5).abs() < f64::EPSILON);
    }
}
