//! Shards: single writers of the executions of a range of slots, and the door to them.
//!
//! A call goes into one shard's inbox and comes back once everything that its answer may have seen is
//! durable. There are no locks around workflow state: a shard is one task that owns its executions.
//!
//! May depend on `engine`, `store` and tokio. Knows neither the wire's transport nor pollers: what the
//! shard has to say to matching goes through [`crate::matching::Matching`].
//!
//! - [`handle`]: the door. [`writer`]: a shard's loop. [`inbox`]: what becomes of a message.
//! - [`step`], [`start`], [`update`], [`question`], [`outbox`]: what is done to an execution.
//! - [`reset`]: opens a run with the events of another.
//! - [`cell`], [`cache`], [`tail`]: executions in memory. [`load`], [`recovery`], [`deadlines`]: how they get there.
//! - [`pipeline`], [`release`]: what is written, and what is held back until it is durable.
//! - [`history`], [`events`]: reading history. [`slot`]: where an execution lies.

mod cache;
mod cell;
mod clock;
mod counters;
mod deadlines;
mod events;
mod handle;
mod history;
mod inbox;
mod load;
mod look;
mod message;
mod outbox;
mod pipeline;
mod question;
mod recovery;
mod release;
mod reset;
mod row;
mod slot;
mod start;
mod step;
mod tail;
mod update;
mod writer;

use std::sync::Arc;

use bytes::Bytes;
use engine::Namespace;
use engine::execution::Reply;
use engine::ids::EventId;
use engine::rejection::Rejection;
use engine::workflow::StartReply;
use proto::temporal::api::query::v1::WorkflowQuery;
use tokio::time::Instant;
use uuid::Uuid;

pub use self::clock::{Clock, SystemClock, Waits};
pub use self::counters::Counters;
pub use self::handle::{ShardOptions, Shards};
pub(crate) use self::message::QueryAnswer;
pub use self::slot::{SLOT_COUNT, slot_of};
pub use self::update::FollowedUpdate;

/// Why a call to an execution was not answered with what it asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// A rule said no; final.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The node stops, or the store is away: nothing was decided, try again. UNAVAILABLE on the wire.
    #[error("{0}")]
    Unavailable(String),
    /// The caller's own deadline is over. DEADLINE_EXCEEDED on the wire.
    #[error("context deadline exceeded")]
    DeadlineExceeded,
}

impl CallError {
    /// The node does not take work any more.
    pub(crate) fn stopping() -> Self {
        Self::Unavailable("the server is shutting down".to_owned())
    }
}

/// Finds namespaces by id, for what no caller brings one to: deadlines, recovery, messages between executions.
pub trait NamespaceById: Send + Sync {
    /// The namespace, unless it is deleted or unknown.
    fn namespace_by_id(&self, id: Uuid) -> Option<Arc<Namespace>>;
}

/// What a start answered.
#[derive(Debug)]
pub struct Started {
    /// The engine's reply. Its `eager_workflow_task` goes with [`Self::history`].
    pub reply: StartReply,
    /// The history of the eager workflow task, if there is one.
    pub history: Option<TaskHistory>,
    /// The update of an update-with-start.
    pub update: Option<FollowedUpdate>,
}

/// What a step answered.
#[derive(Debug)]
pub struct Stepped {
    /// The run that took it.
    pub run_id: Uuid,
    /// The engine's reply.
    pub reply: Reply,
    /// With a workflow task in the reply (claimed, or inline with a completion): its history.
    pub history: Option<TaskHistory>,
    /// With a workflow task in the reply: the queries to ship with it, by id.
    pub queries: Vec<(String, WorkflowQuery)>,
}

/// The events that go out with a workflow task.
#[derive(Debug, Clone, Default)]
pub struct TaskHistory {
    /// Encoded `History` fragments; concatenated they are one valid encoded `History`.
    pub fragments: Vec<Bytes>,
    /// Where the rest begins, when the history has more pages: the `next_page_token` of the poll response.
    /// The events that are not stored yet then come with the last page.
    pub next: Option<HistoryCursor>,
}

/// A place in the history of one run, between two events. The content of page tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryCursor {
    /// Pins the run.
    pub run_id: Uuid,
    /// Forward: the first record to read. Reverse: the last one.
    pub seq: u64,
    /// Forward: the first event to give. Reverse: the last one.
    pub event_id: EventId,
}

/// A page of history to read.
#[derive(Debug, Clone)]
pub struct HistoryRequest {
    /// The run; `None` is the current one. Ignored with a cursor.
    pub run_id: Option<Uuid>,
    /// Where to begin; `None` is the beginning (or the end, in reverse).
    pub from: Option<HistoryCursor>,
    /// Batches (records that have events) to give at most; 0, and everything above 256, is 256.
    pub page_size: usize,
    /// Newest first.
    pub reverse: bool,
    /// Append the events of a transient workflow task to the last page: true for all clients but the
    /// `temporal` command line and the pages (behaviour, section 4.5).
    pub transient: bool,
    /// When there is nothing at the cursor yet and the run is open, wait for more until then.
    pub wait_until: Option<Instant>,
}

/// A page of history.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// Which run it is of.
    pub run_id: Uuid,
    /// Encoded `History` fragments; concatenated they are one valid encoded `History`. Empty when a wait
    /// ended without news.
    pub fragments: Vec<Bytes>,
    /// Behind this page. With `more` the next page begins here; without, later events will.
    pub next: HistoryCursor,
    /// There are stored events behind this page.
    pub more: bool,
    /// The run is open: events may follow.
    pub open: bool,
}

impl HistoryPage {
    /// A wait at this cursor ended without news.
    fn nothing_new(cursor: HistoryCursor) -> Self {
        Self {
            run_id: cursor.run_id,
            fragments: Vec::new(),
            next: cursor,
            more: false,
            open: true,
        }
    }
}

/// What a reader waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The history has an event with a greater id, or the run is closed. Events that are not stored yet count.
    EventsAfter(EventId),
    /// The journal has more records than so many.
    RecordsAfter(u64),
    /// The run is closed.
    Closed,
}
