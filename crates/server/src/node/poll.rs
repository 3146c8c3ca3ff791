//! A worker's poll: takes a reference from matching, claims it at its execution, answers. A reference to
//! something that is gone is let go, and the poll goes on.

use std::sync::Arc;

use bytes::Bytes;
use engine::execution::{self, Kind};
use engine::rejection::Rejection;
use engine::workflow::input::{Input, StartActivityTask, StartWorkflowTask};
use engine::workflow::token::QueryTaskToken;
use engine::workflow::transition::{Reply, WorkflowTask};
use engine::{Namespace, activity};
use prost::Message as _;
use proto::temporal::api::query::v1::WorkflowQuery;
use proto::temporal::api::taskqueue::v1::PollerScalingDecision;
use proto::temporal::api::workflowservice::v1::PollActivityTaskQueueResponse;
use tokio::time::Instant;
use uuid::Uuid;

use super::Node;
use crate::matching::{self, Delivery, QueueKind, Task, TaskRef};
use crate::shard::{CallError, Stepped, TaskHistory};
use crate::waiters::QueryTask;

/// A worker's poll, without what only a few workers say.
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

impl From<Poll> for matching::Poll {
    fn from(poll: Poll) -> Self {
        Self {
            task_queue: poll.task_queue,
            sticky: poll.sticky,
            identity: poll.identity,
            worker_instance_key: String::new(),
            max_tasks_per_second: None,
            deployment_options: None,
            version_capabilities: None,
            version: None,
            build: None,
            sdk: Default::default(),
            until: poll.until,
        }
    }
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
    /// Events to send along, those that are not stored yet included.
    pub history: TaskHistory,
    /// Tasks that wait in the queue.
    pub backlog_count_hint: i64,
    /// Whether the worker has too many pollers, or too few.
    pub scaling: Option<PollerScalingDecision>,
}

/// What there is to do.
#[derive(Debug)]
pub enum PolledKind {
    /// A workflow task, started.
    WorkflowTask {
        /// The engine's part. Its unstored events have moved into the history.
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
    /// A poll for workflow tasks; `None` when nothing came (answer with an empty message).
    ///
    /// # Errors
    /// [`CallError::Unavailable`].
    pub async fn poll_workflow_task(
        &self,
        namespace: &Arc<Namespace>,
        poll: impl Into<matching::Poll>,
    ) -> Result<Option<PolledWorkflowTask>, CallError> {
        let poll = poll.into();
        let since = Instant::now();
        loop {
            let delivery = self
                .matching
                .poll(namespace.id, QueueKind::Workflow, &poll)
                .await;
            let Some(delivery) = delivery else {
                return Ok(None);
            };
            let polled = match delivery.task().cloned() {
                Some(Task::Execution(task)) => {
                    self.claim_workflow_task(namespace, &poll, &task).await
                }
                Some(Task::Query(query)) => {
                    match query.upgrade().filter(|query| query.is_awaited()) {
                        Some(query) => self.take_query(namespace, &poll, &query).await,
                        None => Ok(None),
                    }
                }
                Some(Task::Nexus(_)) | None => Ok(None),
            };
            let backlog_count = delivery.backlog_count();
            let scaling = delivery.scaling_hint(since.elapsed());
            if let Some(mut polled) = settle(delivery, polled)? {
                polled.backlog_count_hint = i64::try_from(backlog_count).unwrap_or(i64::MAX);
                polled.scaling = scaling;
                return Ok(Some(polled));
            }
        }
    }

    /// A poll for activity tasks; `None` when nothing came (answer with an empty message).
    ///
    /// # Errors
    /// [`CallError::Unavailable`].
    pub async fn poll_activity_task(
        &self,
        namespace: &Arc<Namespace>,
        poll: impl Into<matching::Poll>,
    ) -> Result<Option<Box<PollActivityTaskQueueResponse>>, CallError> {
        let poll = poll.into();
        let since = Instant::now();
        loop {
            let delivery = self
                .matching
                .poll(namespace.id, QueueKind::Activity, &poll)
                .await;
            let Some(delivery) = delivery else {
                return Ok(None);
            };
            let polled = match delivery.task().cloned() {
                Some(Task::Execution(task)) => {
                    self.claim_activity_task(namespace, &poll, &task).await
                }
                Some(Task::Query(_) | Task::Nexus(_)) | None => Ok(None),
            };
            let scaling = delivery.scaling_hint(since.elapsed());
            if let Some(mut polled) = settle(delivery, polled)? {
                polled.poller_scaling_decision = scaling;
                return Ok(Some(polled));
            }
        }
    }

    async fn claim_workflow_task(
        &self,
        namespace: &Arc<Namespace>,
        poll: &matching::Poll,
        task: &TaskRef,
    ) -> Result<Option<PolledWorkflowTask>, CallError> {
        let claim = Input::StartWorkflowTask(StartWorkflowTask {
            scheduled_event_id: task.scheduled_event_id,
            attempt: task.attempt,
            request_id: Uuid::new_v4().to_string(),
            identity: poll.identity.clone(),
            sticky: poll.sticky,
            version: poll.version.clone(),
            build: poll.build.clone(),
            directive: Some(task.directive.as_deref().cloned().unwrap_or_default()),
        });
        let stepped = self.claim(namespace, task, claim).await?;
        let Stepped {
            run_id,
            reply: Reply::WorkflowTask(claimed),
            history,
            queries,
        } = stepped
        else {
            return Ok(None);
        };
        Ok(Some(PolledWorkflowTask {
            workflow_id: Arc::clone(&task.key.workflow_id),
            run_id,
            task_token: claimed.token.encode_to_vec().into(),
            kind: PolledKind::WorkflowTask {
                task: claimed,
                queries,
            },
            history: history.unwrap_or_default(),
            backlog_count_hint: 0,
            scaling: None,
        }))
    }

    async fn claim_activity_task(
        &self,
        namespace: &Arc<Namespace>,
        poll: &matching::Poll,
        task: &TaskRef,
    ) -> Result<Option<Box<PollActivityTaskQueueResponse>>, CallError> {
        let claim = StartActivityTask {
            scheduled_event_id: task.scheduled_event_id,
            attempt: task.attempt,
            stamp: task.stamp,
            request_id: Uuid::new_v4().to_string(),
            identity: poll.identity.clone(),
            version: poll.version.clone(),
            directive: Some(task.directive.as_deref().cloned().unwrap_or_default()),
            sdk: poll.sdk.clone(),
        };
        let claim: execution::Input = match Kind::of(task.key.kind) {
            Some(Kind::Activity) => activity::Input::StartActivityTask(claim).into(),
            _ => Input::StartActivityTask(claim).into(),
        };
        match self.claim(namespace, task, claim).await?.reply {
            Reply::ActivityTask(claimed) => Ok(Some(claimed)),
            _ => Ok(None),
        }
    }

    async fn claim(
        &self,
        namespace: &Arc<Namespace>,
        task: &TaskRef,
        claim: impl Into<execution::Input>,
    ) -> Result<Stepped, CallError> {
        let workflow_id = Arc::clone(&task.key.workflow_id);
        self.shards
            .step(namespace, workflow_id, Some(task.key.run_id), claim)
            .await
    }

    async fn take_query(
        &self,
        namespace: &Arc<Namespace>,
        poll: &matching::Poll,
        query: &QueryTask,
    ) -> Result<Option<PolledWorkflowTask>, CallError> {
        let key = &query.key;
        let (task, history) = self
            .shards
            .query_task(namespace, &key.workflow_id, key.run_id, poll.sticky)
            .await?;
        let token = QueryTaskToken {
            namespace_id: Bytes::copy_from_slice(namespace.id.as_bytes()),
            query_id: Bytes::copy_from_slice(query.id.as_bytes()),
        };
        Ok(Some(PolledWorkflowTask {
            workflow_id: Arc::clone(&key.workflow_id),
            run_id: key.run_id,
            task_token: token.encode_to_vec().into(),
            kind: PolledKind::Query {
                query: query.query.clone(),
                workflow_type: task.workflow_type,
                previous_started_event_id: task.previous_started_event_id,
                task_queue: task.task_queue,
            },
            history,
            backlog_count_hint: 0,
            scaling: None,
        }))
    }
}

/// What becomes of a delivery: the worker has it; or it was gone, and the poll goes on; or nothing was
/// decided, and it goes back to its queue.
fn settle<T>(
    delivery: Delivery,
    claimed: Result<Option<T>, CallError>,
) -> Result<Option<T>, CallError> {
    match claimed {
        Ok(Some(claimed)) => {
            delivery.accept();
            Ok(Some(claimed))
        }
        Err(CallError::Rejected(rejection)) => {
            if !matches!(rejection, Rejection::TaskGone) {
                tracing::debug!(%rejection, "a task could not be claimed");
            }
            delivery.gone();
            Ok(None)
        }
        Ok(None) => {
            delivery.gone();
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
