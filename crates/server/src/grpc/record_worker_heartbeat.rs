//! RecordWorkerHeartbeat: what workers say of themselves, kept in memory for a few minutes.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use proto::temporal::api::enums::v1::WorkerStatus;
use proto::temporal::api::worker::v1::WorkerHeartbeat;
use proto::temporal::api::workflowservice::v1::{
    RecordWorkerHeartbeatRequest, RecordWorkerHeartbeatResponse,
};
use uuid::Uuid;

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;

/// Workers report every minute; one that has been silent for so long is gone.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// Workers that are remembered at most. The oldest go first.
const WORKERS_MAX: usize = 10_000;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RecordWorkerHeartbeatRequest>,
) -> Result<RecordWorkerHeartbeatResponse, WireError> {
    server
        .worker_heartbeats
        .record(call.namespace.id, call.request.worker_heartbeat);
    Ok(RecordWorkerHeartbeatResponse {})
}

/// The last heartbeat of each worker.
#[derive(Default)]
pub(super) struct WorkerHeartbeats {
    last: Mutex<HashMap<(Uuid, String), (Instant, WorkerHeartbeat)>>,
}

impl WorkerHeartbeats {
    /// Remembers what workers of a namespace sent, and forgets those that say that they have shut down.
    pub(super) fn record(&self, namespace: Uuid, heartbeats: Vec<WorkerHeartbeat>) {
        if heartbeats.is_empty() {
            return;
        }
        let now = Instant::now();
        // A panic while the lock is held cannot leave the map half changed.
        let mut last = self.last.lock().unwrap_or_else(|e| e.into_inner());
        last.retain(|_, (at, _)| now.duration_since(*at) < KEPT);
        for heartbeat in heartbeats {
            let key = (namespace, heartbeat.worker_instance_key.clone());
            if heartbeat.status() == WorkerStatus::Shutdown {
                last.remove(&key);
                continue;
            }
            if last.len() >= WORKERS_MAX && !last.contains_key(&key) {
                let oldest = last
                    .iter()
                    .min_by_key(|(_, (at, _))| *at)
                    .map(|(key, _)| key.clone());
                oldest.map(|oldest| last.remove(&oldest));
            }
            last.insert(key, (now, heartbeat));
        }
    }

    /// The workers of a namespace that have reported lately.
    pub(super) fn all(&self, namespace: Uuid) -> Vec<WorkerHeartbeat> {
        let now = Instant::now();
        let last = self.last.lock().unwrap_or_else(|e| e.into_inner());
        let alive = last
            .iter()
            .filter(|((of, _), (at, _))| *of == namespace && now.duration_since(*at) < KEPT);
        alive.map(|(_, (_, heartbeat))| heartbeat.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_heartbeat_of_each_worker_is_kept() {
        let heartbeats = WorkerHeartbeats::default();
        let worker = |key: &str, identity: &str| WorkerHeartbeat {
            worker_instance_key: key.into(),
            worker_identity: identity.into(),
            ..Default::default()
        };
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        heartbeats.record(one, vec![worker("a", "first"), worker("b", "")]);
        heartbeats.record(one, vec![worker("a", "second")]);
        heartbeats.record(two, vec![worker("a", "other")]);
        let shut_down = WorkerHeartbeat {
            status: WorkerStatus::Shutdown.into(),
            ..worker("b", "")
        };
        heartbeats.record(one, vec![shut_down]);
        let last = heartbeats.last.lock().unwrap();
        assert_eq!(last.len(), 2);
        assert_eq!(last[&(one, "a".to_owned())].1.worker_identity, "second");
    }
}
