//! A closed loop: so many in flight at once, and the next begins when one ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::cli::{Limit, Options};
use crate::client::Client;
use crate::error::Error;
use crate::meter::{Meter, Spent};
use crate::stats::Latencies;

/// Which of all that is done is counted.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// What ends before is not counted.
    opens: Instant,
    /// What ends later is not counted, and nothing begins any more.
    closes: Option<Instant>,
    /// Nothing begins after so many.
    count: Option<u64>,
}

/// Warms up with the load itself, then measures it, as the options say.
///
/// With a time, the loop runs on from warm-up to measurement, and what ends in between is counted: so
/// neither a begin with nothing in flight nor a slow last one distorts the rate. With a count, all of
/// the count is measured.
pub(crate) async fn measure<F, Fut>(
    options: &Options,
    pid: Option<u32>,
    client: &Client,
    once: F,
) -> Result<(Spent, Latencies), Error>
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<Duration>> + Send,
{
    let once = Arc::new(once);
    let warm = Instant::now() + options.warmup();
    match options.limit() {
        Limit::Count(count) => {
            let warmup = Window {
                opens: warm,
                closes: Some(warm),
                count: None,
            };
            lanes(options.concurrency, warmup, &once).join_all().await;
            let meter = Meter::start(pid, Some(client))?;
            let window = Window {
                opens: Instant::now(),
                closes: None,
                count: Some(count),
            };
            let latencies = merged(lanes(options.concurrency, window, &once)).await;
            Ok((meter.stop(Some(client))?, latencies))
        }
        Limit::Time(time) => {
            let closes = warm + time;
            let window = Window {
                opens: warm,
                closes: Some(closes),
                count: None,
            };
            let lanes = lanes(options.concurrency, window, &once);
            tokio::time::sleep_until(warm.into()).await;
            let meter = Meter::start(pid, Some(client))?;
            tokio::time::sleep_until(closes.into()).await;
            let spent = meter.stop(Some(client))?;
            Ok((spent, merged(lanes).await))
        }
    }
}

/// Calls `once` with 0, 1, 2, … below `count`. It returns its latency, or nothing if it failed.
pub(crate) async fn closed_loop<F, Fut>(concurrency: usize, count: u64, once: F) -> Latencies
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<Duration>> + Send,
{
    let window = Window {
        opens: Instant::now(),
        closes: None,
        count: Some(count),
    };
    merged(lanes(concurrency, window, &Arc::new(once))).await
}

fn lanes<F, Fut>(concurrency: usize, window: Window, once: &Arc<F>) -> JoinSet<Latencies>
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<Duration>> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..concurrency.max(1) {
        let (once, next) = (Arc::clone(once), Arc::clone(&next));
        lanes.spawn(async move {
            let mut latencies = Latencies::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let enough = window.count.is_some_and(|count| number >= count);
                if enough || window.is_closed() {
                    return latencies;
                }
                let latency = once(number).await;
                if let Some(latency) = latency.filter(|_| window.is_open()) {
                    latencies.record(latency);
                }
            }
        });
    }
    lanes
}

impl Window {
    fn is_closed(&self) -> bool {
        self.closes.is_some_and(|closes| Instant::now() >= closes)
    }

    fn is_open(&self) -> bool {
        Instant::now() >= self.opens && !self.is_closed()
    }
}

async fn merged(lanes: JoinSet<Latencies>) -> Latencies {
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
        let latencies = closed_loop(3, 10, |number| async move {
            (number != 4).then_some(Duration::from_millis(1))
        });
        assert_eq!(latencies.await.count(), 9);
    }

    #[tokio::test]
    async fn what_ends_before_the_window_opens_is_done_but_not_counted() {
        let window = Window {
            opens: Instant::now() + Duration::from_secs(3_600),
            closes: None,
            count: Some(5),
        };
        let done = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&done);
        let once = Arc::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { Some(Duration::ZERO) }
        });
        assert_eq!(merged(lanes(2, window, &once)).await.count(), 0);
        assert_eq!(done.load(Ordering::Relaxed), 5);
    }

    #[tokio::test]
    async fn nothing_begins_when_the_window_is_closed() {
        let now = Instant::now();
        let window = Window {
            opens: now,
            closes: Some(now),
            count: None,
        };
        let once = Arc::new(|_| async { Some(Duration::ZERO) });
        assert_eq!(merged(lanes(2, window, &once)).await.count(), 0);
    }
}
