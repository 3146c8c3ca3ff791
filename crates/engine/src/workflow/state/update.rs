//! Updates of a run (behaviour, sections 7.2 and 7.3). What history knows of them is durable: that they
//! are accepted, and where their outcomes are. An update that is only admitted is known in memory: whoever
//! sent it sends it again.

use std::sync::Arc;

use proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionOptionsUpdatedEventAttributes,
    WorkflowExecutionUpdateAcceptedEventAttributes, WorkflowExecutionUpdateAdmittedEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
};
use proto::temporal::api::update::v1::Request;

use super::apply::event_time;
use super::{State, table};
use crate::ids::EventId;
use crate::time::Timestamp;

/// An update that history knows and that has no outcome yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingUpdate {
    /// An event admitted it, with its request: a reset has carried it over from an earlier run.
    Admitted(EventId),
    /// The workflow has accepted it, by this event.
    Accepted(EventId),
}

/// An update that has its outcome: the event that tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedUpdate(pub EventId);

impl table::Entry for PendingUpdate {
    fn due(&self) -> Option<Timestamp> {
        None
    }
    fn ready(&self) -> bool {
        false
    }
}

impl table::Entry for CompletedUpdate {
    fn due(&self) -> Option<Timestamp> {
        None
    }
    fn ready(&self) -> bool {
        false
    }
}

/// An update that waits to be accepted or rejected. Known in memory only.
#[derive(Clone, Debug)]
pub struct AdmittedUpdate {
    /// The caller's id for it.
    pub id: Arc<str>,
    /// What to send the worker; `None` when an event in history tells it.
    pub request: Option<Arc<Request>>,
    /// Bytes of id and request.
    pub size: usize,
    /// A worker has it, or had it before its task failed.
    pub sent: bool,
    /// Requests of others who wait for its end, too.
    pub attached: Vec<Arc<Request>>,
}

impl State {
    /// The update of this id that waits to be accepted or rejected.
    pub(crate) fn admitted_update(&self, id: &str) -> Option<&AdmittedUpdate> {
        self.volatile.admitted.iter().find(|u| *u.id == *id)
    }

    /// Updates without an outcome.
    pub(crate) fn updates_in_flight(&self) -> usize {
        // Those that an event admitted are in memory and in the table.
        let only_in_memory = self.volatile.admitted.iter();
        let only_in_memory = only_in_memory.filter(|u| u.request.is_some()).count();
        only_in_memory + self.updates.len()
    }

    /// Updates that this run has had, rejected ones left out.
    pub(crate) fn updates_total(&self) -> usize {
        self.updates_in_flight() + self.completed_updates.len()
    }

    /// An update that only an event in history tells of must be answered by the worker, too.
    pub(crate) fn expect_admitted(&mut self, id: Arc<str>) {
        self.volatile.admitted.push(AdmittedUpdate {
            size: id.len(),
            id,
            request: None,
            sent: false,
            attached: Vec::new(),
        });
    }

    pub(crate) fn forget_admitted(&mut self, id: &str) {
        self.volatile.admitted.retain(|u| *u.id != *id);
    }

    pub(super) fn update_admitted(
        &mut self,
        event: &HistoryEvent,
        a: &WorkflowExecutionUpdateAdmittedEventAttributes,
    ) {
        let Some(request) = &a.request else { return };
        let id: Arc<str> = update_id(request).into();
        self.note_request_id(&request.request_id, event.event_type, event.event_id);
        self.callbacks_of(request, event);
        self.updates
            .insert(id.clone(), PendingUpdate::Admitted(event.event_id));
        self.expect_admitted(id);
    }

    pub(super) fn update_accepted(
        &mut self,
        event: &HistoryEvent,
        a: &WorkflowExecutionUpdateAcceptedEventAttributes,
    ) {
        self.forget_admitted(&a.protocol_instance_id);
        let id = a.protocol_instance_id.as_str().into();
        self.updates
            .insert(id, PendingUpdate::Accepted(event.event_id));
        if let Some(request) = &a.accepted_request {
            self.note_request_id(&request.request_id, event.event_type, event.event_id);
            self.callbacks_of(request, event);
        }
    }

    fn callbacks_of(&mut self, request: &Request, event: &HistoryEvent) {
        let at = event_time(event);
        let (callbacks, request_id) = (&request.completion_callbacks, &request.request_id);
        self.register_update_callbacks(update_id(request), callbacks, request_id, at);
    }

    /// Somebody else waits for an update's end, too. `event_id` is 0 while the event waits in the buffer.
    pub(super) fn update_options_updated(
        &mut self,
        a: &WorkflowExecutionOptionsUpdatedEventAttributes,
        event: &HistoryEvent,
        event_id: EventId,
    ) {
        for update in &a.workflow_update_options {
            let request_id = &update.attached_request_id;
            self.note_request_id(request_id, event.event_type, event_id);
            self.register_update_callbacks(
                &update.update_id,
                &update.attached_completion_callbacks,
                request_id,
                event_time(event),
            );
        }
    }

    pub(super) fn update_completed(
        &mut self,
        event: &HistoryEvent,
        a: &WorkflowExecutionUpdateCompletedEventAttributes,
    ) {
        let id: Arc<str> = a.meta.as_ref().map_or("", |meta| &meta.update_id).into();
        if let Some(outcome) = &a.outcome {
            self.release_update_callbacks(&id, outcome, event_time(event));
        }
        self.updates.remove(&id);
        self.completed_updates
            .insert(id, CompletedUpdate(event.event_id));
    }
}

/// The id of a request's update.
pub(crate) fn update_id(request: &Request) -> &str {
    request.meta.as_ref().map_or("", |meta| &meta.update_id)
}
