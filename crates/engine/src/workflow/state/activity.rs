//! A pending activity: scheduled, started, waiting for its next attempt.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::{Payloads, RetryPolicy};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::ActivityTaskScheduledEventAttributes;

use crate::ids::EventId;
use crate::time::{Timestamp, duration};

/// An activity between its scheduled and its close event.
#[derive(Clone, Debug)]
pub struct Activity {
    /// The attributes of ACTIVITY_TASK_SCHEDULED: type, input, queue.
    pub scheduled: Arc<ActivityTaskScheduledEventAttributes>,
    /// When the event was recorded.
    pub first_scheduled_time: Timestamp,
    /// The timeouts as normalised (behaviour, section 5.1); zero is none.
    pub timeouts: Timeouts,
    /// From 1.
    pub attempt: i32,
    /// When the current attempt is or was ready.
    pub scheduled_time: Timestamp,
    /// The current attempt is with a worker.
    pub started: Option<AttemptStarted>,
    /// The last heartbeat's time and details; details survive retries.
    pub heartbeat_time: Option<Timestamp>,
    /// Progress.
    pub heartbeat_details: Option<Arc<Payloads>>,
    /// How the previous attempt ended.
    pub last_failure: Option<Arc<Failure>>,
    /// Who had the previous attempt.
    pub last_identity: Arc<str>,
    /// When the previous attempt ended.
    pub last_ended_time: Option<Timestamp>,
    /// The ACTIVITY_TASK_CANCEL_REQUESTED event, 0 if none.
    pub cancel_requested_event_id: EventId,
    /// Its close waits in the buffer: nothing more can happen to it.
    pub closing: bool,
    /// An operator has paused it: no further attempt is handed out, and no timeout counts.
    pub pause: Option<Arc<Pause>>,
    /// The whole run is paused: no further attempt is handed out.
    pub held: bool,
    /// An operator has reset it while this attempt was with a worker, who is told so.
    pub reset: bool,
    /// With that, its progress is forgotten once this attempt ends.
    pub reset_heartbeat: bool,
    /// Raised whenever what was offered before is not to be taken any more.
    pub stamp: i32,
    /// The options that it was scheduled with, once an operator has changed them.
    pub original_options: Option<Arc<ActivityOptions>>,
    /// A ready attempt was offered to matching. In memory only.
    pub offered: bool,
}

/// An operator's pause.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// Since when.
    pub time: Timestamp,
    /// Who.
    pub identity: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// The request, by which its repeat is recognised.
    pub request_id: Arc<str>,
}

/// An attempt with a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptStarted {
    /// When.
    pub time: Timestamp,
    /// The worker.
    pub identity: Arc<str>,
    /// The claim.
    pub request_id: Arc<str>,
}

/// An activity's timeouts; zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Over all attempts, from the first schedule.
    pub schedule_to_close: Duration,
    /// Of one attempt, from its schedule.
    pub schedule_to_start: Duration,
    /// Of one attempt, from its start.
    pub start_to_close: Duration,
    /// Between heartbeats.
    pub heartbeat: Duration,
}

impl Timeouts {
    /// Those of a scheduled event.
    pub(crate) fn of(scheduled: &ActivityTaskScheduledEventAttributes) -> Self {
        Self {
            schedule_to_close: duration(scheduled.schedule_to_close_timeout.as_ref()),
            schedule_to_start: duration(scheduled.schedule_to_start_timeout.as_ref()),
            start_to_close: duration(scheduled.start_to_close_timeout.as_ref()),
            heartbeat: duration(scheduled.heartbeat_timeout.as_ref()),
        }
    }
}

impl PartialEq for Activity {
    fn eq(&self, other: &Self) -> bool {
        // Everything but `offered`, which a restart forgets.
        self.scheduled == other.scheduled
            && self.first_scheduled_time == other.first_scheduled_time
            && self.timeouts == other.timeouts
            && self.attempt == other.attempt
            && self.scheduled_time == other.scheduled_time
            && self.started == other.started
            && self.heartbeat_time == other.heartbeat_time
            && self.heartbeat_details == other.heartbeat_details
            && self.last_failure == other.last_failure
            && self.last_identity == other.last_identity
            && self.last_ended_time == other.last_ended_time
            && self.cancel_requested_event_id == other.cancel_requested_event_id
            && self.closing == other.closing
            && self.pause == other.pause
            && self.held == other.held
            && self.reset == other.reset
            && self.reset_heartbeat == other.reset_heartbeat
            && self.stamp == other.stamp
            && self.original_options == other.original_options
    }
}

impl Activity {
    /// Its retry policy; the server fills one in for every activity.
    pub fn retry_policy(&self) -> Option<&RetryPolicy> {
        self.scheduled.retry_policy.as_ref()
    }

    /// Whether an attempt may be handed out once its time has come.
    pub fn may_start(&self) -> bool {
        self.started.is_none() && !self.closing && self.pause.is_none() && !self.held
    }

    /// Whether it waits for the time of another attempt.
    pub(crate) fn backs_off(&self) -> bool {
        self.attempt > 1 && self.may_start()
    }

    /// Its queue's name.
    pub fn task_queue(&self) -> &str {
        let queue = self.scheduled.task_queue.as_ref();
        queue.map_or("", |queue| &queue.name)
    }

    /// The type's name.
    pub fn type_name(&self) -> &str {
        let kind = self.scheduled.activity_type.as_ref();
        kind.map_or("", |kind| &kind.name)
    }

    /// The options in force.
    pub fn options(&self) -> ActivityOptions {
        let scheduled = &self.scheduled;
        ActivityOptions {
            task_queue: scheduled.task_queue.clone(),
            schedule_to_close_timeout: scheduled.schedule_to_close_timeout,
            schedule_to_start_timeout: scheduled.schedule_to_start_timeout,
            start_to_close_timeout: scheduled.start_to_close_timeout,
            heartbeat_timeout: scheduled.heartbeat_timeout,
            retry_policy: scheduled.retry_policy.clone(),
            priority: scheduled.priority.clone(),
            ..ActivityOptions::default()
        }
    }

    /// Puts other options in force.
    pub(crate) fn set_options(&mut self, options: &ActivityOptions) {
        let scheduled = Arc::make_mut(&mut self.scheduled);
        scheduled.task_queue.clone_from(&options.task_queue);
        scheduled.schedule_to_close_timeout = options.schedule_to_close_timeout;
        scheduled.schedule_to_start_timeout = options.schedule_to_start_timeout;
        scheduled.start_to_close_timeout = options.start_to_close_timeout;
        scheduled.heartbeat_timeout = options.heartbeat_timeout;
        scheduled.retry_policy.clone_from(&options.retry_policy);
        scheduled.priority.clone_from(&options.priority);
        self.timeouts = Timeouts::of(scheduled);
    }

    /// When schedule-to-close runs out.
    pub fn expires_at(&self) -> Option<Timestamp> {
        deadline(self.first_scheduled_time, self.timeouts.schedule_to_close)
    }

    /// When the current attempt waits for a worker too long. Not armed during a retry's back-off.
    pub fn schedule_to_start_at(&self) -> Option<Timestamp> {
        deadline(self.scheduled_time, self.timeouts.schedule_to_start)
    }

    /// When the current attempt has run too long.
    pub fn start_to_close_at(&self) -> Option<Timestamp> {
        deadline(self.started.as_ref()?.time, self.timeouts.start_to_close)
    }

    /// When the current attempt has been silent too long: from the later of start and last heartbeat.
    pub fn heartbeat_at(&self) -> Option<Timestamp> {
        let started = self.started.as_ref()?.time;
        deadline(
            started.max(self.heartbeat_time.unwrap_or(started)),
            self.timeouts.heartbeat,
        )
    }
}

fn deadline(from: Timestamp, timeout: Duration) -> Option<Timestamp> {
    (timeout > Duration::ZERO).then(|| from.after(timeout))
}

impl super::table::Entry for Activity {
    fn due(&self) -> Option<Timestamp> {
        // A paused one has no time (behaviour, section 5.3).
        if self.closing || self.pause.is_some() {
            return None;
        }
        let dispatch = (self.may_start() && !self.offered).then_some(self.scheduled_time);
        let waiting = self
            .started
            .is_none()
            .then(|| self.schedule_to_start_at())
            .flatten();
        [
            dispatch,
            waiting,
            self.start_to_close_at(),
            self.heartbeat_at(),
            self.expires_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn ready(&self) -> bool {
        if self.started.is_none() && !self.may_start() {
            return false;
        }
        // Any pending attempt counts, a started one too: most attempts are short, and a run that is
        // found once too often costs one load, while marking each start and end costs two writes.
        !self.closing
    }
}
