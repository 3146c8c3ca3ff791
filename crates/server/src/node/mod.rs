//! A node: a store, shards, matching and those who wait, put together; what the frontend calls.
//!
//! - [`poll`]: a worker's poll: takes a task from matching, claims it at its execution, answers.
//! - [`poll_nexus`]: a poll for requests to Nexus handlers.

mod poll;
mod poll_nexus;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use engine::Namespace;
use engine::limits::Limits;
use engine::rejection::Rejection;
use engine::workflow::token::{QueryTaskToken, id};
use proto::temporal::api::query::v1::WorkflowQueryResult;
use proto::temporal::api::workflowservice::v1::{
    QueryWorkflowRequest, QueryWorkflowResponse, RespondQueryTaskCompletedRequest,
};
use store::{Store, StoreError};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use self::poll::{Poll, PolledKind, PolledWorkflowTask};
use crate::deployments::Deployments;
use crate::matching::Matching;
use crate::nexus::{Breakers, Calls, Endpoints, HttpClient, NexusTasks};
use crate::shard::{CallError, NamespaceById, ShardOptions, Shards};
pub use crate::shard::{Clock, SystemClock};
use crate::task_queues::TaskQueueConfigs;
use crate::waiters::Queries;

/// How many shards there are at most by default.
const SHARD_COUNT_MAX: usize = 4;
/// The default of [`NodeOptions::cache_bytes_max`].
const CACHE_BYTES_MAX: usize = 256 << 20;

/// The default of [`NodeOptions::poll_hold_max`] (behaviour, section 3.4).
pub const POLL_HOLD_MAX: Duration = Duration::from_secs(60);
/// An empty answer leaves so long before the client's deadline.
const POLL_MARGIN: Duration = Duration::from_millis(1500);
/// Polls with less time than this are answered at once.
const POLL_TIME_MIN: Duration = Duration::from_secs(1);

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
    /// Where completion callbacks to this server come in over HTTP; `{namespace}` stands for a namespace.
    pub callback_url: String,
    /// No task poll is held for longer (`matching.longPollExpirationInterval`).
    pub poll_hold_max: Duration,
}

impl Default for NodeOptions {
    /// For production: the operating system's clock and chance.
    fn default() -> Self {
        let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self {
            shard_count: 0,
            cache_bytes_max: CACHE_BYTES_MAX,
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            seed,
            callback_url: "http://127.0.0.1:7243/namespaces/{namespace}/nexus/callback".to_owned(),
            poll_hold_max: POLL_HOLD_MAX,
        }
    }
}

/// A node. Share it as `Arc<Node>`.
pub struct Node {
    /// The executions.
    pub shards: Shards,
    /// The task queues.
    pub matching: Matching,
    /// What was set for them.
    pub task_queue_configs: Arc<TaskQueueConfigs>,
    /// Worker deployments.
    pub deployments: Arc<Deployments>,
    /// Queries that wait for their answers.
    pub queries: Queries,
    /// Nexus: endpoints, and requests that wait for their answers.
    pub nexus: Nexus,
    /// The store: lists, counts, cluster metadata.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    poll_hold_max: Duration,
}

/// See [`crate::nexus`].
pub struct Nexus {
    /// The registry.
    pub endpoints: Arc<Endpoints>,
    /// Requests that wait for a worker's answer.
    pub tasks: NexusTasks,
    /// Destinations that are left alone.
    pub breakers: Arc<Breakers>,
}

impl Node {
    /// Starts a node over a store. It serves at once; what waits in the store is taken up in the background.
    ///
    /// # Errors
    /// When the store cannot be read; one that cannot be written is tried again until it can.
    pub async fn start(
        options: NodeOptions,
        store: Arc<dyn Store>,
        namespaces: Arc<dyn NamespaceById>,
    ) -> Result<Arc<Self>, StoreError> {
        let endpoints = Arc::new(Endpoints::open(Arc::clone(&store)).await?);
        let configs = Arc::new(TaskQueueConfigs::open(Arc::clone(&store)).await?);
        let deployments = Arc::new(Deployments::open(Arc::clone(&store)).await?);
        let matching = Matching::new(
            Arc::clone(&options.clock),
            Arc::clone(&configs),
            deployments.routes(),
        );
        let (calls_to, calls) = mpsc::unbounded_channel();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = match options.shard_count {
            // At most SHARD_COUNT_MAX.
            0 => cores.min(SHARD_COUNT_MAX) as u32,
            count => count,
        };
        let shards = Shards::start_shards(ShardOptions {
            count,
            cache_bytes_max: options.cache_bytes_max,
            limits: options.limits,
            clock: Arc::clone(&options.clock),
            seed: options.seed,
            store: Arc::clone(&store),
            matching: matching.clone(),
            routes: deployments.routes(),
            calls: calls_to,
            namespaces: Arc::clone(&namespaces),
        });
        let queries = Queries::default();
        let nexus = Nexus {
            endpoints,
            tasks: NexusTasks::default(),
            breakers: Arc::default(),
        };
        let carrier = Calls {
            shards: shards.clone(),
            matching: matching.clone(),
            namespaces,
            endpoints: Arc::clone(&nexus.endpoints),
            tasks: nexus.tasks.clone(),
            breakers: Arc::clone(&nexus.breakers),
            http: HttpClient::new(options.callback_url),
        };
        tokio::spawn(carrier.run(calls));
        Ok(Arc::new(Self {
            shards,
            matching,
            task_queue_configs: configs,
            deployments,
            queries,
            nexus,
            store,
            clock: options.clock,
            poll_hold_max: options.poll_hold_max,
        }))
    }

    /// Refuses new work, ends all long polls, finishes what is being committed, closes the store.
    pub async fn stop(&self) {
        self.matching.close();
        self.shards.stop().await;
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the store did not close well");
        }
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
        crate::waiters::query(self, namespace, request, deadline).await
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
        let result = WorkflowQueryResult {
            result_type: request.completed_type,
            answer: request.query_result,
            error_message: request.error_message,
            failure: request.failure,
        };
        self.queries.answer(id(&token.query_id), result)
    }

    /// How long a task poll may be held: the client's time left, at most 60 s, less a margin so that the
    /// empty answer arrives in time (behaviour, section 3.4). `None`: answer empty at once.
    pub fn poll_hold(&self, client: Option<Duration>) -> Option<Duration> {
        poll_hold(client, self.poll_hold_max)
    }
}

pub(crate) fn poll_hold(client: Option<Duration>, max: Duration) -> Option<Duration> {
    let left = client.unwrap_or(max);
    if left < POLL_TIME_MIN {
        return None;
    }
    let held = left.min(max);
    // A short poll gets at least half of its time.
    Some(held - POLL_MARGIN.min(held / 2))
}
