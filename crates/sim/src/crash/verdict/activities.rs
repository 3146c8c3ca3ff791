//! Activities in the reckoning.

use std::collections::BTreeMap;

use proto::temporal::api::enums::v1::WorkflowExecutionStatus as Status;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;

use super::status_after;
use crate::crash::ledger::{Attempt, Facts, Outcome};
use crate::payload;

/// An activity as the history tells it.
#[derive(Debug, Default)]
struct Told {
    attempt: i32,
    nonce: Option<String>,
    timed_out: bool,
    maximum_attempts: i32,
    /// The run was terminated.
    cut_off: bool,
}

/// What workers were given and answered, against what the history tells of it.
pub(super) fn check(facts: &Facts, run_id: &str, events: &[HistoryEvent]) -> Vec<String> {
    let cut_off = events.last().map(status_after) == Some(Status::Terminated);
    let mut ids = BTreeMap::new();
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    let mut tell = |scheduled: i64, ids: &BTreeMap<i64, String>, change: &dyn Fn(&mut Told)| {
        if let Some(id) = ids.get(&scheduled) {
            change(told.entry(id.clone()).or_default());
        }
    };
    for event in events {
        match &event.attributes {
            Some(A::ActivityTaskScheduledEventAttributes(a)) => {
                ids.insert(event.event_id, a.activity_id.clone());
                let max = a
                    .retry_policy
                    .as_ref()
                    .map_or(0, |policy| policy.maximum_attempts);
                tell(event.event_id, &ids, &|told| {
                    told.maximum_attempts = max;
                    told.cut_off = cut_off;
                });
            }
            Some(A::ActivityTaskStartedEventAttributes(a)) => {
                tell(a.scheduled_event_id, &ids, &|told| told.attempt = a.attempt);
            }
            Some(A::ActivityTaskCompletedEventAttributes(a)) => {
                let nonce = payload::to_json::<String>(a.result.as_ref());
                tell(a.scheduled_event_id, &ids, &|told| {
                    told.nonce.clone_from(&nonce)
                });
            }
            Some(A::ActivityTaskTimedOutEventAttributes(a)) => {
                tell(a.scheduled_event_id, &ids, &|told| told.timed_out = true);
            }
            _ => {}
        }
    }
    let mut problems = Vec::new();
    for (id, told) in &told {
        let given = facts.activities.get(&(run_id.to_owned(), id.clone()));
        let found = check_activity(told, given.map_or(&[][..], Vec::as_slice));
        problems.extend(
            found
                .into_iter()
                .map(|text| format!("activity {id}: {text}")),
        );
    }
    problems
}

fn check_activity(told: &Told, given: &[Attempt]) -> Vec<String> {
    let mut problems = Vec::new();
    let with = |outcome| {
        given
            .iter()
            .filter(move |attempt| attempt.outcome == outcome)
    };
    let completed: Vec<&Attempt> = with(Outcome::Completed).collect();
    if completed.len() > 1 {
        problems.push(format!("{} completions were acknowledged", completed.len()));
    }
    for attempt in &completed {
        if told.nonce.as_ref() != Some(&attempt.nonce) {
            problems.push(format!(
                "the completion of attempt {} is lost",
                attempt.attempt
            ));
        }
    }
    if let Some(nonce) = &told.nonce {
        match given.iter().find(|attempt| attempt.nonce == *nonce) {
            None => problems.push(String::from("it has a result that no worker gave")),
            Some(attempt) if attempt.attempt != told.attempt && !attempt.by_id => {
                problems.push(format!(
                    "attempt {} gave the result, but the history says {}",
                    attempt.attempt, told.attempt
                ))
            }
            Some(_) => {}
        }
    } else if told.cut_off && !told.timed_out {
        // It had no chance to end, and how far it came is not told.
        if told.maximum_attempts == 1 && given.len() > 1 {
            problems.push(format!("it was handed out {} times", given.len()));
        }
        return problems;
    } else if told.maximum_attempts != 1 {
        problems.push(String::from("it may be retried and never completed"));
    } else if !told.timed_out {
        problems.push(String::from("it neither completed nor timed out"));
    }
    for failed in with(Outcome::Failed).filter(|failed| failed.attempt >= told.attempt) {
        problems.push(format!("the failure of attempt {} is lost", failed.attempt));
    }
    if given.iter().any(|attempt| attempt.attempt > told.attempt) {
        problems.push(format!("the history knows {} attempts only", told.attempt));
    }
    if told.maximum_attempts == 1 && given.len() > 1 {
        problems.push(format!("it was handed out {} times", given.len()));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: i32, nonce: &str, outcome: Outcome) -> Attempt {
        Attempt {
            attempt: number,
            nonce: nonce.to_owned(),
            outcome,
            by_id: false,
            heartbeat: None,
            heartbeat_unsure: false,
        }
    }

    fn told(attempt: i32, nonce: Option<&str>) -> Told {
        Told {
            attempt,
            nonce: nonce.map(str::to_owned),
            ..Told::default()
        }
    }

    #[test]
    fn an_acknowledged_completion_is_the_result() {
        let given = [
            attempt(1, "x", Outcome::Failed),
            attempt(2, "y", Outcome::Completed),
        ];
        assert_eq!(
            check_activity(&told(2, Some("y")), &given),
            Vec::<String>::new()
        );
        assert_eq!(
            check_activity(&told(1, Some("x")), &given),
            [
                "the completion of attempt 2 is lost",
                "the failure of attempt 1 is lost",
                "the history knows 1 attempts only"
            ]
        );
        assert_eq!(
            check_activity(&told(2, Some("z")), &given),
            [
                "the completion of attempt 2 is lost",
                "it has a result that no worker gave"
            ]
        );
    }

    #[test]
    fn once_means_at_most_once() {
        let once = Told {
            maximum_attempts: 1,
            timed_out: true,
            ..told(1, None)
        };
        assert_eq!(
            check_activity(&once, &[attempt(1, "x", Outcome::Unsure)]),
            Vec::<String>::new()
        );
        let twice = [
            attempt(1, "x", Outcome::Unsure),
            attempt(1, "y", Outcome::Unsure),
        ];
        assert_eq!(check_activity(&once, &twice), ["it was handed out 2 times"]);
    }
}
