//! What the worker did and what the starters got, so that nothing lost or doubled goes unseen.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use crate::error::Error;

/// Anomalies that are told in full; the rest is only counted.
const ANOMALIES_TOLD_MAX: usize = 20;

/// What was found wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// How many results or executions were wrong.
    pub(crate) anomaly_count: u64,
    /// The first of them.
    pub(crate) anomalies: Vec<String>,
    /// Failed calls of the worker, by method and code.
    pub(crate) worker_errors: BTreeMap<String, u64>,
}

/// The book that worker and starters share.
pub(crate) struct Ledger {
    executions: Mutex<HashMap<String, u64>>,
    awaited_signals: Mutex<HashMap<(String, u64), oneshot::Sender<Instant>>>,
    findings: Mutex<Findings>,
    /// Workflow tasks that were completed in their workflow's first task.
    pub(crate) first_tasks: watch::Sender<u64>,
    /// Workflows whose completion was accepted.
    pub(crate) completions: watch::Sender<u64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            executions: Mutex::default(),
            awaited_signals: Mutex::default(),
            findings: Mutex::default(),
            first_tasks: watch::Sender::new(0),
            completions: watch::Sender::new(0),
        }
    }
}

impl Ledger {
    /// An activity of this workflow was executed.
    pub(crate) fn executed(&self, workflow_id: &str) {
        let mut executions = lock(&self.executions);
        if let Some(count) = executions.get_mut(workflow_id) {
            *count += 1;
        } else {
            executions.insert(workflow_id.to_owned(), 1);
        }
    }

    /// The workflow is over: its activities must have been executed `expected` times in all.
    pub(crate) fn settle(&self, workflow_id: &str, expected: u64) {
        let count = lock(&self.executions).remove(workflow_id).unwrap_or(0);
        if count != expected {
            self.anomaly(format!(
                "{workflow_id}: {count} activities executed instead of {expected}"
            ));
        }
    }

    /// Notes a wrong result.
    pub(crate) fn anomaly(&self, what: String) {
        let mut findings = lock(&self.findings);
        findings.anomaly_count += 1;
        if findings.anomalies.len() < ANOMALIES_TOLD_MAX {
            findings.anomalies.push(what);
        }
    }

    /// Notes a call of the worker that failed.
    pub(crate) fn worker_error(&self, error: &Error) {
        let name = match error {
            Error::Call { method, status } => format!("{method}: {:?}", status.code()),
            other => other.to_string(),
        };
        *lock(&self.findings).worker_errors.entry(name).or_default() += 1;
    }

    /// Will tell when the worker sees this signal. Ask before it is sent.
    pub(crate) fn await_signal(
        &self,
        workflow_id: &str,
        number: u64,
    ) -> oneshot::Receiver<Instant> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.awaited_signals).insert((workflow_id.to_owned(), number), sender);
        receiver
    }

    /// The worker sees a signal.
    pub(crate) fn saw_signal(&self, workflow_id: &str, number: u64) {
        let awaited = lock(&self.awaited_signals).remove(&(workflow_id.to_owned(), number));
        if let Some(sender) = awaited {
            // Whoever waited may have given up.
            let _ = sender.send(Instant::now());
        }
    }

    /// All that was found. Activities of workflows that were settled before, or never, are anomalies.
    pub(crate) fn findings(&self) -> Findings {
        let mut late = lock(&self.executions).drain().collect::<Vec<_>>();
        late.sort();
        for (workflow_id, count) in late {
            self.anomaly(format!(
                "{workflow_id}: {count} activities executed that nobody expected"
            ));
        }
        lock(&self.findings).clone()
    }
}

/// Counters stay usable after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_number_of_executions_is_no_anomaly() {
        let ledger = Ledger::default();
        ledger.executed("a");
        ledger.executed("a");
        ledger.settle("a", 2);
        ledger.settle("none", 0);
        assert_eq!(ledger.findings(), Findings::default());
    }

    #[test]
    fn lost_doubled_and_late_executions_are_anomalies() {
        let ledger = Ledger::default();
        ledger.settle("lost", 1);
        ledger.executed("doubled");
        ledger.executed("doubled");
        ledger.settle("doubled", 1);
        ledger.executed("doubled");
        let findings = ledger.findings();
        assert_eq!(findings.anomaly_count, 3);
        assert_eq!(
            findings.anomalies,
            [
                "lost: 0 activities executed instead of 1",
                "doubled: 2 activities executed instead of 1",
                "doubled: 1 activities executed that nobody expected",
            ]
        );
    }

    #[test]
    fn many_anomalies_are_counted_but_not_all_told() {
        let ledger = Ledger::default();
        for number in 0..100 {
            ledger.anomaly(number.to_string());
        }
        let findings = ledger.findings();
        assert_eq!(findings.anomaly_count, 100);
        assert_eq!(findings.anomalies.len(), ANOMALIES_TOLD_MAX);
    }

    #[test]
    fn errors_are_counted_by_kind() {
        let ledger = Ledger::default();
        let status = tonic::Status::not_found("gone");
        let error = Error::Call {
            method: "Respond",
            status,
        };
        ledger.worker_error(&error);
        ledger.worker_error(&error);
        let expected = BTreeMap::from([(String::from("Respond: NotFound"), 2)]);
        assert_eq!(ledger.findings().worker_errors, expected);
    }

    #[tokio::test]
    async fn a_sighting_reaches_the_one_who_waits() {
        let ledger = Ledger::default();
        let receiver = ledger.await_signal("a", 3);
        ledger.saw_signal("a", 2);
        ledger.saw_signal("a", 3);
        assert!(receiver.await.is_ok());
    }
}
