//! How far a workflow came: a pure fold of its history, which also notes what a history must not show.

use std::collections::BTreeSet;

use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes;

use crate::payload;
use crate::script::Plan;

/// A set of small numbers, with its sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbers(BTreeSet<u64>);

impl Numbers {
    /// Adds one; false if it was there.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        self.0.insert(number)
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Their sum.
    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl FromIterator<u64> for Numbers {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

/// What the history says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The workflow's input.
    pub(crate) plan: Option<Plan>,
    /// The event that was read last.
    pub(crate) last_event_id: i64,
    /// Activities that were scheduled.
    pub(crate) scheduled: u64,
    /// Numbers of the activities that were completed.
    pub(crate) completed: Numbers,
    /// Numbers of the signals that came.
    pub(crate) signals: Numbers,
    /// Numbers of the updates that were accepted.
    pub(crate) updates: Numbers,
    /// Timers that were started.
    pub(crate) timers_started: u64,
    /// Timers that fired.
    pub(crate) timers_fired: u64,
    /// What a correct server never shows.
    pub(crate) problems: Vec<String>,
}

impl Progress {
    /// Reads the next event.
    pub(crate) fn apply(&mut self, event: &HistoryEvent) {
        if event.event_id != self.last_event_id + 1 {
            let gap = format!(
                "event {} follows event {}",
                event.event_id, self.last_event_id
            );
            self.problems.push(gap);
        }
        self.last_event_id = event.event_id;
        match &event.attributes {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(a)) => {
                self.plan = payload::to_json(a.input.as_ref());
            }
            Some(Attributes::ActivityTaskScheduledEventAttributes(_)) => self.scheduled += 1,
            Some(Attributes::ActivityTaskCompletedEventAttributes(a)) => {
                let problem = take(&mut self.completed, "activity", a.result.as_ref());
                self.problems.extend(problem);
            }
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(a)) => {
                let problem = take(&mut self.signals, "signal", a.input.as_ref());
                self.problems.extend(problem);
            }
            Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(a)) => {
                let input = a.accepted_request.as_ref().and_then(|r| r.input.as_ref());
                let args = input.and_then(|input| input.args.as_ref());
                let problem = take(&mut self.updates, "update", args);
                self.problems.extend(problem);
            }
            Some(Attributes::TimerStartedEventAttributes(_)) => self.timers_started += 1,
            Some(Attributes::TimerFiredEventAttributes(_)) => self.timers_fired += 1,
            Some(Attributes::ActivityTaskFailedEventAttributes(_)) => {
                self.problems.push(String::from("an activity failed"));
            }
            Some(Attributes::ActivityTaskTimedOutEventAttributes(_)) => {
                self.problems.push(String::from("an activity timed out"));
            }
            _ => {}
        }
    }
}

/// Notes the number in a payload, and says what is wrong with it.
fn take(numbers: &mut Numbers, what: &str, payloads: Option<&Payloads>) -> Option<String> {
    let Some(number) = payload::to_json(payloads) else {
        return Some(format!("{what} without a number"));
    };
    (!numbers.insert(number)).then(|| format!("{what} {number} came twice"))
}

/// The numbers of the signals among `events` that came after event `after`.
pub(crate) fn signals_after(
    events: &[HistoryEvent],
    after: i64,
) -> impl Iterator<Item = u64> + use<'_> {
    events
        .iter()
        .filter(move |event| event.event_id > after)
        .filter_map(|event| match &event.attributes {
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(a)) => {
                payload::to_json(a.input.as_ref())
            }
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use proto::temporal::api::history::v1 as history;

    use super::*;
    use crate::script::Script;

    fn event(event_id: i64, attributes: Attributes) -> HistoryEvent {
        HistoryEvent {
            event_id,
            attributes: Some(attributes),
            ..HistoryEvent::default()
        }
    }

    fn completed(event_id: i64, number: u64) -> HistoryEvent {
        let attributes = history::ActivityTaskCompletedEventAttributes {
            result: Some(payload::of_json(&number)),
            ..Default::default()
        };
        event(
            event_id,
            Attributes::ActivityTaskCompletedEventAttributes(attributes),
        )
    }

    fn signaled(event_id: i64, number: u64) -> HistoryEvent {
        let attributes = history::WorkflowExecutionSignaledEventAttributes {
            input: Some(payload::of_json(&number)),
            ..Default::default()
        };
        event(
            event_id,
            Attributes::WorkflowExecutionSignaledEventAttributes(attributes),
        )
    }

    #[test]
    fn a_history_is_counted() {
        let plan = Plan {
            script: Script::Parallel { activities: 2 },
            echo: String::from("e"),
        };
        let started = history::WorkflowExecutionStartedEventAttributes {
            input: Some(payload::of_json(&plan)),
            ..Default::default()
        };
        let scheduled = Attributes::ActivityTaskScheduledEventAttributes(Default::default());
        let mut progress = Progress::default();
        for event in [
            event(
                1,
                Attributes::WorkflowExecutionStartedEventAttributes(started),
            ),
            event(2, scheduled.clone()),
            event(3, scheduled),
            completed(4, 1),
            event(
                5,
                Attributes::TimerStartedEventAttributes(Default::default()),
            ),
            signaled(6, 0),
            event(7, Attributes::TimerFiredEventAttributes(Default::default())),
        ] {
            progress.apply(&event);
        }
        assert_eq!(progress.plan, Some(plan));
        assert_eq!((progress.scheduled, progress.completed.sum()), (2, 1));
        assert_eq!((progress.signals.count(), progress.last_event_id), (1, 7));
        assert_eq!((progress.timers_started, progress.timers_fired), (1, 1));
        assert_eq!(progress.problems, Vec::<String>::new());
    }

    #[test]
    fn gaps_and_doubles_are_problems() {
        let mut progress = Progress::default();
        progress.apply(&completed(1, 5));
        progress.apply(&completed(2, 5));
        progress.apply(&completed(4, 6));
        assert_eq!(
            progress.problems,
            ["activity 5 came twice", "event 4 follows event 2"]
        );
    }

    #[test]
    fn only_new_signals_are_seen() {
        let events = [
            signaled(3, 30),
            completed(4, 0),
            signaled(5, 50),
            signaled(6, 60),
        ];
        assert_eq!(signals_after(&events, 3).collect::<Vec<_>>(), [50, 60]);
    }
}
