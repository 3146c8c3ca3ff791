//! Reads each record as a stranger would, and checks what no fold of ours could get wrong and right again:
//! ids, references, and that nothing happens twice (DESIGN section 6).

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use proto::temporal::api::enums::v1::EventType as T;
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::history::v1::{History, HistoryEvent};

use super::world::Broken;
use crate::workflow::event_type;
use crate::workflow::record::{ChangeKind, Record};
use crate::workflow::state::State;

/// What the journal of one run has said so far.
#[derive(Default)]
pub(super) struct Audit {
    /// All events, in order.
    pub(super) history: Vec<HistoryEvent>,
    waiting: Vec<HistoryEvent>,
    /// Buffered events that just became due to be written.
    flushing: Vec<HistoryEvent>,
    /// What is settled: initiated or scheduled events that have their result.
    settled: BTreeSet<i64>,
    /// Children and activities that have a started event.
    started: BTreeMap<i64, i64>,
    /// The attempt of each activity, and whether it was handed out.
    attempts: BTreeMap<i64, (i32, bool)>,
    acknowledged: BTreeSet<u64>,
    cancel_requested: bool,
    signal_requests: BTreeSet<String>,
    closed: bool,
    /// The records are copies of another run's, without what leaves no event.
    pub(super) copying: bool,
}

impl Audit {
    /// Takes one record.
    pub(super) fn record(&mut self, record: &Record) -> Result<(), Broken> {
        let events = History::decode(record.history.clone())
            .map_err(|error| error.to_string())?
            .events;
        let first = self.history.len();
        let mut changes = record.changes.iter().peekable();
        for (index, event) in events.iter().enumerate() {
            while let Some(change) = changes.next_if(|c| c.position as usize <= index) {
                self.change(change.kind.as_ref().ok_or("a change of nothing")?)?;
            }
            self.event(event, first)
                .map_err(|error| format!("event {}: {error}", event.event_id))?;
        }
        for change in changes {
            self.change(change.kind.as_ref().ok_or("a change of nothing")?)?;
        }
        if self.flushing.is_empty() {
            Ok(())
        } else {
            Err(format!("flushed and not written: {:?}", self.flushing))
        }
    }

    /// What the state says must be what the journal said.
    pub(super) fn agrees_with(&self, state: &State) -> Result<(), Broken> {
        if state.core.next_event_id != self.history.len() as i64 + 1 {
            return Err(format!(
                "next event {} after {} events",
                state.core.next_event_id,
                self.history.len()
            ));
        }
        if state.is_open() == self.closed {
            return Err(format!("open and closed: {:?}", state.core.status));
        }
        if !self.closed && *state.core.buffered != self.waiting {
            return Err("the buffer is not what was buffered".to_owned());
        }
        let size: usize = self.history.iter().map(HistoryEvent::encoded_len).sum();
        if state.core.history_size != size as i64 {
            return Err(format!(
                "history of {size}, said {}",
                state.core.history_size
            ));
        }
        Ok(())
    }

    fn change(&mut self, change: &ChangeKind) -> Result<(), Broken> {
        let late = matches!(
            change,
            ChangeKind::Acknowledged(_)
                | ChangeKind::LateChildStarted(_)
                | ChangeKind::CallbackAttempted(_)
                | ChangeKind::ResetTo(_)
                | ChangeKind::Deleting(_)
        );
        if self.closed && !late {
            return Err(format!("a change of a closed run: {change:?}"));
        }
        match change {
            ChangeKind::Buffered(event) => self.waiting.push((**event).clone()),
            ChangeKind::BufferFlushed(_) => self.flushing = std::mem::take(&mut self.waiting),
            ChangeKind::BufferedTimerDropped(id) => {
                let before = self.waiting.len();
                self.waiting.retain(|event| {
                    !matches!(&event.attributes,
                        Some(A::TimerFiredEventAttributes(a)) if a.timer_id == *id)
                });
                if self.waiting.len() + 1 != before {
                    return Err(format!("timer {id} was not buffered once"));
                }
            }
            ChangeKind::ActivityStarted(a) => {
                let (attempt, handed_out) = self.attempt(a.scheduled_event_id)?;
                if *handed_out {
                    return Err(format!("attempt {attempt} was handed out twice"));
                }
                *handed_out = true;
            }
            ChangeKind::ActivityRetried(a) => {
                let (attempt, handed_out) = self.attempt(a.scheduled_event_id)?;
                if a.attempt != *attempt + 1 {
                    return Err(format!("attempt {} after {attempt}", a.attempt));
                }
                *attempt = a.attempt;
                *handed_out = false;
            }
            // The first attempt comes again: one that a worker has goes on, or is lost to it.
            ChangeKind::ActivityUnpaused(a) if a.reset_attempts => {
                self.attempt(a.scheduled_event_id)?.0 = 1;
            }
            ChangeKind::ActivityReset(a) => self.attempt(a.scheduled_event_id)?.0 = 1,
            ChangeKind::Acknowledged(seq) if !self.acknowledged.insert(*seq) => {
                return Err(format!("message {seq} was answered twice"));
            }
            _ => {}
        }
        Ok(())
    }

    fn attempt(&mut self, scheduled: i64) -> Result<&mut (i32, bool), Broken> {
        if self.settled.contains(&scheduled) {
            return Err(format!("activity {scheduled} is over"));
        }
        self.attempts
            .get_mut(&scheduled)
            .ok_or_else(|| format!("no activity {scheduled}"))
    }

    fn event(&mut self, event: &HistoryEvent, first: usize) -> Result<(), Broken> {
        if self.closed {
            return Err("after the close".to_owned());
        }
        if event.event_id != self.history.len() as i64 + 1 {
            return Err(format!("comes after {}", self.history.len()));
        }
        if let Some(last) = self.history.last()
            && event.task_id <= last.task_id
        {
            return Err(format!("task id {} after {}", event.task_id, last.task_id));
        }
        let attributes = event.attributes.as_ref().ok_or("no attributes")?;
        if event.event_type != event_type(attributes) as i32 {
            return Err("the type is another one's".to_owned());
        }
        if self.history.is_empty() != (event.event_type() == T::WorkflowExecutionStarted) {
            return Err("not in its place".to_owned());
        }
        self.unbuffer(event)?;
        self.references(event, attributes, first)?;
        self.history.push(event.clone());
        Ok(())
    }

    /// What is written during a flush was buffered, each once, results after all else.
    fn unbuffer(&mut self, event: &HistoryEvent) -> Result<(), Broken> {
        if self.flushing.is_empty() {
            return Ok(());
        }
        let rest = self
            .flushing
            .iter()
            .position(|e| !is_result(e.event_type()));
        let buffered = self.flushing.remove(rest.unwrap_or(0));
        let mut written = event.clone();
        written.event_id = 0;
        written.task_id = 0;
        clear_started(&mut written);
        let mut expected = buffered;
        clear_started(&mut expected);
        if written == expected {
            Ok(())
        } else {
            Err(format!(
                "{written:?} is not what was buffered: {expected:?}"
            ))
        }
    }

    fn references(&mut self, event: &HistoryEvent, a: &A, first: usize) -> Result<(), Broken> {
        if let Some(completed) = command_reference(a) {
            self.is(completed, T::WorkflowTaskCompleted)?;
            if (completed as usize) <= first {
                return Err("the completion is of another step".to_owned());
            }
        }
        match a {
            A::WorkflowTaskStartedEventAttributes(a) => {
                self.is(a.scheduled_event_id, T::WorkflowTaskScheduled)?;
                self.settle(a.scheduled_event_id)?;
            }
            A::WorkflowTaskCompletedEventAttributes(a) => {
                self.task_ended(a.scheduled_event_id, a.started_event_id)?;
            }
            A::WorkflowTaskFailedEventAttributes(a) if a.started_event_id == 0 => {
                self.is(a.scheduled_event_id, T::WorkflowTaskScheduled)?;
                self.settle(a.scheduled_event_id)?;
            }
            A::WorkflowTaskFailedEventAttributes(a) => {
                self.task_ended(a.scheduled_event_id, a.started_event_id)?;
            }
            A::WorkflowTaskTimedOutEventAttributes(a) if a.started_event_id > 0 => {
                self.task_ended(a.scheduled_event_id, a.started_event_id)?;
            }
            A::WorkflowTaskTimedOutEventAttributes(a) => {
                self.is(a.scheduled_event_id, T::WorkflowTaskScheduled)?;
                self.settle(a.scheduled_event_id)?;
            }
            A::TimerFiredEventAttributes(a) => {
                self.is(a.started_event_id, T::TimerStarted)?;
                self.settle(a.started_event_id)?;
            }
            A::TimerCanceledEventAttributes(a) => {
                self.is(a.started_event_id, T::TimerStarted)?;
                self.settle(a.started_event_id)?;
            }
            A::WorkflowExecutionSignaledEventAttributes(a) if !a.request_id.is_empty() => {
                if !self.signal_requests.insert(a.request_id.clone()) {
                    return Err(format!("signal {} was taken twice", a.request_id));
                }
            }
            A::WorkflowExecutionCancelRequestedEventAttributes(_) => {
                if std::mem::replace(&mut self.cancel_requested, true) {
                    return Err("cancelled twice".to_owned());
                }
            }
            _ => self.activity_references(event, a)?,
        }
        self.closed |= is_close(event.event_type());
        Ok(())
    }

    fn activity_references(&mut self, event: &HistoryEvent, a: &A) -> Result<(), Broken> {
        match a {
            A::ActivityTaskScheduledEventAttributes(_) => {
                self.attempts.insert(event.event_id, (1, false));
                Ok(())
            }
            A::ActivityTaskStartedEventAttributes(a) if self.copying => {
                self.start(event, a.scheduled_event_id, T::ActivityTaskScheduled)
            }
            A::ActivityTaskStartedEventAttributes(a) => {
                let (attempt, handed_out) = *self.attempt(a.scheduled_event_id)?;
                if a.attempt != attempt || !handed_out {
                    return Err(format!("attempt {} started, not {attempt}", a.attempt));
                }
                self.start(event, a.scheduled_event_id, T::ActivityTaskScheduled)
            }
            A::ActivityTaskCancelRequestedEventAttributes(a) => {
                self.is(a.scheduled_event_id, T::ActivityTaskScheduled)
            }
            A::ActivityTaskCompletedEventAttributes(a) => {
                self.activity_closed(a.scheduled_event_id, a.started_event_id)
            }
            A::ActivityTaskFailedEventAttributes(a) => {
                self.activity_closed(a.scheduled_event_id, a.started_event_id)
            }
            A::ActivityTaskTimedOutEventAttributes(a) => {
                self.activity_closed(a.scheduled_event_id, a.started_event_id)
            }
            A::ActivityTaskCanceledEventAttributes(a) => {
                self.is(
                    a.latest_cancel_requested_event_id,
                    T::ActivityTaskCancelRequested,
                )?;
                self.activity_closed(a.scheduled_event_id, a.started_event_id)
            }
            _ => self.peer_references(event, a),
        }
    }

    fn peer_references(&mut self, event: &HistoryEvent, a: &A) -> Result<(), Broken> {
        let child = T::StartChildWorkflowExecutionInitiated;
        let (initiated, started, kind) = match a {
            A::ChildWorkflowExecutionStartedEventAttributes(a) => {
                return self.start(event, a.initiated_event_id, child);
            }
            A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
                (a.initiated_event_id, Some(a.started_event_id), child)
            }
            A::ChildWorkflowExecutionFailedEventAttributes(a) => {
                (a.initiated_event_id, Some(a.started_event_id), child)
            }
            A::ChildWorkflowExecutionCanceledEventAttributes(a) => {
                (a.initiated_event_id, Some(a.started_event_id), child)
            }
            A::ChildWorkflowExecutionTimedOutEventAttributes(a) => {
                (a.initiated_event_id, Some(a.started_event_id), child)
            }
            A::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
                (a.initiated_event_id, Some(a.started_event_id), child)
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(a) => {
                (a.initiated_event_id, None, child)
            }
            A::ExternalWorkflowExecutionSignaledEventAttributes(a) => {
                let kind = T::SignalExternalWorkflowExecutionInitiated;
                (a.initiated_event_id, None, kind)
            }
            A::SignalExternalWorkflowExecutionFailedEventAttributes(a) => {
                let kind = T::SignalExternalWorkflowExecutionInitiated;
                (a.initiated_event_id, None, kind)
            }
            A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
                let kind = T::RequestCancelExternalWorkflowExecutionInitiated;
                (a.initiated_event_id, None, kind)
            }
            A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
                let kind = T::RequestCancelExternalWorkflowExecutionInitiated;
                (a.initiated_event_id, None, kind)
            }
            _ => return self.nexus_references(event, a),
        };
        self.is(initiated, kind)?;
        self.settle(initiated)?;
        let written = self.started.get(&initiated).copied();
        if started.is_some_and(|id| Some(id) != written) || (started.is_none() && written.is_some())
        {
            return Err(format!("started is {started:?}, was {written:?}"));
        }
        Ok(())
    }

    fn nexus_references(&mut self, event: &HistoryEvent, a: &A) -> Result<(), Broken> {
        let kind = T::NexusOperationScheduled;
        let closed = match a {
            A::NexusOperationStartedEventAttributes(a) => {
                return self.start(event, a.scheduled_event_id, kind);
            }
            A::NexusOperationCancelRequestedEventAttributes(a) => {
                return self.is(a.scheduled_event_id, kind);
            }
            A::NexusOperationCancelRequestCompletedEventAttributes(a) => {
                self.is(a.requested_event_id, T::NexusOperationCancelRequested)?;
                return self.settle(a.requested_event_id);
            }
            A::NexusOperationCancelRequestFailedEventAttributes(a) => {
                self.is(a.requested_event_id, T::NexusOperationCancelRequested)?;
                return self.settle(a.requested_event_id);
            }
            A::NexusOperationCompletedEventAttributes(a) => a.scheduled_event_id,
            A::NexusOperationFailedEventAttributes(a) => a.scheduled_event_id,
            A::NexusOperationCanceledEventAttributes(a) => a.scheduled_event_id,
            A::NexusOperationTimedOutEventAttributes(a) => a.scheduled_event_id,
            _ => return Ok(()),
        };
        self.is(closed, kind)?;
        self.settle(closed)
    }

    fn is(&self, id: i64, kind: T) -> Result<(), Broken> {
        let event = usize::try_from(id - 1)
            .ok()
            .and_then(|i| self.history.get(i));
        match event {
            Some(event) if event.event_type() == kind => Ok(()),
            Some(event) => Err(format!("{id} is {:?}, not {kind:?}", event.event_type())),
            None => Err(format!("{id} is no event")),
        }
    }

    fn settle(&mut self, id: i64) -> Result<(), Broken> {
        if self.settled.insert(id) {
            Ok(())
        } else {
            Err(format!("{id} had its end"))
        }
    }

    fn start(&mut self, event: &HistoryEvent, of: i64, kind: T) -> Result<(), Broken> {
        self.is(of, kind)?;
        match self.started.insert(of, event.event_id) {
            None if !self.settled.contains(&of) => Ok(()),
            _ => Err(format!("{of} had its start")),
        }
    }

    fn activity_closed(&mut self, scheduled: i64, started: i64) -> Result<(), Broken> {
        self.is(scheduled, T::ActivityTaskScheduled)?;
        self.settle(scheduled)?;
        let written = self.started.get(&scheduled).copied().unwrap_or(0);
        if started == written {
            Ok(())
        } else {
            Err(format!("started is {started}, was {written}"))
        }
    }

    fn task_ended(&mut self, scheduled: i64, started: i64) -> Result<(), Broken> {
        self.is(scheduled, T::WorkflowTaskScheduled)?;
        self.is(started, T::WorkflowTaskStarted)?;
        self.settle(started)?;
        if started == self.history.len() as i64 {
            Ok(())
        } else {
            Err("its start is not directly before it".to_owned())
        }
    }
}

/// The completed event that a command's event refers to.
fn command_reference(a: &A) -> Option<i64> {
    Some(match a {
        A::ActivityTaskScheduledEventAttributes(a) => a.workflow_task_completed_event_id,
        A::ActivityTaskCancelRequestedEventAttributes(a) => a.workflow_task_completed_event_id,
        A::TimerStartedEventAttributes(a) => a.workflow_task_completed_event_id,
        A::TimerCanceledEventAttributes(a) => a.workflow_task_completed_event_id,
        A::MarkerRecordedEventAttributes(a) => a.workflow_task_completed_event_id,
        A::UpsertWorkflowSearchAttributesEventAttributes(a) => a.workflow_task_completed_event_id,
        A::WorkflowPropertiesModifiedEventAttributes(a) => a.workflow_task_completed_event_id,
        A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_task_completed_event_id
        }
        A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_task_completed_event_id
        }
        A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_task_completed_event_id
        }
        A::NexusOperationScheduledEventAttributes(a) => a.workflow_task_completed_event_id,
        A::NexusOperationCancelRequestedEventAttributes(a) => a.workflow_task_completed_event_id,
        A::WorkflowExecutionCompletedEventAttributes(a) => a.workflow_task_completed_event_id,
        A::WorkflowExecutionFailedEventAttributes(a) => a.workflow_task_completed_event_id,
        A::WorkflowExecutionCanceledEventAttributes(a) => a.workflow_task_completed_event_id,
        A::WorkflowExecutionContinuedAsNewEventAttributes(a) => a.workflow_task_completed_event_id,
        _ => return None,
    })
}

fn is_close(kind: T) -> bool {
    matches!(
        kind,
        T::WorkflowExecutionCompleted
            | T::WorkflowExecutionFailed
            | T::WorkflowExecutionTimedOut
            | T::WorkflowExecutionCanceled
            | T::WorkflowExecutionTerminated
            | T::WorkflowExecutionContinuedAsNew
    )
}

fn is_result(kind: T) -> bool {
    matches!(
        kind,
        T::ActivityTaskCompleted
            | T::ActivityTaskFailed
            | T::ActivityTaskTimedOut
            | T::ActivityTaskCanceled
            | T::ChildWorkflowExecutionCompleted
            | T::ChildWorkflowExecutionFailed
            | T::ChildWorkflowExecutionCanceled
            | T::ChildWorkflowExecutionTimedOut
            | T::ChildWorkflowExecutionTerminated
            | T::NexusOperationCompleted
            | T::NexusOperationFailed
            | T::NexusOperationCanceled
            | T::NexusOperationTimedOut
    )
}

/// A result's reference to its start is known only when both are written.
fn clear_started(event: &mut HistoryEvent) {
    match &mut event.attributes {
        Some(A::ActivityTaskCompletedEventAttributes(a)) => a.started_event_id = 0,
        Some(A::ActivityTaskFailedEventAttributes(a)) => a.started_event_id = 0,
        Some(A::ActivityTaskTimedOutEventAttributes(a)) => a.started_event_id = 0,
        Some(A::ActivityTaskCanceledEventAttributes(a)) => a.started_event_id = 0,
        Some(A::ChildWorkflowExecutionCompletedEventAttributes(a)) => a.started_event_id = 0,
        Some(A::ChildWorkflowExecutionFailedEventAttributes(a)) => a.started_event_id = 0,
        Some(A::ChildWorkflowExecutionCanceledEventAttributes(a)) => a.started_event_id = 0,
        Some(A::ChildWorkflowExecutionTimedOutEventAttributes(a)) => a.started_event_id = 0,
        Some(A::ChildWorkflowExecutionTerminatedEventAttributes(a)) => a.started_event_id = 0,
        _ => {}
    }
}
