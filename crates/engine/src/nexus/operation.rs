//! A Nexus operation that somebody waits for: scheduled, started, being asked to stop. A workflow has many; a
//! standalone one is an execution of its own.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::enums::v1::{
    NexusOperationCancellationState, PendingNexusOperationState, TimeoutType,
};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::NexusOperationScheduledEventAttributes;

use crate::ids::EventId;
use crate::time::{Timestamp, duration};

/// An operation between its scheduled event and its result.
#[derive(Clone, Debug)]
pub struct NexusOperation {
    /// The attributes of NEXUS_OPERATION_SCHEDULED, or what would be those.
    pub scheduled: Arc<NexusOperationScheduledEventAttributes>,
    /// When that event was recorded.
    pub scheduled_time: Timestamp,
    /// Requests to start or to cancel it.
    pub start: Asking,
    /// The handler has started it, at this time.
    pub started: Option<Timestamp>,
    /// The handler's name for it, empty until it is started.
    pub operation_token: Arc<str>,
    /// The caller wants it to stop.
    pub cancellation: Option<Cancellation>,
    /// Its result waits in the buffer: nothing more can happen to it.
    pub closing: bool,
}

/// A request that is made until it is answered.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Attempts that have ended.
    pub attempt: i32,
    /// When the next one is or was due.
    pub due: Timestamp,
    /// When the last one ended.
    pub last_complete_time: Option<Timestamp>,
    /// How it ended, if not well.
    pub last_failure: Option<Arc<Failure>>,
    /// It is under way. In memory only.
    pub under_way: bool,
}

/// The caller's wish that an operation stops.
#[derive(Clone, Debug, PartialEq)]
pub struct Cancellation {
    /// NEXUS_OPERATION_CANCEL_REQUESTED; 0 without a workflow.
    pub requested_event_id: EventId,
    /// When it could first be passed on: the operation has to be started.
    pub requested_time: Option<Timestamp>,
    /// The requests that pass it on.
    pub asking: Asking,
    /// The handler has taken it, or has refused it for good.
    pub taken: Option<bool>,
}

impl Asking {
    /// Not asked yet, and due at a time.
    pub fn new(due: Timestamp) -> Self {
        Self {
            attempt: 0,
            due,
            last_complete_time: None,
            last_failure: None,
            under_way: false,
        }
    }

    /// An attempt has ended.
    pub(crate) fn ended(&mut self, at: Timestamp, failure: Option<Failure>) {
        self.attempt += 1;
        self.last_complete_time = Some(at);
        self.last_failure = failure.map(Arc::new);
        self.under_way = false;
    }

    /// An attempt has ended, and another is due.
    pub(crate) fn failed(&mut self, at: Timestamp, failure: Option<Failure>, next: Timestamp) {
        self.ended(at, failure);
        self.due = next;
    }

    /// When it wants to be made, unless it is under way.
    pub(crate) fn wanted(&self) -> Option<Timestamp> {
        (!self.under_way).then_some(self.due)
    }

    /// It waits between two attempts.
    pub(crate) fn backs_off(&self, now: Timestamp) -> bool {
        self.attempt > 0 && !self.under_way && self.due > now
    }
}

impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        // Everything but `under_way`, which a restart forgets.
        self.attempt == other.attempt
            && self.due == other.due
            && self.last_complete_time == other.last_complete_time
            && self.last_failure == other.last_failure
    }
}

impl PartialEq for NexusOperation {
    fn eq(&self, other: &Self) -> bool {
        self.scheduled == other.scheduled
            && self.scheduled_time == other.scheduled_time
            && self.start == other.start
            && self.started == other.started
            && self.operation_token == other.operation_token
            && self.cancellation == other.cancellation
            && self.closing == other.closing
    }
}

impl Cancellation {
    /// The handler has not answered, and can be asked.
    pub fn is_pending(&self) -> bool {
        self.taken.is_none() && self.requested_time.is_some()
    }

    /// As clients see it.
    pub(crate) fn state(&self, now: Timestamp) -> NexusOperationCancellationState {
        use NexusOperationCancellationState as Shown;
        match self.taken {
            Some(true) => Shown::Succeeded,
            Some(false) => Shown::Failed,
            None if !self.is_pending() => Shown::Unspecified,
            None if self.asking.backs_off(now) => Shown::BackingOff,
            None => Shown::Scheduled,
        }
    }
}

impl NexusOperation {
    /// One that nobody was asked for yet.
    pub fn new(scheduled: Arc<NexusOperationScheduledEventAttributes>, at: Timestamp) -> Self {
        Self {
            scheduled,
            scheduled_time: at,
            start: Asking::new(at),
            started: None,
            operation_token: "".into(),
            cancellation: None,
            closing: false,
        }
    }

    /// The handler has started it. Whoever says so twice changes nothing.
    pub(crate) fn apply_started(&mut self, token: &str, at: Timestamp) {
        if self.started.is_some() {
            return;
        }
        self.start.ended(at, None);
        self.started = Some(at);
        self.operation_token = token.into();
        if let Some(cancellation) = &mut self.cancellation {
            cancellation.requested_time = Some(at);
            cancellation.asking = Asking::new(at);
        }
    }

    /// The caller wants it to stop.
    pub(crate) fn apply_cancel_requested(&mut self, requested_event_id: EventId, at: Timestamp) {
        self.cancellation = Some(Cancellation {
            requested_event_id,
            requested_time: self.started.map(|_| at),
            asking: Asking::new(at),
            taken: None,
        });
    }

    /// The handler has taken a cancellation, or has refused it for good.
    pub(crate) fn apply_cancel_ended(&mut self, at: Timestamp, failure: Option<Failure>) {
        if let Some(cancellation) = &mut self.cancellation
            && cancellation.taken.is_none()
        {
            cancellation.taken = Some(failure.is_none());
            cancellation.asking.ended(at, failure);
        }
    }

    /// A request was not carried out, and is to be made again.
    pub(crate) fn apply_attempt_failed(
        &mut self,
        cancel: bool,
        failure: Option<Failure>,
        at: Timestamp,
        next: Timestamp,
    ) {
        let asking = if cancel {
            self.cancellation.as_mut().map(|c| &mut c.asking)
        } else {
            Some(&mut self.start)
        };
        if let Some(asking) = asking {
            asking.failed(at, failure, next);
        }
    }

    /// As clients see it.
    pub(crate) fn state(&self, now: Timestamp) -> PendingNexusOperationState {
        match self.started {
            Some(_) => PendingNexusOperationState::Started,
            None if self.start.backs_off(now) => PendingNexusOperationState::BackingOff,
            None => PendingNexusOperationState::Scheduled,
        }
    }

    /// When it must be looked at next, if ever.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if self.closing {
            return None;
        }
        let start = match self.started {
            None => self.start.wanted(),
            Some(_) => None,
        };
        let cancel = self.cancellation.as_ref().filter(|c| c.is_pending());
        [
            start,
            cancel.and_then(|c| c.asking.wanted()),
            self.schedule_to_close_at(),
            self.schedule_to_start_at(),
            self.start_to_close_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Until when it must have its result.
    pub fn schedule_to_close_at(&self) -> Option<Timestamp> {
        let span = duration(self.scheduled.schedule_to_close_timeout.as_ref());
        after(self.scheduled_time, span)
    }

    /// Until when it must be started; past that, `None`.
    pub fn schedule_to_start_at(&self) -> Option<Timestamp> {
        if self.started.is_some() {
            return None;
        }
        let span = duration(self.scheduled.schedule_to_start_timeout.as_ref());
        after(self.scheduled_time, span)
    }

    /// Until when what was started must have its result.
    pub fn start_to_close_at(&self) -> Option<Timestamp> {
        let span = duration(self.scheduled.start_to_close_timeout.as_ref());
        after(self.started?, span)
    }

    /// The timeout that has run out, if one has.
    pub(crate) fn timed_out(&self, now: Timestamp) -> Option<TimeoutType> {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if is_due(self.schedule_to_close_at()) {
            Some(TimeoutType::ScheduleToClose)
        } else if is_due(self.schedule_to_start_at()) {
            Some(TimeoutType::ScheduleToStart)
        } else if is_due(self.start_to_close_at()) {
            Some(TimeoutType::StartToClose)
        } else {
            None
        }
    }

    /// A request is with the handler.
    pub fn is_under_way(&self) -> bool {
        let cancel = self.cancellation.as_ref();
        !self.closing
            && ((self.started.is_none() && self.start.under_way)
                || cancel.is_some_and(|c| c.is_pending() && c.asking.under_way))
    }
}

fn after(from: Timestamp, span: Duration) -> Option<Timestamp> {
    (!span.is_zero()).then(|| from.after(span))
}
