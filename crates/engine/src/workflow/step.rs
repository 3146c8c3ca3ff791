//! The workbench of one step. What a rule records is applied to the state at once, so that the next
//! command of the same task sees it; a step that ends in a rejection is undone whole.

mod workflow_task;

use std::sync::Arc;

use proto::temporal::api::common::v1::Link;
use proto::temporal::api::enums::v1::{EventType, TaskQueueKind};
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{HistoryEvent, WorkflowExecutionTerminatedEventAttributes};
use proto::temporal::api::sdk::v1::{EventGroupMarker, UserMetadata};
use proto::temporal::api::taskqueue::v1::TaskQueue;

use super::input::PeerAnswer;
use super::record::{Change, ChangeKind, Record};
use super::state::activity::Activity;
use super::state::outbox::OutboxEntry;
use super::state::{Core, State, Volatile};
use super::transition::{ActivityTaskOffer, Effect, NewRun, Reply, Transition};
use super::update::{self, UpdateNews};
use super::{event_type, index_row, priority, time_skipping, withdraw};
use crate::Env;
use crate::ids::{EventId, Now};
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// The identity on events that the server itself causes (behaviour, sections 4.4 and 6.1).
pub(crate) const SERVER_IDENTITY: &str = "history-service";

/// What may accompany an event besides its attributes.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) user_metadata: Option<UserMetadata>,
    pub(crate) links: Vec<Link>,
    pub(crate) event_group_markers: Vec<EventGroupMarker>,
}

/// One step under way.
pub(crate) struct Step<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) now: &'a mut Now,
    time: Timestamp,
    pub(crate) env: Env<'a>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) row_changed: bool,
    pub(crate) successor: Option<Box<NewRun>>,
    updates: Vec<UpdateNews>,
    history: Vec<u8>,
    event_count: u32,
    changes: Vec<Change>,
    saved: Core,
    saved_volatile: Volatile,
    was_open: bool,
    outbox_from: u64,
}

/// A point of a step to which it can be taken back.
pub(crate) struct Savepoint {
    core: Core,
    volatile: Volatile,
    updates: Vec<UpdateNews>,
    marks: [usize; 12],
    history_len: usize,
    event_count: u32,
    changes: usize,
    effects: usize,
    row_changed: bool,
    task_id: i64,
}

impl<'a> Step<'a> {
    pub(crate) fn begin(state: &'a mut State, now: &'a mut Now, env: Env<'a>) -> Self {
        Self {
            saved: state.core.clone(),
            saved_volatile: state.volatile.clone(),
            was_open: state.is_open(),
            outbox_from: state.core.outbox_seq,
            time: state.own_time(now.time),
            state,
            now,
            env,
            effects: Vec::new(),
            row_changed: false,
            successor: None,
            updates: Vec::new(),
            history: Vec::new(),
            event_count: 0,
            changes: Vec::new(),
        }
    }

    /// This moment in the run's own time.
    pub(crate) fn time(&self) -> Timestamp {
        self.time
    }

    /// Whether a workflow task is with a worker, so that events from outside must wait.
    pub(crate) fn task_started(&self) -> bool {
        self.state.started_workflow_task().is_some()
    }

    /// Records an event now. Returns its id.
    pub(crate) fn write(&mut self, attributes: Attributes) -> EventId {
        self.write_with(attributes, Extras::default())
    }

    pub(crate) fn write_with(&mut self, attributes: Attributes, extras: Extras) -> EventId {
        let time = self.time();
        self.write_at(attributes, extras, time)
    }

    /// Records an event that happened at another time than now.
    pub(crate) fn write_at(
        &mut self,
        attributes: Attributes,
        extras: Extras,
        time: Timestamp,
    ) -> EventId {
        let event = self.event(attributes, extras, time);
        self.write_event(event)
    }

    /// Records a complete event under the next id.
    pub(crate) fn write_event(&mut self, mut event: HistoryEvent) -> EventId {
        event.event_id = self.state.core.next_event_id;
        event.task_id = self.now.next_task_id();
        self.append(&event);
        self.effects.extend(withdraw::by_event(&event));
        self.state.apply_event(&event);
        event.event_id
    }

    fn event(&self, attributes: Attributes, extras: Extras, time: Timestamp) -> HistoryEvent {
        HistoryEvent {
            event_id: 0,
            event_time: Some(time.to_proto()),
            event_type: event_type(&attributes) as i32,
            user_metadata: extras.user_metadata,
            links: extras.links,
            event_group_markers: extras.event_group_markers,
            worker_may_ignore: event_type::worker_may_ignore(&attributes),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        }
    }

    /// Records an event from outside: at once, or in the buffer while a workflow task is started
    /// (behaviour, section 4.4). Returns its id, or 0 when it waits.
    pub(crate) fn external(&mut self, attributes: Attributes, extras: Extras) -> EventId {
        let time = self.time();
        self.external_at(attributes, extras, time)
    }

    /// As [`Self::external`], for an event that happened at another time than now.
    pub(crate) fn external_at(
        &mut self,
        attributes: Attributes,
        extras: Extras,
        time: Timestamp,
    ) -> EventId {
        self.write_speculative_task();
        if self.task_started() {
            let event = self.event(attributes, extras, time);
            self.change(ChangeKind::Buffered(Box::new(event)));
            0
        } else {
            self.flush_leftovers();
            self.write_at(attributes, extras, time)
        }
    }

    /// What waited when the server last stopped comes before anything new.
    pub(crate) fn flush_leftovers(&mut self) {
        if !self.task_started() {
            self.flush_buffer();
        }
    }

    /// Records an event that a command causes but that belongs with what came from outside: it takes its
    /// place at the flush that follows the commands.
    pub(crate) fn defer(&mut self, attributes: Attributes) {
        let event = self.event(attributes, Extras::default(), self.time());
        self.change(ChangeKind::Buffered(Box::new(event)));
    }

    /// Records a change that leaves no event.
    pub(crate) fn change(&mut self, kind: ChangeKind) {
        self.effects.extend(withdraw::by_change(&kind));
        let change = Change {
            position: self.event_count,
            kind: Some(kind),
        };
        let time = self.time();
        self.state.apply_change(&change, time);
        self.changes.push(change);
    }

    /// Offers an activity's ready attempt to workers.
    pub(crate) fn offer_activity(&mut self, scheduled_event_id: EventId) {
        let Some(activity) = self.state.activities.get(&scheduled_event_id) else {
            return;
        };
        if !activity.may_start() {
            return;
        }
        let offer = activity_offer(self.state, scheduled_event_id, activity);
        self.state
            .activities
            .update(&scheduled_event_id, |activity| activity.offered = true);
        self.effects.push(Effect::OfferActivityTask(offer));
    }

    /// Turns everything that waited in the buffer into events: results of activities and children after
    /// all else, ids assigned now, a result pointing at the id that its start just got (behaviour,
    /// section 4.4). Returns whether there was anything.
    pub(crate) fn flush_buffer(&mut self) -> bool {
        if self.state.core.buffered.is_empty() {
            return false;
        }
        let waiting = Arc::clone(&self.state.core.buffered);
        self.change(ChangeKind::BufferFlushed(true));
        let (results, rest): (Vec<_>, Vec<_>) = waiting.iter().cloned().partition(is_result);
        let mut started_ids = Vec::new();
        for event in rest {
            let scheduled = match &event.attributes {
                Some(Attributes::ActivityTaskStartedEventAttributes(a)) => {
                    Some(a.scheduled_event_id)
                }
                _ => None,
            };
            let id = self.write_event(event);
            started_ids.extend(scheduled.map(|scheduled| (scheduled, id)));
        }
        for mut event in results {
            self.point_at_start(&mut event, &started_ids);
            self.write_event(event);
        }
        true
    }

    fn point_at_start(&self, event: &mut HistoryEvent, started_ids: &[(EventId, EventId)]) {
        use Attributes as A;
        let activity = |scheduled: EventId| {
            started_ids
                .iter()
                .find(|(s, _)| *s == scheduled)
                .map_or(0, |(_, started)| *started)
        };
        let child = |initiated: EventId| {
            self.state
                .children
                .get(&initiated)
                .and_then(|c| c.started)
                .map_or(0, |(_, id)| id)
        };
        match &mut event.attributes {
            Some(A::ActivityTaskCompletedEventAttributes(a)) => {
                a.started_event_id = activity(a.scheduled_event_id);
            }
            Some(A::ActivityTaskFailedEventAttributes(a)) => {
                a.started_event_id = activity(a.scheduled_event_id);
            }
            Some(A::ActivityTaskTimedOutEventAttributes(a)) => {
                a.started_event_id = activity(a.scheduled_event_id);
            }
            Some(A::ActivityTaskCanceledEventAttributes(a)) => {
                a.started_event_id = activity(a.scheduled_event_id);
            }
            Some(A::ChildWorkflowExecutionCompletedEventAttributes(a)) => {
                a.started_event_id = child(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionFailedEventAttributes(a)) => {
                a.started_event_id = child(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionCanceledEventAttributes(a)) => {
                a.started_event_id = child(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionTimedOutEventAttributes(a)) => {
                a.started_event_id = child(a.initiated_event_id);
            }
            Some(A::ChildWorkflowExecutionTerminatedEventAttributes(a)) => {
                a.started_event_id = child(a.initiated_event_id);
            }
            _ => {}
        }
    }

    pub(crate) fn savepoint(&self) -> Savepoint {
        let s = &*self.state;
        Savepoint {
            core: s.core.clone(),
            volatile: s.volatile.clone(),
            updates: self.updates.clone(),
            marks: [
                s.activities.mark(),
                s.activity_ids.mark(),
                s.timers.mark(),
                s.children.mark(),
                s.external_signals.mark(),
                s.external_cancels.mark(),
                s.outbox.mark(),
                s.request_ids.mark(),
                s.updates.mark(),
                s.completed_updates.mark(),
                s.nexus_operations.mark(),
                s.callbacks.mark(),
            ],
            history_len: self.history.len(),
            event_count: self.event_count,
            changes: self.changes.len(),
            effects: self.effects.len(),
            row_changed: self.row_changed,
            task_id: self.now.task_id,
        }
    }

    /// Takes the step back to a savepoint.
    pub(crate) fn undo_to(&mut self, to: Savepoint) {
        let s = &mut *self.state;
        s.core = to.core;
        s.volatile = to.volatile;
        s.activities.undo_to(to.marks[0]);
        s.activity_ids.undo_to(to.marks[1]);
        s.timers.undo_to(to.marks[2]);
        s.children.undo_to(to.marks[3]);
        s.external_signals.undo_to(to.marks[4]);
        s.external_cancels.undo_to(to.marks[5]);
        s.outbox.undo_to(to.marks[6]);
        s.request_ids.undo_to(to.marks[7]);
        s.updates.undo_to(to.marks[8]);
        s.completed_updates.undo_to(to.marks[9]);
        self.updates = to.updates;
        s.nexus_operations.undo_to(to.marks[10]);
        s.callbacks.undo_to(to.marks[11]);
        self.history.truncate(to.history_len);
        self.event_count = to.event_count;
        self.changes.truncate(to.changes);
        self.effects.truncate(to.effects);
        self.row_changed = to.row_changed;
        self.now.task_id = to.task_id;
        self.successor = None;
    }

    fn undo_all(&mut self) {
        let start = Savepoint {
            core: self.saved.clone(),
            volatile: self.saved_volatile.clone(),
            updates: Vec::new(),
            marks: [0; 12],
            history_len: 0,
            event_count: 0,
            changes: 0,
            effects: 0,
            row_changed: false,
            task_id: self.now.task_id,
        };
        self.undo_to(start);
    }

    /// Ends the step with a refusal: nothing has changed.
    pub(crate) fn reject(mut self, rejection: Rejection) -> Result<Transition, Rejection> {
        self.undo_all();
        Err(rejection)
    }

    /// Ends the step.
    pub(crate) fn done(self, reply: Reply) -> Result<Transition, Rejection> {
        Ok(self.finish(Ok(reply)))
    }

    /// Ends the step with an answer that may be a refusal although something was recorded.
    pub(crate) fn finish(mut self, reply: Result<Reply, Rejection>) -> Transition {
        let reply = match (self.enforce_history_limits(), reply) {
            (None, reply) => reply,
            // What the sender's message was to do was dropped with the rest.
            (Some(_), Ok(Reply::PeerAnswer(_))) => Ok(Reply::PeerAnswer(PeerAnswer::NotFound)),
            (Some(reason), _) => Err(Rejection::invalid(reason)),
        };
        if self.was_open && self.state.is_open() {
            let before = self.saved.clone();
            super::versioning::follow_version(&mut self, &before);
            if self.event_count > 0 || !self.changes.is_empty() {
                time_skipping::skip(&mut self);
            }
        }
        self.send_new_messages();
        let closed_now = self.was_open && !self.state.is_open();
        if closed_now {
            update::close(&mut self);
            self.effects.push(Effect::WithdrawAll);
        }
        let reported = index_row::reports_problems(&self.saved)
            != index_row::reports_problems(&self.state.core);
        let paused = self.saved.paused_activities != self.state.core.paused_activities
            || self.saved.status != self.state.core.status
            || index_row::builds(&self.saved) != index_row::builds(&self.state.core);
        let moved = self.saved.versioning != self.state.core.versioning;
        let record = self.take_record();
        if record.is_some() {
            self.state.core.seq += 1;
        }
        self.state.keep();
        Transition {
            record,
            reply,
            effects: self.effects,
            row_changed: self.row_changed || closed_now || reported || paused || moved,
            successor: self.successor,
            updates: self.updates,
        }
    }

    /// Messages that were queued before this step go out with it, too.
    pub(crate) fn send_all_messages(&mut self) {
        self.outbox_from = 0;
    }

    /// The first record of a new run.
    pub(crate) fn into_new_run_parts(mut self) -> (Record, Vec<Effect>) {
        time_skipping::skip(&mut self);
        self.send_new_messages();
        let record = self.take_record().unwrap_or_default();
        self.state.core.seq += 1;
        self.state.keep();
        (record, self.effects)
    }

    /// The bytes of event 1 of a new run, which `State::create` has folded already.
    pub(crate) fn adopt_first_event(&mut self, event: &HistoryEvent) {
        self.append(event);
    }

    fn append(&mut self, event: &HistoryEvent) {
        if self.history.is_empty() {
            // As much as most steps need; the record is encoded to its exact size.
            self.history.reserve(1024);
        }
        prost::encoding::message::encode(1, event, &mut self.history);
        self.event_count += 1;
    }

    fn take_record(&mut self) -> Option<Record> {
        if self.event_count == 0 && self.changes.is_empty() {
            return None;
        }
        Some(Record {
            history: std::mem::take(&mut self.history).into(),
            changes: std::mem::take(&mut self.changes),
            time: self.time().0,
        })
    }

    /// A run over its history limits is terminated; what went over is dropped (behaviour, section 3.2).
    /// Returns the reason if so.
    fn enforce_history_limits(&mut self) -> Option<&'static str> {
        if self.event_count == 0 || !self.was_open || !self.state.is_open() {
            return None;
        }
        let limits = self.env.limits;
        let reason = if self.state.last_event_id() > limits.history_count_error {
            "Workflow history count exceeds limit."
        } else if self.state.core.history_size > limits.history_size_error {
            "Workflow history size exceeds limit."
        } else {
            return None;
        };
        self.undo_all();
        self.force_terminate(reason);
        Some(reason)
    }

    /// Terminates the run on the server's own account.
    pub(crate) fn force_terminate(&mut self, reason: &str) {
        super::close::fail_started_task_for_close(self);
        self.write(Attributes::WorkflowExecutionTerminatedEventAttributes(
            WorkflowExecutionTerminatedEventAttributes {
                reason: reason.to_owned(),
                details: None,
                identity: SERVER_IDENTITY.to_owned(),
            },
        ));
    }

    /// Too much waits for a started workflow task: the task fails, so that the workflow sees what
    /// waits (behaviour, section 3.2).
    pub(crate) fn enforce_buffer_limits(&mut self) {
        let (core, limits) = (&self.state.core, self.env.limits);
        if core.buffered.len() > limits.buffered_events_max
            || core.buffered_size > limits.buffered_size_max
        {
            super::close::fail_started_task_for_close(self);
            self.follow_ended_task(1);
        }
    }

    /// Effects for the messages that this step queued.
    fn send_new_messages(&mut self) {
        let from = self.outbox_from;
        let new: Vec<(u64, OutboxEntry)> = self
            .state
            .outbox
            .from_key(&from)
            .map(|(seq, entry)| (*seq, entry.clone()))
            .collect();
        for (seq, entry) in new {
            self.effects
                .extend(super::peer::message(self.state, seq, &entry).map(Effect::Send));
        }
    }
}

/// Results of activities, children and Nexus operations: they go last at a flush.
fn is_result(event: &HistoryEvent) -> bool {
    matches!(
        EventType::try_from(event.event_type),
        Ok(EventType::ActivityTaskCompleted
            | EventType::ActivityTaskFailed
            | EventType::ActivityTaskTimedOut
            | EventType::ActivityTaskCanceled
            | EventType::ChildWorkflowExecutionCompleted
            | EventType::ChildWorkflowExecutionFailed
            | EventType::ChildWorkflowExecutionTimedOut
            | EventType::ChildWorkflowExecutionCanceled
            | EventType::ChildWorkflowExecutionTerminated
            | EventType::NexusOperationCompleted
            | EventType::NexusOperationFailed
            | EventType::NexusOperationCanceled
            | EventType::NexusOperationTimedOut)
    )
}

/// The queue of the next workflow task as its scheduled event shows it.
pub(crate) fn workflow_task_queue(state: &State) -> TaskQueue {
    let normal = state.core.start.task_queue.to_string();
    match &state.core.sticky {
        Some(sticky) => TaskQueue {
            name: sticky.queue.to_string(),
            kind: TaskQueueKind::Sticky as i32,
            normal_name: normal,
        },
        None => TaskQueue {
            name: normal,
            kind: TaskQueueKind::Normal as i32,
            normal_name: String::new(),
        },
    }
}

/// The reference to an activity's attempt that workers may have.
pub(crate) fn activity_offer(
    state: &State,
    scheduled_event_id: EventId,
    activity: &Activity,
) -> ActivityTaskOffer {
    let priority = priority::in_effect(activity.scheduled.priority.as_ref(), state);
    ActivityTaskOffer {
        task_queue: activity.task_queue().into(),
        scheduled_event_id,
        attempt: activity.attempt,
        stamp: activity.stamp,
        scheduled_time: state.clock_time(activity.scheduled_time),
        priority: priority::for_matching(priority.as_ref()),
        directive: state.directive(),
    }
}
