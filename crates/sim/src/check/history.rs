//! What must hold of the history of one run.

use std::collections::{BTreeMap, BTreeSet};

use proto::temporal::api::enums::v1::EventType;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;

/// Where something stands that has a start and an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// With the event that started it.
    Started(i64),
    Closed,
}

/// The fold.
#[derive(Debug, Default)]
struct Reader {
    problems: Vec<String>,
    workflow_tasks: BTreeMap<i64, Stage>,
    completed_tasks: BTreeSet<i64>,
    activities: BTreeMap<i64, Stage>,
    /// When each timer may fire, in ns since the epoch.
    timers: BTreeMap<i64, (Stage, i128)>,
    children: BTreeMap<i64, Stage>,
    externals: BTreeMap<i64, Stage>,
    nexus_operations: BTreeMap<i64, Stage>,
    /// Updates by id, with whether they were completed.
    updates: BTreeMap<String, bool>,
    signals: BTreeSet<String>,
    closed: bool,
}

/// What is wrong with a history that is whole; nothing if it is right.
pub fn check(events: &[HistoryEvent]) -> Vec<String> {
    let mut reader = Reader::default();
    let mut task_id = i64::MIN;
    for (expected, event) in (1_i64..).zip(events) {
        if event.event_id != expected {
            reader.problem(event, &format!("stands where event {expected} belongs"));
            return reader.problems;
        }
        if event.task_id <= task_id {
            reader.problem(event, "has a task id that is not above the one before");
        }
        task_id = event.task_id;
        if (event.event_type() == EventType::WorkflowExecutionStarted) != (expected == 1) {
            reader.problem(event, "begins the history, or something else does");
        }
        if reader.closed {
            reader.problem(event, "comes after the close event");
        }
        reader.read(event);
    }
    reader.problems
}

impl Reader {
    fn problem(&mut self, event: &HistoryEvent, text: &str) {
        let kind = event
            .event_type()
            .as_str_name()
            .trim_start_matches("EVENT_TYPE_");
        self.problems
            .push(format!("event {} ({kind}) {text}", event.event_id));
    }

    fn read(&mut self, event: &HistoryEvent) {
        let Some(attributes) = &event.attributes else {
            return self.problem(event, "has no attributes");
        };
        let id = event.event_id;
        match attributes {
            A::WorkflowTaskScheduledEventAttributes(_) => {
                let unfinished = self
                    .workflow_tasks
                    .values()
                    .any(|stage| *stage != Stage::Closed);
                if unfinished {
                    self.problem(
                        event,
                        "is scheduled while another workflow task is not over",
                    );
                }
                self.workflow_tasks.insert(id, Stage::Open);
            }
            A::WorkflowTaskStartedEventAttributes(a) => {
                let step = start(&mut self.workflow_tasks, a.scheduled_event_id, id);
                self.expect(event, step);
            }
            A::WorkflowTaskCompletedEventAttributes(a) => {
                let stage = &mut self.workflow_tasks;
                let step = close(stage, a.scheduled_event_id, a.started_event_id);
                self.expect(event, step);
                self.completed_tasks.insert(id);
            }
            A::WorkflowTaskFailedEventAttributes(a) => {
                let stage = &mut self.workflow_tasks;
                let step = close(stage, a.scheduled_event_id, a.started_event_id);
                self.expect(event, step);
            }
            A::WorkflowTaskTimedOutEventAttributes(a) => {
                let stage = &mut self.workflow_tasks;
                let step = close(stage, a.scheduled_event_id, a.started_event_id);
                self.expect(event, step);
            }
            _ if self.read_activity(event, attributes) => {}
            _ if self.read_timer(event, attributes) => {}
            _ if self.read_peer(event, attributes) => {}
            _ if self.read_nexus(event, attributes) => {}
            _ if self.read_update(event, attributes) => {}
            A::WorkflowExecutionSignaledEventAttributes(a) => self.signaled(event, &a.request_id),
            A::WorkflowExecutionCompletedEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                self.closed = true;
            }
            A::WorkflowExecutionFailedEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                self.closed = true;
            }
            A::WorkflowExecutionCanceledEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                self.closed = true;
            }
            A::WorkflowExecutionContinuedAsNewEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                self.closed = true;
            }
            A::WorkflowExecutionTerminatedEventAttributes(_)
            | A::WorkflowExecutionTimedOutEventAttributes(_) => self.closed = true,
            _ => {}
        }
    }

    fn read_activity(&mut self, event: &HistoryEvent, attributes: &A) -> bool {
        let step = match attributes {
            A::ActivityTaskScheduledEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                self.activities.insert(event.event_id, Stage::Open);
                return true;
            }
            A::ActivityTaskStartedEventAttributes(a) => {
                start(&mut self.activities, a.scheduled_event_id, event.event_id)
            }
            A::ActivityTaskCompletedEventAttributes(a) => close(
                &mut self.activities,
                a.scheduled_event_id,
                a.started_event_id,
            ),
            A::ActivityTaskFailedEventAttributes(a) => close(
                &mut self.activities,
                a.scheduled_event_id,
                a.started_event_id,
            ),
            A::ActivityTaskTimedOutEventAttributes(a) => close(
                &mut self.activities,
                a.scheduled_event_id,
                a.started_event_id,
            ),
            A::ActivityTaskCanceledEventAttributes(a) => close(
                &mut self.activities,
                a.scheduled_event_id,
                a.started_event_id,
            ),
            _ => return false,
        };
        self.expect(event, step);
        true
    }

    fn read_timer(&mut self, event: &HistoryEvent, attributes: &A) -> bool {
        let (started, fired) = match attributes {
            A::TimerStartedEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                let wait = a.start_to_fire_timeout.unwrap_or_default();
                let nanos = i128::from(wait.seconds) * 1_000_000_000 + i128::from(wait.nanos);
                self.timers
                    .insert(event.event_id, (Stage::Open, time_of(event) + nanos));
                return true;
            }
            A::TimerFiredEventAttributes(a) => (a.started_event_id, true),
            A::TimerCanceledEventAttributes(a) => (a.started_event_id, false),
            _ => return false,
        };
        match self.timers.get_mut(&started) {
            Some((stage @ Stage::Open, due)) => {
                let early = fired && time_of(event) < *due;
                *stage = Stage::Closed;
                if early {
                    self.problem(event, "comes too early");
                }
            }
            Some(_) => self.problem(event, "ends a timer that is over"),
            None => self.problem(event, "ends a timer that was never started"),
        }
        true
    }

    fn read_peer(&mut self, event: &HistoryEvent, attributes: &A) -> bool {
        let id = event.event_id;
        let step = match attributes {
            A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                self.children.insert(id, Stage::Open);
                return true;
            }
            A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                self.externals.insert(id, Stage::Open);
                return true;
            }
            A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
                self.commanded(event, a.workflow_task_completed_event_id);
                self.externals.insert(id, Stage::Open);
                return true;
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(a) => {
                close(&mut self.children, a.initiated_event_id, 0)
            }
            A::ChildWorkflowExecutionStartedEventAttributes(a) => {
                start(&mut self.children, a.initiated_event_id, id)
            }
            A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
                close(&mut self.children, a.initiated_event_id, a.started_event_id)
            }
            A::ChildWorkflowExecutionFailedEventAttributes(a) => {
                close(&mut self.children, a.initiated_event_id, a.started_event_id)
            }
            A::ChildWorkflowExecutionCanceledEventAttributes(a) => {
                close(&mut self.children, a.initiated_event_id, a.started_event_id)
            }
            A::ChildWorkflowExecutionTimedOutEventAttributes(a) => {
                close(&mut self.children, a.initiated_event_id, a.started_event_id)
            }
            A::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
                close(&mut self.children, a.initiated_event_id, a.started_event_id)
            }
            A::ExternalWorkflowExecutionSignaledEventAttributes(a) => {
                close(&mut self.externals, a.initiated_event_id, 0)
            }
            A::SignalExternalWorkflowExecutionFailedEventAttributes(a) => {
                close(&mut self.externals, a.initiated_event_id, 0)
            }
            A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
                close(&mut self.externals, a.initiated_event_id, 0)
            }
            A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
                close(&mut self.externals, a.initiated_event_id, 0)
            }
            _ => return false,
        };
        self.expect(event, step);
        true
    }

    /// An operation may end without having been started: then it was answered at once.
    fn read_nexus(&mut self, event: &HistoryEvent, attributes: &A) -> bool {
        let id = event.event_id;
        let operations = &mut self.nexus_operations;
        let step = match attributes {
            A::NexusOperationScheduledEventAttributes(a) => {
                operations.insert(id, Stage::Open);
                self.commanded(event, a.workflow_task_completed_event_id);
                return true;
            }
            A::NexusOperationStartedEventAttributes(a) => {
                start(operations, a.scheduled_event_id, id)
            }
            A::NexusOperationCompletedEventAttributes(a) => end(operations, a.scheduled_event_id),
            A::NexusOperationFailedEventAttributes(a) => end(operations, a.scheduled_event_id),
            A::NexusOperationCanceledEventAttributes(a) => end(operations, a.scheduled_event_id),
            A::NexusOperationTimedOutEventAttributes(a) => end(operations, a.scheduled_event_id),
            _ => return false,
        };
        self.expect(event, step);
        true
    }

    fn read_update(&mut self, event: &HistoryEvent, attributes: &A) -> bool {
        let step = match attributes {
            A::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
                match self.updates.insert(a.protocol_instance_id.clone(), false) {
                    None => Ok(()),
                    Some(_) => Err("accepts an update again"),
                }
            }
            A::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
                let id = a.meta.clone().unwrap_or_default().update_id;
                match self.updates.insert(id, true) {
                    Some(false) => Ok(()),
                    Some(true) => Err("completes an update again"),
                    None => Err("completes an update that was not accepted"),
                }
            }
            _ => return false,
        };
        self.expect(event, step);
        true
    }

    fn signaled(&mut self, event: &HistoryEvent, request_id: &str) {
        if !request_id.is_empty() && !self.signals.insert(request_id.to_owned()) {
            self.problem(event, "repeats a signal");
        }
    }

    fn expect(&mut self, event: &HistoryEvent, step: Result<(), &'static str>) {
        if let Err(text) = step {
            self.problem(event, text);
        }
    }

    /// An event that follows from a command names the completion that carried it.
    fn commanded(&mut self, event: &HistoryEvent, completed_event_id: i64) {
        if !self.completed_tasks.contains(&completed_event_id) {
            self.problem(event, "follows from no completed workflow task");
        }
    }
}

fn start(stages: &mut BTreeMap<i64, Stage>, opened: i64, started: i64) -> Result<(), &'static str> {
    match stages.get_mut(&opened) {
        Some(stage @ Stage::Open) => {
            *stage = Stage::Started(started);
            Ok(())
        }
        Some(_) => Err("starts what is started or over"),
        None => Err("starts what was never opened"),
    }
}

/// Ends something whose closing event names no start.
fn end(stages: &mut BTreeMap<i64, Stage>, opened: i64) -> Result<(), &'static str> {
    match stages.get_mut(&opened) {
        None => Err("ends what was never opened"),
        Some(Stage::Closed) => Err("ends what is over"),
        Some(stage) => {
            *stage = Stage::Closed;
            Ok(())
        }
    }
}

/// `started` is the start that the closing event names; 0 for none.
fn close(stages: &mut BTreeMap<i64, Stage>, opened: i64, started: i64) -> Result<(), &'static str> {
    let Some(stage) = stages.get_mut(&opened) else {
        return Err("ends what was never opened");
    };
    let expected = match stage {
        Stage::Open => 0,
        Stage::Started(at) => *at,
        Stage::Closed => return Err("ends what is over"),
    };
    *stage = Stage::Closed;
    if started == expected {
        Ok(())
    } else {
        Err("names another start than there was")
    }
}

fn time_of(event: &HistoryEvent) -> i128 {
    let time = event.event_time.unwrap_or_default();
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}

#[cfg(test)]
mod tests {
    use proto::temporal::api::history::v1 as wire;

    use super::*;

    fn history(list: Vec<(EventType, A)>) -> Vec<HistoryEvent> {
        let event = |(id, (kind, attributes)): (i64, (EventType, A))| HistoryEvent {
            event_id: id,
            event_type: kind.into(),
            task_id: 100 + id,
            event_time: Some(proto::Timestamp {
                seconds: id,
                nanos: 0,
            }),
            attributes: Some(attributes),
            ..Default::default()
        };
        (1..).zip(list).map(event).collect()
    }

    /// Six events, one a second: a workflow task that starts a timer of one second, which fires.
    fn timer_story() -> Vec<HistoryEvent> {
        history(vec![
            (
                EventType::WorkflowExecutionStarted,
                A::WorkflowExecutionStartedEventAttributes(Default::default()),
            ),
            (
                EventType::WorkflowTaskScheduled,
                A::WorkflowTaskScheduledEventAttributes(Default::default()),
            ),
            (
                EventType::WorkflowTaskStarted,
                A::WorkflowTaskStartedEventAttributes(wire::WorkflowTaskStartedEventAttributes {
                    scheduled_event_id: 2,
                    ..Default::default()
                }),
            ),
            (
                EventType::WorkflowTaskCompleted,
                A::WorkflowTaskCompletedEventAttributes(
                    wire::WorkflowTaskCompletedEventAttributes {
                        scheduled_event_id: 2,
                        started_event_id: 3,
                        ..Default::default()
                    },
                ),
            ),
            (
                EventType::TimerStarted,
                A::TimerStartedEventAttributes(wire::TimerStartedEventAttributes {
                    start_to_fire_timeout: Some(proto::Duration {
                        seconds: 1,
                        nanos: 0,
                    }),
                    workflow_task_completed_event_id: 4,
                    ..Default::default()
                }),
            ),
            (EventType::TimerFired, fired()),
        ])
    }

    fn fired() -> A {
        A::TimerFiredEventAttributes(wire::TimerFiredEventAttributes {
            started_event_id: 5,
            ..Default::default()
        })
    }

    #[test]
    fn a_sound_history_has_no_problems() {
        assert_eq!(check(&timer_story()), Vec::<String>::new());
    }

    #[test]
    fn a_timer_fires_once_and_not_early() {
        let mut events = timer_story();
        let mut again = events[5].clone();
        (again.event_id, again.task_id) = (7, 107);
        events.push(again);
        assert_eq!(
            check(&events),
            ["event 7 (TIMER_FIRED) ends a timer that is over"]
        );
        let mut events = timer_story();
        events[5].event_time = events[4].event_time;
        assert_eq!(check(&events), ["event 6 (TIMER_FIRED) comes too early"]);
    }

    #[test]
    fn ids_are_dense_and_references_consistent() {
        let mut events = timer_story();
        events.remove(4);
        assert_eq!(
            check(&events),
            ["event 6 (TIMER_FIRED) stands where event 5 belongs"]
        );
        let mut events = timer_story();
        if let Some(A::WorkflowTaskCompletedEventAttributes(a)) = &mut events[3].attributes {
            a.started_event_id = 2;
        }
        assert_eq!(
            check(&events),
            ["event 4 (WORKFLOW_TASK_COMPLETED) names another start than there was"]
        );
    }

    #[test]
    fn nothing_follows_the_close_event_and_no_signal_comes_twice() {
        let signal = A::WorkflowExecutionSignaledEventAttributes(
            wire::WorkflowExecutionSignaledEventAttributes {
                request_id: "s".to_owned(),
                ..Default::default()
            },
        );
        let events = history(vec![
            (
                EventType::WorkflowExecutionStarted,
                A::WorkflowExecutionStartedEventAttributes(Default::default()),
            ),
            (EventType::WorkflowExecutionSignaled, signal.clone()),
            (EventType::WorkflowExecutionSignaled, signal.clone()),
            (
                EventType::WorkflowExecutionTerminated,
                A::WorkflowExecutionTerminatedEventAttributes(Default::default()),
            ),
            (EventType::TimerFired, fired()),
        ]);
        assert_eq!(
            check(&events),
            [
                "event 3 (WORKFLOW_EXECUTION_SIGNALED) repeats a signal",
                "event 5 (TIMER_FIRED) comes after the close event",
                "event 5 (TIMER_FIRED) ends a timer that was never started",
            ]
        );
    }
}
