//! What events and changes do to Nexus operations and to callbacks: a part of the fold.

use std::sync::Arc;

use proto::temporal::api::common::v1::Callback as WireCallback;
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::history::v1::{
    HistoryEvent, NexusOperationScheduledEventAttributes, NexusOperationStartedEventAttributes,
};

use proto::temporal::api::update::v1::Outcome;

use super::State;
use super::callback::{Callback, Phase};
use super::nexus_operation::{Asking, NexusOperation};
use super::outbox::OutboxEntry;
use crate::ids::EventId;
use crate::nexus::callback::{CallbackToken, TOKEN_HEADER};
use crate::nexus::failure::handler_failure;
use crate::time::Timestamp;
use crate::workflow::record::{CallbackAttempted, NexusAttemptFailed};
use crate::workflow::state::apply::event_time;
use crate::workflow::update::cut_off_outcome;

impl State {
    /// Folds an event about a Nexus operation; others do nothing here.
    pub(super) fn apply_nexus_event(&mut self, event: &HistoryEvent) {
        let Some(attributes) = &event.attributes else {
            return;
        };
        match attributes {
            A::NexusOperationScheduledEventAttributes(a) => self.nexus_scheduled(event, a),
            A::NexusOperationStartedEventAttributes(a) => self.nexus_started(a, event_time(event)),
            A::NexusOperationCancelRequestedEventAttributes(a) => {
                self.nexus_cancel_requested(event, a.scheduled_event_id);
            }
            A::NexusOperationCancelRequestCompletedEventAttributes(a) => {
                self.nexus_cancel_ended(a.scheduled_event_id, event_time(event), None);
            }
            A::NexusOperationCancelRequestFailedEventAttributes(a) => {
                let failure = Some(a.failure.clone().unwrap_or_default());
                self.nexus_cancel_ended(a.scheduled_event_id, event_time(event), failure);
            }
            A::NexusOperationCompletedEventAttributes(a) => {
                self.nexus_closed(event, a.scheduled_event_id);
            }
            A::NexusOperationFailedEventAttributes(a) => {
                self.nexus_closed(event, a.scheduled_event_id);
            }
            A::NexusOperationCanceledEventAttributes(a) => {
                self.nexus_closed(event, a.scheduled_event_id);
            }
            A::NexusOperationTimedOutEventAttributes(a) => {
                self.nexus_closed(event, a.scheduled_event_id);
            }
            _ => {}
        }
    }

    /// An event about a Nexus operation waits in the buffer: what it does to the operation it does now.
    pub(super) fn buffer_nexus_event(&mut self, event: &HistoryEvent) {
        let closing = match &event.attributes {
            Some(A::NexusOperationCompletedEventAttributes(a)) => a.scheduled_event_id,
            Some(A::NexusOperationFailedEventAttributes(a)) => a.scheduled_event_id,
            Some(A::NexusOperationCanceledEventAttributes(a)) => a.scheduled_event_id,
            Some(A::NexusOperationTimedOutEventAttributes(a)) => a.scheduled_event_id,
            _ => {
                self.apply_nexus_event(event);
                return;
            }
        };
        self.nexus_operations
            .update(&closing, |operation| operation.closing = true);
    }

    fn nexus_scheduled(
        &mut self,
        event: &HistoryEvent,
        a: &NexusOperationScheduledEventAttributes,
    ) {
        let operation = NexusOperation::new(Arc::new(a.clone()), event_time(event));
        self.nexus_operations.insert(event.event_id, operation);
    }

    /// Comes twice when it was buffered: the second time it changes nothing.
    fn nexus_started(&mut self, a: &NexusOperationStartedEventAttributes, at: Timestamp) {
        self.nexus_operations
            .update(&a.scheduled_event_id, |operation| {
                operation.apply_started(&a.operation_token, at);
            });
    }

    fn nexus_cancel_requested(&mut self, event: &HistoryEvent, id: EventId) {
        let at = event_time(event);
        self.nexus_operations.update(&id, |operation| {
            operation.apply_cancel_requested(event.event_id, at);
        });
    }

    fn nexus_cancel_ended(
        &mut self,
        id: EventId,
        at: Timestamp,
        failure: Option<proto::temporal::api::failure::v1::Failure>,
    ) {
        self.nexus_operations.update(&id, |operation| {
            operation.apply_cancel_ended(at, failure);
        });
    }

    /// What was started is remembered by its request id: its result may be brought twice.
    fn nexus_closed(&mut self, event: &HistoryEvent, id: EventId) {
        if let Some(operation) = self.nexus_operations.remove(&id)
            && operation.started.is_some()
        {
            let request_id = &operation.scheduled.request_id;
            self.note_request_id(request_id, event.event_type, event.event_id);
        }
    }

    pub(super) fn nexus_attempt_failed(&mut self, failed: &NexusAttemptFailed) {
        self.nexus_operations
            .update(&failed.scheduled_event_id, |operation| {
                operation.apply_attempt_failed(
                    failed.cancel,
                    failed.failure.clone(),
                    Timestamp(failed.ended_time),
                    Timestamp(failed.next_time),
                );
            });
    }

    /// Callbacks that wait for the end of the chain.
    pub(super) fn register_callbacks(
        &mut self,
        callbacks: &[WireCallback],
        request_id: &str,
        at: Timestamp,
    ) {
        self.register(callbacks, request_id, None, at);
    }

    /// Callbacks that wait for the end of an update.
    pub(super) fn register_update_callbacks(
        &mut self,
        update_id: &str,
        callbacks: &[WireCallback],
        request_id: &str,
        at: Timestamp,
    ) {
        self.register(callbacks, request_id, Some(update_id), at);
    }

    /// Callbacks of a request; those of a request that was seen before are known.
    fn register(
        &mut self,
        callbacks: &[WireCallback],
        request_id: &str,
        update: Option<&str>,
        at: Timestamp,
    ) {
        let is_known = |known: &Callback| {
            *known.request_id == *request_id && known.update.as_deref() == update
        };
        if callbacks.is_empty() || self.callbacks.iter().any(|(_, known)| is_known(known)) {
            return;
        }
        for callback in callbacks {
            let callback = Callback {
                callback: Arc::new(callback.clone()),
                request_id: request_id.into(),
                registration_time: at,
                phase: Phase::Standby,
                asking: Asking::new(at),
                update: update.map(Into::into),
                outcome: None,
            };
            self.callbacks.insert(self.callbacks.len() as u64, callback);
        }
    }

    /// The chain has ended: everybody who waits for that is told.
    pub(super) fn release_callbacks(&mut self, at: Timestamp) {
        self.release(|callback| callback.update.is_none(), None, at);
    }

    /// An update has ended: everybody who waits for that is told.
    pub(super) fn release_update_callbacks(&mut self, id: &str, outcome: &Outcome, at: Timestamp) {
        let of_update = |callback: &Callback| callback.update.as_deref() == Some(id);
        self.release(of_update, Some(outcome), at);
    }

    /// The run has ended, and with it the updates that it has accepted.
    pub(super) fn cut_off_update_callbacks(&mut self, at: Timestamp) {
        let outcome = cut_off_outcome();
        self.release(|callback| callback.update.is_some(), Some(&outcome), at);
    }

    fn release(
        &mut self,
        which: impl Fn(&Callback) -> bool,
        outcome: Option<&Outcome>,
        at: Timestamp,
    ) {
        let waiting: Vec<(u64, bool, bool)> = self
            .callbacks
            .iter()
            .filter(|(_, callback)| callback.phase == Phase::Standby && which(callback))
            .map(|(index, callback)| {
                let header = callback.nexus().and_then(|n| n.header.get(TOKEN_HEADER));
                let token = header.and_then(|text| CallbackToken::decode_header(text));
                (*index, callback.is_internal(), token.is_some())
            })
            .collect();
        let outcome = outcome.map(|outcome| Arc::new(outcome.clone()));
        for (index, internal, known) in waiting {
            self.callbacks.update(&index, |callback| {
                callback.asking = Asking::new(at);
                callback.outcome.clone_from(&outcome);
                if internal && !known {
                    let failure = handler_failure("BAD_REQUEST", "invalid callback token");
                    callback.phase = Phase::Failed;
                    callback.asking.ended(at, Some(failure));
                } else {
                    callback.phase = Phase::Pending;
                }
            });
            if internal && known {
                self.post(OutboxEntry::Callback(index));
            }
        }
    }

    pub(super) fn callback_attempted(&mut self, attempted: &CallbackAttempted) {
        self.callbacks.update(&attempted.index, |callback| {
            let at = Timestamp(attempted.ended_time);
            callback.asking.ended(at, attempted.failure.clone());
            callback.asking.due = Timestamp(attempted.next_time);
            callback.phase = match (attempted.succeeded, attempted.next_time) {
                (true, _) => Phase::Succeeded,
                (false, 0) => Phase::Failed,
                (false, _) => Phase::Pending,
            };
        });
    }
}
