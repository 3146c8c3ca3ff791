//! A closed loop: so many in flight at once, and the next begins when one ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::cli::Limit;
use crate::stats::Latencies;

/// Calls `once` with 0, 1, 2, … until the limit. It returns its latency, or nothing if it failed.
pub(crate) async fn closed_loop<F, Fut>(concurrency: usize, limit: Limit, once: F) -> Latencies
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<Duration>> + Send,
{
    let once = Arc::new(once);
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..concurrency.max(1) {
        let (once, next) = (Arc::clone(&once), Arc::clone(&next));
        lanes.spawn(async move {
            let mut latencies = Latencies::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let over = match limit {
                    Limit::Count(count) => number >= count,
                    Limit::Time(time) => begun.elapsed() >= time,
                };
                if over {
                    return latencies;
                }
                if let Some(latency) = once(number).await {
                    latencies.record(latency);
                }
            }
        });
    }
    let mut all = Latencies::default();
    for latencies in lanes.join_all().await {
        all.merge(&latencies);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_count_is_kept_exactly_and_failures_are_left_out() {
        let latencies = closed_loop(3, Limit::Count(10), |number| async move {
            (number != 4).then_some(Duration::from_millis(1))
        });
        assert_eq!(latencies.await.count(), 9);
    }

    #[tokio::test]
    async fn no_time_means_none() {
        let limit = Limit::Time(Duration::ZERO);
        let latencies = closed_loop(2, limit, |_| async { Some(Duration::ZERO) }).await;
        assert_eq!(latencies.count(), 0);
    }
}
