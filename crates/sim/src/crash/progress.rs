//! How far a run came: a pure fold of its history.

use std::collections::{BTreeMap, BTreeSet};

use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;

use super::plan::Plan;
use crate::payload;

/// The signal that plans wait for.
pub(super) const NUMBER: &str = "number";

/// What the history of one run says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The run's input.
    pub(super) plan: Option<Plan>,
    /// Which attempt of the workflow this is.
    pub(super) attempt: i32,
    /// The parent's workflow id.
    pub(super) parent: Option<String>,
    /// Activities by id: whether they have ended.
    pub(super) activities: BTreeMap<String, bool>,
    /// Timers by id: whether they have fired.
    pub(super) timers: BTreeMap<String, bool>,
    /// Numbers heard.
    pub(super) heard: BTreeSet<u64>,
    /// Children by workflow id, with the result of those that have ended.
    pub(super) children: BTreeMap<String, Option<String>>,
    /// Signals to the parent by the initiated event: whether they have arrived.
    pub(super) told: BTreeMap<i64, bool>,
    /// What no plan expects to happen.
    pub(super) surprises: Vec<String>,
    /// Activity ids by scheduled event.
    pub(super) scheduled: BTreeMap<i64, String>,
}

impl Progress {
    /// Reads events in order, up to and with event `last`.
    pub(super) fn of(events: &[HistoryEvent], last: i64) -> Self {
        let mut progress = Self::default();
        for event in events.iter().take_while(|event| event.event_id <= last) {
            if let Some(attributes) = &event.attributes {
                progress.apply(event.event_id, attributes);
            }
        }
        progress
    }

    fn apply(&mut self, event_id: i64, attributes: &A) {
        match attributes {
            A::WorkflowExecutionStartedEventAttributes(a) => {
                self.plan = payload::to_json(a.input.as_ref());
                self.attempt = a.attempt;
                self.parent = a
                    .parent_workflow_execution
                    .as_ref()
                    .map(|p| p.workflow_id.clone());
            }
            A::ActivityTaskScheduledEventAttributes(a) => {
                self.scheduled.insert(event_id, a.activity_id.clone());
                self.activities.insert(a.activity_id.clone(), false);
            }
            A::ActivityTaskCompletedEventAttributes(a) => self.ended(a.scheduled_event_id),
            A::ActivityTaskTimedOutEventAttributes(a) => self.ended(a.scheduled_event_id),
            A::ActivityTaskFailedEventAttributes(_) => {
                self.surprises
                    .push(String::from("an activity failed for good"));
            }
            A::TimerStartedEventAttributes(a) => {
                self.timers.insert(a.timer_id.clone(), false);
            }
            A::TimerFiredEventAttributes(a) => {
                self.timers.insert(a.timer_id.clone(), true);
            }
            A::WorkflowExecutionSignaledEventAttributes(a) if a.signal_name == NUMBER => {
                self.heard.extend(payload::to_json::<u64>(a.input.as_ref()));
            }
            A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
                self.children.insert(a.workflow_id.clone(), None);
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(a) => {
                self.surprises
                    .push(format!("child {} was not started", a.workflow_id));
            }
            A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
                let id = a.workflow_execution.clone().unwrap_or_default().workflow_id;
                let result = payload::to_json(a.result.as_ref()).unwrap_or_default();
                self.children.insert(id, Some(result));
            }
            A::ChildWorkflowExecutionFailedEventAttributes(_)
            | A::ChildWorkflowExecutionTerminatedEventAttributes(_)
            | A::ChildWorkflowExecutionTimedOutEventAttributes(_)
            | A::ChildWorkflowExecutionCanceledEventAttributes(_) => {
                self.surprises
                    .push(String::from("a child did not complete"));
            }
            A::SignalExternalWorkflowExecutionInitiatedEventAttributes(_) => {
                self.told.insert(event_id, false);
            }
            A::ExternalWorkflowExecutionSignaledEventAttributes(a) => {
                self.told.insert(a.initiated_event_id, true);
            }
            A::SignalExternalWorkflowExecutionFailedEventAttributes(_) => {
                self.surprises
                    .push(String::from("the parent could not be told"));
            }
            _ => {}
        }
    }

    fn ended(&mut self, scheduled_event_id: i64) {
        if let Some(id) = self.scheduled.get(&scheduled_event_id) {
            self.activities.insert(id.clone(), true);
        }
    }
}
