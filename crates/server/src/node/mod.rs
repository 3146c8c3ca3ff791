//! A node: a store, shards, matching and those who wait, put together; what the frontend calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::Namespace;
use engine::limits::Limits;
use engine::rejection::Rejection;
use engine::time::Timestamp;
use engine::workflow::token::QueryTaskToken;
use engine::workflow::transition::WorkflowTask;
use proto::temporal::api::query::v1::WorkflowQuery;
use proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, QueryWorkflowRequest, QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest,
};
use store::{Store, StoreError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::matching::Matching;
use crate::shard::{CallError, NamespaceById, Shards, TaskHistory};

/// The wall clock, as a parameter.
pub trait Clock: Send + Sync {
    /// This instant.
    fn now(&self) -> Timestamp;
}

/// How to run a node.
#[derive(Clone)]
pub struct NodeOptions {
    /// Shards; 0 is one a core, at most 4.
    pub shard_count: u32,
    /// Bytes of cached executions over all shards, as estimated.
    pub cache_bytes_max: usize,
    /// Rules' limits.
    pub limits: Limits,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from; must differ from start to start.
    pub seed: u64,
}

/// A node. Share it as `Arc<Node>`.
pub struct Node {
    /// The executions.
    pub shards: Shards,
    /// The task queues.
    pub matching: Matching,
    /// The store: lists, counts, cluster metadata.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// A worker's poll.
#[derive(Debug, Clone)]
pub struct Poll {
    /// The queue polled.
    pub task_queue: Arc<str>,
    /// It is a sticky queue.
    pub sticky: bool,
    /// The worker.
    pub identity: String,
    /// Answer before then.
    pub until: Instant,
}

/// What a poll for workflow tasks came back with.
#[derive(Debug)]
pub struct PolledWorkflowTask {
    /// The execution.
    pub workflow_id: Arc<str>,
    /// Its run.
    pub run_id: Uuid,
    /// Encoded.
    pub task_token: Bytes,
    /// Its type, and so on.
    pub kind: PolledKind,
    /// Events to send along.
    pub history: TaskHistory,
    /// Tasks that wait in the queue.
    pub backlog_count_hint: i64,
}

/// What there is to do.
#[derive(Debug)]
pub enum PolledKind {
    /// A workflow task, started.
    WorkflowTask {
        /// The engine's part.
        task: Box<WorkflowTask>,
        /// Queries to answer with its completion, by id.
        queries: Vec<(String, WorkflowQuery)>,
    },
    /// A query and nothing else; `started_event_id` is 0.
    Query {
        /// The query.
        query: WorkflowQuery,
        /// The workflow's type.
        workflow_type: String,
        /// Started event of the last completed workflow task.
        previous_started_event_id: i64,
        /// The run's normal task queue.
        task_queue: Arc<str>,
    },
}

impl Node {
    /// Starts a node over a store. It serves at once; what waits in the store is taken up in the background.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn start(
        options: NodeOptions,
        store: Arc<dyn Store>,
        namespaces: Arc<dyn NamespaceById>,
    ) -> Result<Arc<Self>, StoreError> {
        todo!()
    }

    /// Refuses new work, ends all long polls, finishes what is being committed, closes the store.
    pub async fn stop(&self) {
        todo!()
    }

    /// A poll for workflow tasks; `None` when nothing came (answer with an empty message).
    ///
    /// # Errors
    /// [`CallError::Unavailable`].
    pub async fn poll_workflow_task(
        &self,
        namespace: &Arc<Namespace>,
        poll: Poll,
    ) -> Result<Option<PolledWorkflowTask>, CallError> {
        todo!()
    }

    /// A poll for activity tasks; `None` when nothing came (answer with an empty message).
    ///
    /// # Errors
    /// [`CallError::Unavailable`].
    pub async fn poll_activity_task(
        &self,
        namespace: &Arc<Namespace>,
        poll: Poll,
    ) -> Result<Option<Box<PollActivityTaskQueueResponse>>, CallError> {
        todo!()
    }

    /// QueryWorkflow, validated: waits for a worker's answer until `deadline`.
    ///
    /// # Errors
    /// What section 7.1 of the behaviour page lists; [`CallError::DeadlineExceeded`].
    pub async fn query(
        &self,
        namespace: &Arc<Namespace>,
        request: QueryWorkflowRequest,
        deadline: Instant,
    ) -> Result<QueryWorkflowResponse, CallError> {
        todo!()
    }

    /// RespondQueryTaskCompleted.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] when nobody waits for this answer.
    pub fn respond_query(
        &self,
        token: &QueryTaskToken,
        request: RespondQueryTaskCompletedRequest,
    ) -> Result<(), Rejection> {
        todo!()
    }

    /// How long a task poll may be held: the client's time left, at most 60 s, less a margin so that the
    /// empty answer arrives in time (behaviour, section 3.4). `None`: answer empty at once.
    pub fn poll_hold(client: Option<Duration>) -> Option<Duration> {
        todo!()
    }
}
