//! Why a rule said no. A rejection is the caller's matter: it changes nothing.
//!
//! The texts are the wire's own (behaviour, section 3.6); the code and the detail message that go
//! with each are chosen in one place, the server's `error.rs`.

use proto::temporal::api::failure::v1::Failure;
use uuid::Uuid;

/// A rule's refusal. `Display` is the message on the wire.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// A request or a command breaks a documented rule: INVALID_ARGUMENT.
    #[error("{0}")]
    InvalidArgument(String),
    /// A precondition does not hold: FAILED_PRECONDITION.
    #[error("{0}")]
    FailedPrecondition(String),
    /// Something other than an execution has this name already: ALREADY_EXISTS.
    #[error("{0}")]
    AlreadyExists(String),
    /// Something other than an execution is unknown: NOT_FOUND.
    #[error("{0}")]
    NotFound(String),
    /// The caller may not do this: PERMISSION_DENIED.
    #[error("{0}")]
    PermissionDenied(String),
    /// A namespace has as many deployments, versions or task queues as it may: RESOURCE_EXHAUSTED,
    /// cause WORKER_DEPLOYMENT_LIMITS.
    #[error("{0}")]
    WorkerDeploymentLimit(String),
    /// Not served: UNIMPLEMENTED.
    #[error("{0}")]
    Unimplemented(String),
    /// An unexpected error, masked on the wire: UNKNOWN.
    #[error("{0}")]
    Internal(String),
    /// No run has this workflow id.
    #[error("workflow not found for ID: {workflow_id}")]
    WorkflowNotFound {
        /// The id asked for.
        workflow_id: String,
    },
    /// No run of this workflow id has this run id.
    #[error(
        "workflow execution not found for workflow ID \"{workflow_id}\" and run ID \"{run_id}\""
    )]
    RunNotFound {
        /// The workflow id asked for.
        workflow_id: String,
        /// The run id asked for.
        run_id: String,
    },
    /// The chain asked for by `first_execution_run_id` is not the current one.
    #[error("workflow execution not found")]
    ChainNotFound,
    /// The run is closed.
    #[error("workflow execution already completed")]
    AlreadyCompleted,
    /// A workflow task's token is stale, or of a task that the server no longer has started.
    #[error("Workflow task not found.")]
    WorkflowTaskNotFound,
    /// Pages of a workflow task's completion are not there, and must be sent again from the first on.
    #[error("{0}")]
    CompletionPagesLost(String),
    /// A workflow task was kept alive by heartbeats for too long.
    #[error("workflow task heartbeat timeout")]
    WorkflowTaskHeartbeatTimeout,
    /// An activity task's token is stale.
    #[error("invalid activityID or activity already timed out or invoking workflow is completed")]
    ActivityTaskNotFound,
    /// No pending activity has this id.
    #[error(
        "cannot find pending activity with ActivityID {activity_id}, check workflow execution history for more details"
    )]
    ActivityNotFound {
        /// The id asked for.
        activity_id: String,
    },
    /// The workflow id is in use, or may not be used again.
    #[error("{message}")]
    AlreadyStarted {
        /// The wire's text; it depends on the policy.
        message: String,
        /// Request id that started the run in the way.
        start_request_id: String,
        /// The run in the way.
        run_id: Uuid,
        /// The first run of its chain.
        first_execution_run_id: String,
    },
    /// A standalone activity's id is in use, or may not be used again.
    #[error("activity execution already started")]
    ActivityAlreadyStarted {
        /// Request id that started the one in the way.
        start_request_id: String,
        /// The run in the way.
        run_id: Uuid,
    },
    /// No standalone activity has this id.
    #[error("activity not found for ID: {activity_id}")]
    StandaloneActivityNotFound {
        /// The id asked for.
        activity_id: String,
    },
    /// A standalone Nexus operation's id is in use, or may not be used again.
    #[error(
        "nexus operation execution already started: request_id={start_request_id}, run_id={run_id}"
    )]
    NexusOperationAlreadyStarted {
        /// Request id that started the one in the way.
        start_request_id: String,
        /// The run in the way.
        run_id: Uuid,
    },
    /// No standalone Nexus operation has this id.
    #[error("operation not found for ID: {operation_id}")]
    NexusOperationNotFound {
        /// The id asked for.
        operation_id: String,
    },
    /// A schedule of this id lives.
    #[error("schedule {schedule_id:?} is already registered")]
    ScheduleExists {
        /// The id asked for.
        schedule_id: String,
    },
    /// A worker answered a query with a failure.
    #[error("{message}")]
    QueryFailed {
        /// The worker's text.
        message: String,
        /// The worker's failure, if it sent one.
        failure: Option<Box<Failure>>,
    },
    /// The workflow cannot answer now: FAILED_PRECONDITION with WorkflowNotReadyFailure.
    #[error("{0}")]
    WorkflowNotReady(String),
    /// The workflow is too busy for one more: RESOURCE_EXHAUSTED, cause BUSY_WORKFLOW.
    #[error("{0}")]
    BusyWorkflow(String),
    /// A limit of concurrency is reached: RESOURCE_EXHAUSTED, cause CONCURRENT_LIMIT.
    #[error("{0}")]
    ConcurrentLimit(String),
    /// The run closed before the update was accepted.
    #[error("workflow update was aborted by closing workflow")]
    UpdateAborted,
    /// No update of the run has this id.
    #[error("update {update_id:?} not found")]
    UpdateNotFound {
        /// The id asked for.
        update_id: String,
    },
    /// Of a start with an update: the update was refused, not the start.
    #[error("{0}")]
    UpdateWithStart(Box<Rejection>),
    /// A namespace is unknown.
    #[error("Namespace {namespace} is not found.")]
    NamespaceNotFound {
        /// The name or id asked for.
        namespace: String,
    },
    /// A task offered to a poller is no longer there: it was started, timed out, or its run closed.
    /// Never reaches the wire: the poll goes on to the next task.
    #[error("task is gone")]
    TaskGone,
}

impl Rejection {
    /// Shorthand for the most common refusal.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidArgument(message.into())
    }
}
