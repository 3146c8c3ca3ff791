//! Shards: single writers of the executions of a range of slots, and the door to them.
//!
//! A call goes into one shard's inbox and comes back once everything that its answer may have seen is
//! durable. There are no locks around workflow state: a shard is one task that owns its executions.
//!
//! May depend on `engine`, `store` and tokio. Knows neither the wire's transport nor pollers: what the
//! shard has to say to matching goes through [`crate::matching::Matching`].

use std::sync::Arc;

use bytes::Bytes;
use engine::Namespace;
use engine::ids::EventId;
use engine::rejection::Rejection;
use engine::workflow::transition::{Reply, WorkflowTask};
use engine::workflow::{Input, StartInput, StartReply, state::State};
use proto::temporal::api::query::v1::WorkflowQuery;
use tokio::time::Instant;
use uuid::Uuid;

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

/// What a reader waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The history has an event with a greater id, or the run is closed. Events that are not stored yet count.
    EventsAfter(EventId),
    /// The run is closed.
    Closed,
}

/// The door to all shards of this node. Cheap to clone.
#[derive(Clone)]
pub struct Shards {}

impl Shards {
    /// StartWorkflowExecution, SignalWithStartWorkflowExecution, or a child's start.
    ///
    /// # Errors
    /// [`CallError::Rejected`] with what the engine refuses; [`CallError::Unavailable`].
    pub async fn start(&self, namespace: &Arc<Namespace>, input: StartInput) -> Result<Started, CallError> {
        todo!()
    }

    /// One input to an existing run; without `run_id` to the current one.
    ///
    /// A cancel or terminate request that names a `first_execution_run_id` goes to the current run whatever
    /// `run_id` says (behaviour, section 6.2). A completed workflow task's `query_results` are taken out and
    /// given to those who wait for them, and `queries_left` is filled in here.
    ///
    /// # Errors
    /// [`Rejection::WorkflowNotFound`] without any run, [`Rejection::RunNotFound`] without this one, what
    /// the engine refuses; [`CallError::Unavailable`].
    pub async fn step(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        input: Input,
    ) -> Result<Stepped, CallError> {
        todo!()
    }

    /// Looks at a run's state. What was seen is durable when this returns.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn read<T: Send + 'static>(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        todo!()
    }

    /// Looks at a run's state once something has come about; `None` when `until` comes first. With the
    /// condition [`When::Closed`] and `|state| state.core.close.clone()` this is a wait for the close event.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn read_when<T: Send + 'static>(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        when: When,
        until: Instant,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<Option<T>, CallError> {
        todo!()
    }

    /// One page of a run's history.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn history(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        request: HistoryRequest,
    ) -> Result<HistoryPage, CallError> {
        todo!()
    }

    /// Deletes a run whole; an open one is terminated first. Answers once the run is on its way out.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn delete(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
    ) -> Result<(), CallError> {
        todo!()
    }

    /// Deletes all executions of a namespace, in the background; survives no restart by itself, so call it
    /// again on start for namespaces that are still marked as deleted.
    pub fn delete_namespace(&self, namespace: &Arc<Namespace>) {
        todo!()
    }
}

/// A workflow task as the frontend answers a poll with it.
#[derive(Debug)]
pub struct ClaimedWorkflowTask {
    /// The engine's part.
    pub task: WorkflowTask,
    /// Its history.
    pub history: TaskHistory,
    /// Queries to ship with it.
    pub queries: Vec<(String, WorkflowQuery)>,
}
