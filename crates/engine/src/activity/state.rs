//! The state of a standalone activity: a fold of its journal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::{Callback as WireCallback, Payloads, RetryPolicy};
use proto::temporal::api::enums::v1::{ActivityExecutionStatus, PendingActivityState};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::workflowservice::v1::StartActivityExecutionRequest;
use uuid::Uuid;

use super::record::{Attached, Request};
use crate::time::{Timestamp, duration};

/// The state of one standalone activity.
#[derive(Clone, Debug)]
pub struct State {
    /// Its id.
    pub activity_id: Arc<str>,
    /// This run of it.
    pub run_id: Uuid,
    /// Its namespace.
    pub namespace_id: Uuid,
    /// Everything durable.
    pub core: Core,
    /// The attempt that waits was offered to matching. In memory only.
    pub offered: bool,
    /// Callbacks that addresses elsewhere are being told. In memory only.
    pub calling: BTreeSet<u64>,
}

/// Everything durable, as the snapshot has it. Times are nanoseconds since the epoch, 0 where there is none.
#[derive(Clone, PartialEq, Message)]
pub struct Core {
    /// The request that started it, normalised. Its options are the original ones.
    #[prost(message, optional, tag = "1")]
    pub start: Option<Box<StartActivityExecutionRequest>>,
    /// The namespace's name.
    #[prost(string, tag = "2")]
    pub namespace: String,
    /// When it was started.
    #[prost(sfixed64, tag = "3")]
    pub schedule_time: i64,
    /// Records in the journal.
    #[prost(uint64, tag = "4")]
    pub seq: u64,
    /// Bytes of them.
    #[prost(int64, tag = "5")]
    pub size: i64,
    /// Its options, once they differ from the original ones.
    #[prost(message, optional, tag = "6")]
    pub options: Option<Box<ActivityOptions>>,
    /// Where it stands.
    #[prost(enumeration = "Status", tag = "7")]
    pub status: i32,
    /// From 1.
    #[prost(int32, tag = "8")]
    pub attempt: i32,
    /// Which offer of an attempt is good: raised whenever older ones must not be taken any more.
    #[prost(int64, tag = "9")]
    pub stamp: i64,
    /// When the attempt at hand is or was ready.
    #[prost(sfixed64, tag = "10")]
    pub dispatch_time: i64,
    /// When an attempt last started.
    #[prost(sfixed64, tag = "11")]
    pub started_time: i64,
    /// Who had the last attempt.
    #[prost(string, tag = "12")]
    pub worker_identity: String,
    /// The claim of the last attempt.
    #[prost(string, tag = "13")]
    pub claim: String,
    /// When an attempt first started.
    #[prost(sfixed64, tag = "14")]
    pub first_started_time: i64,
    /// When an attempt last ended.
    #[prost(sfixed64, tag = "15")]
    pub ended_time: i64,
    /// The wait before the attempt at hand; 0 before the first.
    #[prost(int64, tag = "16")]
    pub retry_interval: i64,
    /// The worker chose that wait.
    #[prost(bool, tag = "17")]
    pub retry_interval_of_worker: bool,
    /// When it last gave a sign of life.
    #[prost(sfixed64, tag = "18")]
    pub heartbeat_time: i64,
    /// Progress; survives retries.
    #[prost(message, optional, tag = "19")]
    pub heartbeat_details: Option<Payloads>,
    /// Signs of life.
    #[prost(int64, tag = "20")]
    pub heartbeat_count: i64,
    /// How the last attempt ended that did not complete.
    #[prost(message, optional, tag = "21")]
    pub last_failure: Option<Failure>,
    /// Who asked it to stop.
    #[prost(message, optional, tag = "22")]
    pub cancel: Option<Request>,
    /// The request that terminated it.
    #[prost(string, tag = "23")]
    pub terminate_request_id: String,
    /// The last pause.
    #[prost(message, optional, tag = "24")]
    pub pause: Option<Request>,
    /// The last request that ended a pause.
    #[prost(string, tag = "25")]
    pub unpause_request_id: String,
    /// The last request that reset it.
    #[prost(string, tag = "26")]
    pub reset_request_id: String,
    /// The last request that changed its options.
    #[prost(string, tag = "27")]
    pub update_request_id: String,
    /// What a reset that waits for the attempt to end will do.
    #[prost(message, optional, tag = "28")]
    pub reset: Option<PendingReset>,
    /// Its result.
    #[prost(message, optional, tag = "29")]
    pub result: Option<Payloads>,
    /// Why it has none.
    #[prost(message, optional, tag = "30")]
    pub failure: Option<Failure>,
    /// A `RetryState`.
    #[prost(int32, tag = "31")]
    pub retry_state: i32,
    /// When it closed.
    #[prost(sfixed64, tag = "32")]
    pub close_time: i64,
    /// What later starts attached.
    #[prost(message, repeated, tag = "33")]
    pub attached: Vec<Attached>,
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "34")]
    pub namespace_id: bytes::Bytes,
    /// It is to be deleted as soon as it is closed.
    #[prost(bool, tag = "35")]
    pub deleting: bool,
    /// The SDK of the worker that had the last attempt, as it says.
    #[prost(string, tag = "36")]
    pub sdk_name: String,
    /// Its version.
    #[prost(string, tag = "37")]
    pub sdk_version: String,
    /// Who is to hear how it ended.
    #[prost(message, repeated, tag = "38")]
    pub callbacks: Vec<Callback>,
}

/// A completion callback.
#[derive(Clone, PartialEq, Message)]
pub struct Callback {
    /// As it was given.
    #[prost(message, optional, tag = "1")]
    pub callback: Option<WireCallback>,
    /// The request that brought it.
    #[prost(string, tag = "2")]
    pub request_id: String,
    /// When it came.
    #[prost(sfixed64, tag = "3")]
    pub registration_time: i64,
    /// How far it is.
    #[prost(enumeration = "Phase", tag = "4")]
    pub phase: i32,
    /// Attempts to deliver it that have ended.
    #[prost(int32, tag = "5")]
    pub attempt: i32,
    /// When the next one is due.
    #[prost(sfixed64, tag = "6")]
    pub due: i64,
    /// When the last one ended.
    #[prost(sfixed64, tag = "7")]
    pub last_complete_time: i64,
    /// How it ended, if not well.
    #[prost(message, optional, tag = "8")]
    pub last_failure: Option<Failure>,
}

/// How far a callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Phase {
    /// The activity has not ended.
    Standby = 0,
    /// It is being delivered.
    Pending = 1,
    /// It was taken.
    Succeeded = 2,
    /// It was refused for good.
    Failed = 3,
}

/// A reset that waits until the attempt at hand ends.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct PendingReset {
    /// Progress is forgotten.
    #[prost(bool, tag = "1")]
    pub clears_heartbeat: bool,
    /// The options become those of the start.
    #[prost(bool, tag = "2")]
    pub restores_options: bool,
    /// It is paused then.
    #[prost(bool, tag = "3")]
    pub pauses: bool,
}

/// Where an activity stands. The names are those of messages on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Status {
    /// No status: of nothing that exists.
    Unspecified = 0,
    /// An attempt waits for its time or for a worker.
    Scheduled = 1,
    /// A worker has it.
    Started = 2,
    /// A worker has it, and should stop.
    CancelRequested = 3,
    /// See the API.
    Completed = 4,
    /// See the API.
    Failed = 5,
    /// See the API.
    Canceled = 6,
    /// See the API.
    Terminated = 7,
    /// See the API.
    TimedOut = 8,
    /// No attempt follows until somebody says so.
    Paused = 9,
    /// A worker has it; no other attempt follows.
    PauseRequested = 10,
    /// A worker has it; the next attempt is the first again.
    ResetRequested = 11,
}

impl Status {
    /// Whether it can still change.
    pub fn is_open(self) -> bool {
        self == Self::Paused || self == Self::Scheduled || self.has_attempt()
    }

    /// Whether a worker has an attempt.
    pub fn has_attempt(self) -> bool {
        matches!(
            self,
            Self::Started | Self::CancelRequested | Self::PauseRequested | Self::ResetRequested
        )
    }

    /// As clients see it.
    pub fn shown(self) -> ActivityExecutionStatus {
        use ActivityExecutionStatus as Shown;
        match self {
            Self::Unspecified => Shown::Unspecified,
            Self::Scheduled
            | Self::Started
            | Self::CancelRequested
            | Self::PauseRequested
            | Self::ResetRequested => Shown::Running,
            Self::Paused => Shown::Paused,
            Self::Completed => Shown::Completed,
            Self::Failed => Shown::Failed,
            Self::Canceled => Shown::Canceled,
            Self::Terminated => Shown::Terminated,
            Self::TimedOut => Shown::TimedOut,
        }
    }
}

impl State {
    /// Where it stands.
    pub fn status(&self) -> Status {
        self.core.status()
    }

    /// Whether it can still change.
    pub fn is_open(&self) -> bool {
        self.status().is_open()
    }

    /// The request that started it.
    pub(crate) fn start(&self) -> &StartActivityExecutionRequest {
        static NONE: std::sync::LazyLock<StartActivityExecutionRequest> =
            std::sync::LazyLock::new(StartActivityExecutionRequest::default);
        self.core.start.as_deref().unwrap_or(&NONE)
    }

    /// The type.
    pub(crate) fn activity_type(&self) -> &str {
        self.start().activity_type.as_ref().map_or("", |t| &t.name)
    }

    /// The options in force.
    pub(crate) fn options(&self) -> ActivityOptions {
        match &self.core.options {
            Some(options) => (**options).clone(),
            None => self.original_options(),
        }
    }

    /// The options of the start.
    pub(crate) fn original_options(&self) -> ActivityOptions {
        let start = self.start();
        ActivityOptions {
            task_queue: start.task_queue.clone(),
            schedule_to_close_timeout: start.schedule_to_close_timeout,
            schedule_to_start_timeout: start.schedule_to_start_timeout,
            start_to_close_timeout: start.start_to_close_timeout,
            heartbeat_timeout: start.heartbeat_timeout,
            retry_policy: start.retry_policy.clone(),
            priority: start.priority.clone(),
            start_delay: start.start_delay,
        }
    }

    pub(crate) fn retry_policy(&self) -> Option<&RetryPolicy> {
        match &self.core.options {
            Some(options) => options.retry_policy.as_ref(),
            None => self.start().retry_policy.as_ref(),
        }
    }

    /// The queue.
    pub(crate) fn task_queue(&self) -> &str {
        let queue = match &self.core.options {
            Some(options) => options.task_queue.as_ref(),
            None => self.start().task_queue.as_ref(),
        };
        queue.map_or("", |queue| &queue.name)
    }

    pub(crate) fn priority(&self) -> Option<&proto::temporal::api::common::v1::Priority> {
        match &self.core.options {
            Some(options) => options.priority.as_ref(),
            None => self.start().priority.as_ref(),
        }
    }

    /// One of the options that are spans of time, as they are in force.
    fn span(
        &self,
        of_start: impl Fn(&StartActivityExecutionRequest) -> Option<proto::Duration>,
        of_options: impl Fn(&ActivityOptions) -> Option<proto::Duration>,
    ) -> Duration {
        let span = match &self.core.options {
            Some(options) => of_options(options),
            None => of_start(self.start()),
        };
        duration(span.as_ref())
    }

    /// When its first attempt is or was ready: its execution time.
    pub fn first_dispatch_time(&self) -> Timestamp {
        let delay = self.span(|s| s.start_delay, |o| o.start_delay);
        Timestamp(self.core.schedule_time).after(delay)
    }

    /// A time for a first attempt, no earlier than its delay allows.
    pub(crate) fn not_before_delay(&self, at: Timestamp) -> Timestamp {
        if self.core.first_started_time == 0 {
            at.max(self.first_dispatch_time())
        } else {
            at
        }
    }

    /// When schedule-to-close runs out: over all attempts, from the first one on.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        let timeout = self.span(
            |s| s.schedule_to_close_timeout,
            |o| o.schedule_to_close_timeout,
        );
        deadline(self.first_dispatch_time(), timeout)
    }

    /// When the waiting attempt has waited too long for a worker.
    pub(crate) fn schedule_to_start_at(&self) -> Option<Timestamp> {
        let timeout = self.span(
            |s| s.schedule_to_start_timeout,
            |o| o.schedule_to_start_timeout,
        );
        deadline(Timestamp(self.core.dispatch_time), timeout)
    }

    /// When the attempt has run too long.
    pub(crate) fn start_to_close_at(&self) -> Option<Timestamp> {
        let timeout = self.span(|s| s.start_to_close_timeout, |o| o.start_to_close_timeout);
        deadline(Timestamp(self.core.started_time), timeout)
    }

    /// When the attempt has been silent too long.
    pub(crate) fn heartbeat_at(&self) -> Option<Timestamp> {
        let timeout = self.span(|s| s.heartbeat_timeout, |o| o.heartbeat_timeout);
        let heard = self.core.started_time.max(self.core.heartbeat_time);
        deadline(Timestamp(heard), timeout)
    }

    /// When it must be looked at next; `None` when only the outside can move it.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let status = self.status();
        if !status.is_open() {
            return self.next_call();
        }
        let waits = status == Status::Scheduled;
        let dispatch = (waits && !self.offered).then_some(Timestamp(self.core.dispatch_time));
        let started = status.has_attempt();
        [
            dispatch,
            waits.then(|| self.schedule_to_start_at()).flatten(),
            started.then(|| self.start_to_close_at()).flatten(),
            started.then(|| self.heartbeat_at()).flatten(),
            self.expires_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When a server that starts afresh must load it. One that a worker has counts as ready: most attempts are
    /// short, and one that is loaded for nothing costs less than a write at each start and end.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let status = self.status();
        let delayed = status == Status::Scheduled && !self.offered;
        let with_others = self.has_messages() || !self.calling.is_empty();
        if status.has_attempt() || (status == Status::Scheduled && !delayed) || with_others {
            return Some(Timestamp::MIN);
        }
        self.next_deadline()
    }

    /// One of its callbacks.
    pub(super) fn callback(&self, index: u64) -> Option<&Callback> {
        self.core.callbacks.get(usize::try_from(index).ok()?)
    }

    /// Whether another execution was not told yet how it ended.
    pub fn has_messages(&self) -> bool {
        self.core.callbacks.iter().any(Callback::is_message)
    }

    /// When an address elsewhere is next to be told how it ended.
    fn next_call(&self) -> Option<Timestamp> {
        let callbacks = (0..).zip(&self.core.callbacks);
        callbacks
            .filter(|(index, callback)| callback.is_to_be_called() && !self.calling.contains(index))
            .map(|(_, callback)| Timestamp(callback.due))
            .min()
    }

    /// When it closed, if it did.
    pub fn close_time(&self) -> Option<Timestamp> {
        (!self.is_open()).then_some(Timestamp(self.core.close_time))
    }

    /// What of its attempt shows.
    pub(crate) fn run_state(&self) -> PendingActivityState {
        use PendingActivityState as Shown;
        match self.status() {
            Status::Scheduled => Shown::Scheduled,
            Status::Started => Shown::Started,
            Status::ResetRequested if self.core.reset.is_some_and(|reset| reset.pauses) => {
                Shown::PauseRequested
            }
            Status::ResetRequested => Shown::Started,
            Status::CancelRequested => Shown::CancelRequested,
            Status::Paused => Shown::Paused,
            Status::PauseRequested => Shown::PauseRequested,
            _ => Shown::Unspecified,
        }
    }

    /// Equality of everything durable: what a fold of the journal must reproduce.
    pub fn same_durable(&self, other: &Self) -> bool {
        self.activity_id == other.activity_id
            && self.run_id == other.run_id
            && self.namespace_id == other.namespace_id
            && self.core == other.core
    }
}

fn deadline(from: Timestamp, timeout: Duration) -> Option<Timestamp> {
    (timeout > Duration::ZERO).then(|| from.after(timeout))
}
