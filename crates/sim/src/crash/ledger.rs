//! What the run saw and was promised: the server's word, to hold it to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prost::Message;
use proto::temporal::api::enums::v1::EventType;
use proto::temporal::api::history::v1::HistoryEvent;
use tokio::sync::watch;

use super::plan::Plan;

/// Findings that are kept in words; more are only counted.
const FINDINGS_MAX: usize = 100;

/// Everything that is known from outside. Shared by all tasks of a run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    inner: Mutex<Facts>,
    /// Answers of the server to writing requests, so far.
    pub(super) acknowledged: watch::Sender<u64>,
}

/// The facts.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Workflows by id.
    pub(super) workflows: BTreeMap<String, Workflow>,
    /// Activities that workers were given, by run id and activity id.
    pub(super) activities: HashMap<(String, String), Vec<Attempt>>,
    /// The workflow ids of runs that had activities.
    pub(super) runs: HashMap<String, String>,
    /// Acknowledged completions of workflow tasks, by run id and started event: the identity that completed.
    pub(super) workflow_tasks: HashMap<(String, i64), String>,
    /// Digests of events that somebody was shown, by run id and event id.
    pub(super) events: HashMap<String, BTreeMap<i64, u64>>,
    /// What a correct server never does.
    pub(super) findings: Vec<String>,
    /// How many findings there were in all.
    pub(super) finding_count: u64,
    /// What happened how often, for the summary.
    pub(super) counts: BTreeMap<&'static str, u64>,
}

/// A workflow that a client asked for.
#[derive(Debug, Clone)]
pub(super) struct Workflow {
    /// What it does.
    pub(super) plan: Plan,
    /// The run that an acknowledged start answered with.
    pub(super) run_id: Option<String>,
    /// Signals by request id.
    pub(super) signals: BTreeMap<String, Signal>,
    /// What else a client asked of it.
    pub(super) fate: Fate,
    /// Its end, as a client was shown it.
    pub(super) seen_closed: bool,
}

/// How a workflow is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// By itself, as planned.
    Planned,
    /// A client asked to terminate or delete it, and nobody knows whether that was taken.
    Unsure,
    /// A client terminated it, and that was acknowledged.
    Terminated,
    /// A client deleted it, and that was acknowledged.
    Deleted,
}

/// A signal that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signal {
    /// The server said that it took it.
    pub(super) acknowledged: bool,
}

/// An attempt of an activity that a worker was given.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// Its number.
    pub(super) attempt: i32,
    /// What marks this execution in the activity's result.
    pub(super) nonce: String,
    /// How the worker's answer was taken.
    pub(super) outcome: Outcome,
    /// The answer named the activity by its id, and so met whichever attempt was the current one.
    pub(super) by_id: bool,
    /// The last heartbeat that was acknowledged.
    pub(super) heartbeat: Option<String>,
    /// A later heartbeat of which nobody knows whether it was recorded.
    pub(super) heartbeat_unsure: bool,
}

/// How a worker's answer was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    /// No answer was given, or nobody knows.
    Unsure,
    /// The completion was acknowledged.
    Completed,
    /// The failure was acknowledged.
    Failed,
}

impl Ledger {
    /// Everything that is known.
    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        // Whoever panicked holding it is a bug of this program; the facts themselves are whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a correct server never does.
    pub(super) fn finding(&self, text: String) {
        self.facts().finding(text);
    }

    /// Counts something for the summary.
    pub(super) fn count(&self, what: &'static str) {
        *self.facts().counts.entry(what).or_default() += 1;
    }

    /// Counts an acknowledged write.
    pub(super) fn acknowledged(&self, what: &'static str) {
        self.count(what);
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// Notes events that the server showed: they may never be others from now on.
    pub(super) fn saw(&self, run_id: &str, events: &[HistoryEvent]) {
        // The workflow task at the end may be one that is not stored yet.
        let stored = events.len().saturating_sub(2);
        let shown = events.iter().enumerate().filter(|(place, event)| {
            let at_end = *place >= stored;
            let kind = event.event_type();
            !(at_end
                && matches!(
                    kind,
                    EventType::WorkflowTaskScheduled | EventType::WorkflowTaskStarted
                ))
        });
        let shown: Vec<_> = shown
            .map(|(_, event)| (event.event_id, digest(event)))
            .collect();
        let mut facts = self.facts();
        let known = facts.events.entry(run_id.to_owned()).or_default();
        let mut changed = Vec::new();
        for (event_id, digest) in shown {
            if known
                .insert(event_id, digest)
                .is_some_and(|before| before != digest)
            {
                changed.push(event_id);
            }
        }
        for event_id in changed {
            facts.finding(format!("run {run_id}: event {event_id} is not what it was"));
        }
    }

    /// Notes that a worker was given an attempt; answers whether it may have it.
    pub(super) fn handed_out(
        &self,
        workflow_id: &str,
        run_id: &str,
        activity_id: &str,
        attempt: i32,
        nonce: &str,
    ) -> bool {
        let mut facts = self.facts();
        facts.runs.insert(run_id.to_owned(), workflow_id.to_owned());
        let key = (run_id.to_owned(), activity_id.to_owned());
        let attempts = facts.activities.entry(key).or_default();
        let again = attempts.iter().any(|known| known.attempt == attempt);
        attempts.push(Attempt {
            attempt,
            nonce: nonce.to_owned(),
            outcome: Outcome::Unsure,
            by_id: false,
            heartbeat: None,
            heartbeat_unsure: false,
        });
        if again {
            facts.finding(format!(
                "run {run_id}: attempt {attempt} of activity {activity_id} was handed out twice"
            ));
        }
        !again
    }

    /// Changes what is known of an attempt.
    pub(super) fn attempt(
        &self,
        run_id: &str,
        activity_id: &str,
        nonce: &str,
        change: impl FnOnce(&mut Attempt),
    ) {
        let mut facts = self.facts();
        let key = (run_id.to_owned(), activity_id.to_owned());
        let attempts = facts.activities.get_mut(&key);
        let found = attempts
            .and_then(|attempts| attempts.iter_mut().find(|attempt| attempt.nonce == nonce));
        if let Some(attempt) = found {
            change(attempt);
        }
    }
}

impl Facts {
    /// How a workflow, or the one whose child it is, is to end.
    pub(super) fn fate(&self, workflow_id: &str) -> Fate {
        let client_asked_for = Plan::root_id(workflow_id);
        self.workflows
            .get(client_asked_for)
            .map_or(Fate::Planned, |workflow| workflow.fate)
    }

    /// Notes what a correct server never does.
    pub(super) fn finding(&mut self, text: String) {
        self.finding_count += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(text);
        }
    }

    /// Ids of all workflows that clients or workers asked for and that must have come to an end.
    pub(super) fn open(&self) -> HashSet<&str> {
        let open = self
            .workflows
            .values()
            .filter(|workflow| !workflow.seen_closed);
        open.map(|workflow| workflow.plan.id.as_str()).collect()
    }
}

/// What an event is, in short.
pub(super) fn digest(event: &HistoryEvent) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&event.encode_to_vec());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event_id: i64, kind: EventType, task_id: i64) -> HistoryEvent {
        HistoryEvent {
            event_id,
            event_type: kind.into(),
            task_id,
            ..Default::default()
        }
    }

    #[test]
    fn an_attempt_is_handed_out_once() {
        let ledger = Ledger::default();
        assert!(ledger.handed_out("w", "r", "a", 1, "x"));
        assert!(ledger.handed_out("w", "r", "a", 2, "y"));
        assert!(ledger.handed_out("w", "r", "b", 1, "z"));
        assert!(!ledger.handed_out("w", "r", "a", 2, "w"));
        assert_eq!(ledger.facts().finding_count, 1);
    }

    #[test]
    fn events_stay_what_they_were_but_a_task_at_the_end_is_not_stored() {
        let ledger = Ledger::default();
        let first = event(1, EventType::WorkflowExecutionStarted, 1);
        let task = |task_id| event(2, EventType::WorkflowTaskScheduled, task_id);
        ledger.saw("r", &[first.clone(), task(2)]);
        ledger.saw("r", &[first.clone(), task(3)]);
        assert_eq!(ledger.facts().finding_count, 0);
        ledger.saw(
            "r",
            &[event(1, EventType::WorkflowExecutionStarted, 9), task(3)],
        );
        assert_eq!(
            ledger.facts().findings,
            ["run r: event 1 is not what it was"]
        );
    }
}
