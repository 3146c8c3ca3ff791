//! Metrics in Prometheus' text format. Names and buckets are those that people's dashboards know
//! (behaviour, section 12.2); what they count is recorded where it happens, through `metrics`.

use std::time::Duration;

use metrics::{counter, gauge};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use store::Stats;

/// Upper bounds in seconds.
const BUCKETS: [f64; 19] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
    200.0, 500.0, 1000.0,
];
/// Samples wait for the next reading; without one they are counted up this often.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// All that was recorded in this process.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Begins to record. Once per process.
    ///
    /// # Errors
    /// When something else in this process records already.
    pub fn install() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&BUCKETS)?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(BuildError::from)?;
        Ok(Self { handle })
    }

    /// Keeps memory bounded while nobody reads. Never returns.
    pub async fn upkeep(self) {
        let mut every = tokio::time::interval(UPKEEP_EVERY);
        loop {
            every.tick().await;
            self.handle.run_upkeep();
        }
    }

    /// The text to serve. The store counts for itself, and is asked when somebody wants to know.
    pub(super) fn text(&self, store: Stats) -> String {
        counter!("persistence_requests").absolute(store.batches);
        counter!("persistence_errors").absolute(store.refused);
        counter!("persistence_transactions").absolute(store.transactions);
        counter!("persistence_records").absolute(store.records);
        gauge!("persistence_queued").set(store.queued as f64);
        self.handle.render()
    }
}
