//! What one step writes to the journal: history events, and the small changes that leave no event.
//!
//! The format is protobuf, so that a newer server reads what an older one wrote. The events of a record
//! are one encoded `History` message: served as the same bytes, and concatenated to serve more of them.

use bytes::Bytes;
use prost::{Message, Oneof};
use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::{Payloads, SearchAttributes};
use proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::HistoryEvent;

use super::input::Watcher;

/// One step's entry in the journal.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    /// The events: an encoded `temporal.api.history.v1.History`.
    #[prost(bytes = "bytes", tag = "1")]
    pub history: Bytes,
    /// What leaves no event.
    #[prost(message, repeated, tag = "2")]
    pub changes: Vec<Change>,
    /// When the step was taken, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "3")]
    pub time: i64,
}

impl Record {
    /// The record as the journal keeps it.
    pub fn encode(&self) -> Bytes {
        self.encode_to_vec().into()
    }
}

/// A change and its place between the record's events.
#[derive(Clone, PartialEq, Message)]
pub struct Change {
    /// How many of the record's events come before it.
    #[prost(uint32, tag = "1")]
    pub position: u32,
    /// What changed.
    #[prost(
        oneof = "ChangeKind",
        tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 40, 41, 42, 43, 44, 45, 46, 47, 48, 50, 60, 61, 62, 63"
    )]
    pub kind: Option<ChangeKind>,
}

/// What changed.
#[derive(Clone, PartialEq, Oneof)]
pub enum ChangeKind {
    /// First in every journal: what event 1 does not say.
    #[prost(message, tag = "2")]
    Created(Created),
    /// A workflow task attempt after a failed one: it stays out of history until it completes.
    #[prost(message, tag = "3")]
    WorkflowTaskAttempt(WorkflowTaskAttempt),
    /// A heartbeat by completion keeps the first schedule time of its chain of tasks.
    #[prost(sfixed64, tag = "4")]
    WorkflowTaskOriginalScheduledTime(i64),
    /// The worker that has this run cached; an empty queue clears it.
    #[prost(message, tag = "5")]
    Sticky(Sticky),
    /// An attempt was handed to a worker.
    #[prost(message, tag = "6")]
    ActivityStarted(ActivityStarted),
    /// An attempt ended and another will follow.
    #[prost(message, tag = "7")]
    ActivityRetried(Box<ActivityRetried>),
    /// A heartbeat.
    #[prost(message, tag = "8")]
    ActivityHeartbeat(ActivityHeartbeat),
    /// An event that waits for the started workflow task to end; it has no id yet.
    #[prost(message, tag = "9")]
    Buffered(Box<HistoryEvent>),
    /// All waiting events become events: they follow in this record.
    #[prost(bool, tag = "10")]
    BufferFlushed(bool),
    /// The waiting TIMER_FIRED of this timer is taken back: the timer is cancelled.
    #[prost(string, tag = "11")]
    BufferedTimerDropped(String),
    /// The message of this number was answered.
    #[prost(uint64, tag = "12")]
    Acknowledged(u64),
    /// Search attributes that the server itself sets.
    #[prost(message, tag = "13")]
    InternalSearchAttributes(SearchAttributes),
    /// The start's wait for its parent is over and a first-task delay remains.
    #[prost(bool, tag = "14")]
    ParentReady(bool),
    /// A child of this run, which has closed meanwhile, has started.
    #[prost(message, tag = "15")]
    LateChildStarted(LateChildStarted),
    /// A child that has waited for long asks its parent whether it is still wanted.
    #[prost(bool, tag = "16")]
    ParentAsked(bool),
    /// An operator paused an activity.
    #[prost(message, tag = "40")]
    ActivityPaused(ActivityPaused),
    /// An operator lets an activity go on.
    #[prost(message, tag = "41")]
    ActivityUnpaused(ActivityUnpaused),
    /// An operator lets an activity begin again with its first attempt.
    #[prost(message, tag = "42")]
    ActivityReset(ActivityReset),
    /// An operator changed an activity's options.
    #[prost(message, tag = "43")]
    ActivityOptionsUpdated(ActivityOptionsUpdated),
    /// A run with its events up to some point was opened in the place of this one: 16 bytes.
    #[prost(bytes = "bytes", tag = "45")]
    ResetTo(Bytes),
    /// The close that follows makes room for a reset: nobody else learns of it.
    #[prost(bool, tag = "46")]
    EndedByReset(bool),
    /// What this run has pending from the one that was reset begins its time now.
    #[prost(bool, tag = "47")]
    ActivitiesRescheduled(bool),
    /// A paused run's workflow task ended without completing: none follows before it goes on.
    #[prost(bool, tag = "44")]
    WorkflowTaskDropped(bool),
    /// The run is to be deleted, once everybody who must know that it closed has been told.
    #[prost(bool, tag = "48")]
    Deleting(bool),
    /// The run's next workflow task goes to another version.
    #[prost(message, tag = "50")]
    VersionTransition(VersionTransition),
    /// The update of this id, which an event admitted, was rejected: that leaves no event.
    #[prost(string, tag = "60")]
    UpdateRejected(String),
    /// A request about a Nexus operation failed and will be made again.
    #[prost(message, tag = "61")]
    NexusAttemptFailed(Box<NexusAttemptFailed>),
    /// A completion callback was delivered, or was not.
    #[prost(message, tag = "62")]
    CallbackAttempted(Box<CallbackAttempted>),
    /// As `UpdateRejected`, with the reason, for those who wait for the update's end.
    #[prost(message, tag = "63")]
    UpdateRefused(Box<UpdateRefused>),
}

/// What event 1 does not say of a run.
#[derive(Clone, PartialEq, Message)]
pub struct Created {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub namespace_id: Bytes,
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub run_id: Bytes,
    /// The request that started it.
    #[prost(string, tag = "3")]
    pub request_id: String,
    /// A child waits for its parent before its first workflow task.
    #[prost(bool, tag = "4")]
    pub awaits_parent: bool,
    /// The namespace's name, for events that show it.
    #[prost(string, tag = "5")]
    pub namespace: String,
    /// The last messages that earlier runs of this workflow id took: one that comes again is recognised.
    #[prost(string, repeated, tag = "6")]
    pub taken_messages: Vec<String>,
    /// Who is told how the chain ends, if anybody.
    #[prost(message, optional, tag = "7")]
    pub watcher: Option<Watcher>,
    /// It begins with the events of another run.
    #[prost(message, optional, tag = "40")]
    pub reset: Option<ResetFrom>,
}

/// Where a run has its first events from, when it was opened by a reset.
#[derive(Clone, PartialEq, Message)]
pub struct ResetFrom {
    /// When, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "1")]
    pub time: i64,
    /// The request, by which its repeat is recognised.
    #[prost(string, tag = "2")]
    pub request_id: String,
    /// The runs that recorded the events, in order.
    #[prost(message, repeated, tag = "3")]
    pub origins: Vec<Origin>,
}

/// Events up to some id were recorded by this run.
#[derive(Clone, PartialEq, Message)]
pub struct Origin {
    /// Their last id.
    #[prost(int64, tag = "1")]
    pub up_to: i64,
    /// The run.
    #[prost(string, tag = "2")]
    pub run_id: String,
}

/// See [`ChangeKind::WorkflowTaskAttempt`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct WorkflowTaskAttempt {
    /// From 2.
    #[prost(int32, tag = "1")]
    pub attempt: i32,
    /// Nanoseconds since the epoch.
    #[prost(sfixed64, tag = "2")]
    pub scheduled_time: i64,
    /// Start-to-close timeout in nanoseconds, back-off included.
    #[prost(int64, tag = "3")]
    pub timeout: i64,
}

/// See [`ChangeKind::Sticky`].
#[derive(Clone, PartialEq, Message)]
pub struct Sticky {
    /// The worker's own queue; empty clears stickiness.
    #[prost(string, tag = "1")]
    pub queue: String,
    /// Schedule-to-start timeout in nanoseconds.
    #[prost(int64, tag = "2")]
    pub timeout: i64,
}

/// See [`ChangeKind::ActivityStarted`].
#[derive(Clone, PartialEq, Message)]
pub struct ActivityStarted {
    /// The activity.
    #[prost(int64, tag = "1")]
    pub scheduled_event_id: i64,
    /// Nanoseconds since the epoch.
    #[prost(sfixed64, tag = "2")]
    pub time: i64,
    /// The worker.
    #[prost(string, tag = "3")]
    pub identity: String,
    /// The claim.
    #[prost(string, tag = "4")]
    pub request_id: String,
}

/// See [`ChangeKind::ActivityRetried`].
#[derive(Clone, PartialEq, Message)]
pub struct ActivityRetried {
    /// The activity.
    #[prost(int64, tag = "1")]
    pub scheduled_event_id: i64,
    /// The attempt that will follow.
    #[prost(int32, tag = "2")]
    pub attempt: i32,
    /// When it becomes ready, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "3")]
    pub scheduled_time: i64,
    /// When the last attempt ended, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "4")]
    pub ended_time: i64,
    /// How the last attempt ended.
    #[prost(message, optional, tag = "5")]
    pub failure: Option<Failure>,
    /// Progress that came with the failure.
    #[prost(message, optional, tag = "6")]
    pub heartbeat_details: Option<Payloads>,
}

/// See [`ChangeKind::ActivityHeartbeat`].
#[derive(Clone, PartialEq, Message)]
pub struct ActivityHeartbeat {
    /// The activity.
    #[prost(int64, tag = "1")]
    pub scheduled_event_id: i64,
    /// Nanoseconds since the epoch.
    #[prost(sfixed64, tag = "2")]
    pub time: i64,
    /// Progress.
    #[prost(message, optional, tag = "3")]
    pub details: Option<Payloads>,
}

/// See [`ChangeKind::LateChildStarted`].
#[derive(Clone, PartialEq, Message)]
pub struct LateChildStarted {
    /// The initiated event.
    #[prost(int64, tag = "1")]
    pub initiated_event_id: i64,
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub run_id: Bytes,
}

/// See [`ChangeKind::ActivityPaused`].
#[derive(Clone, PartialEq, Message)]
pub struct ActivityPaused {
    /// The activity.
    #[prost(int64, tag = "1")]
    pub scheduled_event_id: i64,
    /// Who.
    #[prost(string, tag = "2")]
    pub identity: String,
    /// Why.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// The request.
    #[prost(string, tag = "4")]
    pub request_id: String,
}

/// See [`ChangeKind::ActivityUnpaused`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ActivityUnpaused {
    /// The activity.
    #[prost(int64, tag = "1")]
    pub scheduled_event_id: i64,
    /// When a waiting attempt becomes ready, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "2")]
    pub scheduled_time: i64,
    /// The next attempt is the first.
    #[prost(bool, tag = "3")]
    pub reset_attempts: bool,
    /// Its progress is forgotten.
    #[prost(bool, tag = "4")]
    pub reset_heartbeat: bool,
}

/// See [`ChangeKind::ActivityReset`].
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ActivityReset {
    /// The activity.
    #[prost(int64, tag = "1")]
    pub scheduled_event_id: i64,
    /// When a waiting attempt becomes ready, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "2")]
    pub scheduled_time: i64,
    /// Its progress is forgotten.
    #[prost(bool, tag = "3")]
    pub reset_heartbeat: bool,
    /// A paused one stays paused.
    #[prost(bool, tag = "4")]
    pub keep_paused: bool,
    /// It gets back the options that it was scheduled with.
    #[prost(bool, tag = "5")]
    pub restore_original_options: bool,
}

/// See [`ChangeKind::ActivityOptionsUpdated`].
#[derive(Clone, PartialEq, Message)]
pub struct ActivityOptionsUpdated {
    /// The activity.
    #[prost(int64, tag = "1")]
    pub scheduled_event_id: i64,
    /// All of its options.
    #[prost(message, optional, tag = "2")]
    pub options: Option<ActivityOptions>,
    /// When a waiting attempt becomes ready, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "3")]
    pub scheduled_time: i64,
}

/// See [`ChangeKind::VersionTransition`].
#[derive(Clone, PartialEq, Message)]
pub struct VersionTransition {
    /// None: workers without a version.
    #[prost(message, optional, tag = "1")]
    pub version: Option<WorkerDeploymentVersion>,
    /// Of the routing that says so.
    #[prost(int64, tag = "2")]
    pub revision_number: i64,
}

/// See [`ChangeKind::NexusAttemptFailed`].
#[derive(Clone, PartialEq, Message)]
pub struct NexusAttemptFailed {
    /// The operation.
    #[prost(int64, tag = "1")]
    pub scheduled_event_id: i64,
    /// It was to be cancelled; else it was to be started.
    #[prost(bool, tag = "2")]
    pub cancel: bool,
    /// When the attempt ended, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "3")]
    pub ended_time: i64,
    /// When the next one is due, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "4")]
    pub next_time: i64,
    /// How the attempt ended.
    #[prost(message, optional, tag = "5")]
    pub failure: Option<Failure>,
}

/// See [`ChangeKind::CallbackAttempted`].
#[derive(Clone, PartialEq, Message)]
pub struct CallbackAttempted {
    /// Which callback.
    #[prost(uint64, tag = "1")]
    pub index: u64,
    /// It was taken.
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
    /// When the attempt ended, nanoseconds since the epoch.
    #[prost(sfixed64, tag = "3")]
    pub ended_time: i64,
    /// When the next one is due, nanoseconds since the epoch; 0 when there is none.
    #[prost(sfixed64, tag = "4")]
    pub next_time: i64,
    /// How the attempt ended, if not well.
    #[prost(message, optional, tag = "5")]
    pub failure: Option<Failure>,
}

/// See [`ChangeKind::UpdateRefused`].
#[derive(Clone, PartialEq, Message)]
pub struct UpdateRefused {
    /// The update.
    #[prost(string, tag = "1")]
    pub update_id: String,
    /// Why.
    #[prost(message, optional, tag = "2")]
    pub failure: Option<Failure>,
}
