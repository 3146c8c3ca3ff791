//! What can reach a run: one variant a verb, carrying the wire's own request where there is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::temporal::api::command::v1::Command;
use proto::temporal::api::common::v1::{
    Link, Payload, Payloads, WorkerVersionStamp, WorkflowExecution,
};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::StartChildWorkflowExecutionInitiatedEventAttributes;
use proto::temporal::api::workflowservice::v1::{
    PauseActivityRequest, PauseWorkflowExecutionRequest, ResetActivityRequest,
    RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskFailedRequest,
    SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest, UnpauseActivityRequest, UnpauseWorkflowExecutionRequest,
    UpdateActivityOptionsRequest, UpdateWorkflowExecutionOptionsRequest,
};
use uuid::Uuid;

use super::token::{ActivityTaskToken, WorkflowTaskToken};
use super::update::UpdateWorkflow;
use super::versioning::Inherited;
use crate::deployment::{Directive, Version};
use crate::ids::EventId;
use crate::time::Timestamp;

/// Everything that can happen to an existing run.
#[derive(Clone, Debug)]
pub enum Input {
    /// SignalWorkflowExecution.
    Signal(Box<SignalWorkflowExecutionRequest>),
    /// RequestCancelWorkflowExecution. Silent on a closed run or when already requested.
    RequestCancel(RequestCancel),
    /// TerminateWorkflowExecution.
    Terminate(Box<TerminateWorkflowExecutionRequest>),
    /// DeleteWorkflowExecution.
    Delete,
    /// UpdateWorkflowExecution.
    Update(Box<UpdateWorkflow>),
    /// ResetStickyTaskQueue, and what an unreachable sticky worker amounts to.
    ResetStickyTaskQueue,

    /// A poller claims an offered workflow task.
    StartWorkflowTask(StartWorkflowTask),
    /// RespondWorkflowTaskCompleted.
    WorkflowTaskCompleted(Box<WorkflowTaskCompleted>),
    /// RespondWorkflowTaskFailed.
    WorkflowTaskFailed(WorkflowTaskToken, Box<RespondWorkflowTaskFailedRequest>),

    /// A poller claims an offered activity task.
    StartActivityTask(StartActivityTask),
    /// RecordActivityTaskHeartbeat and its by-id form.
    ActivityTaskHeartbeat(ActivityTarget, Option<Payloads>, String),
    /// RespondActivityTaskCompleted and its by-id form.
    ActivityTaskCompleted(ActivityTarget, Box<ActivityCompleted>),
    /// RespondActivityTaskFailed and its by-id form.
    ActivityTaskFailed(ActivityTarget, Box<ActivityFailed>),
    /// RespondActivityTaskCanceled and its by-id form: details, identity.
    ActivityTaskCanceled(ActivityTarget, Option<Payloads>, String),

    /// A reset has opened a run with events of this one, or makes room for it.
    Reset(ResetMark),
    /// UpdateWorkflowExecutionOptions.
    UpdateWorkflowOptions(Box<UpdateWorkflowExecutionOptionsRequest>),
    /// PauseWorkflowExecution.
    PauseWorkflow(Box<PauseWorkflowExecutionRequest>),
    /// UnpauseWorkflowExecution.
    UnpauseWorkflow(Box<UnpauseWorkflowExecutionRequest>),
    /// PauseActivity and PauseActivityExecution.
    PauseActivity(Box<PauseActivityRequest>),
    /// UnpauseActivity and UnpauseActivityExecution.
    UnpauseActivity(Box<UnpauseActivityRequest>),
    /// ResetActivity and ResetActivityExecution.
    ResetActivity(Box<ResetActivityRequest>),
    /// UpdateActivityOptions and UpdateActivityExecutionOptions.
    UpdateActivityOptions(Box<UpdateActivityOptionsRequest>),
    /// A handler's answer to a request to start a Nexus operation: its scheduled event, the attempt.
    NexusStartAnswered(EventId, i32, Box<NexusAnswer>),
    /// A handler's answer to a request to cancel one.
    NexusCancelAnswered(EventId, i32, Box<NexusAnswer>),
    /// The result of a Nexus operation, from outside.
    NexusOperationCompleted(Box<NexusCompletion>),
    /// What became of a callback to an address elsewhere: which, the attempt.
    CallbackAnswered(u64, i32, CallbackAnswer),

    /// Time has passed: whatever is due, fires. Harmless when nothing is.
    Deadline,

    /// A message from another execution.
    Peer(Peer),
    /// The answer to a message that this run sent.
    PeerAnswer(u64, PeerAnswer),
}

/// The fields of a cancel request that matter, from a client or from another workflow.
#[derive(Clone, Debug, Default)]
pub struct RequestCancel {
    /// Free text.
    pub reason: String,
    /// Who asks.
    pub identity: String,
    /// Dedups the caller's retries.
    pub request_id: String,
    /// Links to record on the event.
    pub links: Vec<Link>,
    /// When not empty, the chain that must be the current one.
    pub first_execution_run_id: String,
}

/// What a reset does to the runs that were there.
#[derive(Clone, Debug, Default)]
pub struct ResetMark {
    /// To the run that was reset: the run that takes its place.
    pub reset_to: Option<Uuid>,
    /// To an open current run: it is terminated, for this reason.
    pub terminate: Option<String>,
    /// The first run of the chain that goes on with the new run.
    pub chain: String,
}

/// A poller's claim of a workflow task.
#[derive(Clone, Debug)]
pub struct StartWorkflowTask {
    /// Of the offer.
    pub scheduled_event_id: EventId,
    /// Of the offer.
    pub attempt: i32,
    /// The poller's own id for this claim.
    pub request_id: String,
    /// The worker.
    pub identity: String,
    /// The queue that was polled is a sticky one.
    pub sticky: bool,
    /// The worker's version.
    pub version: Option<Version>,
    /// The build of a worker that has no version.
    pub build: Option<WorkerVersionStamp>,
    /// Of the offer; not looked at when there is none.
    pub directive: Option<Directive>,
}

/// A poller's claim of an activity task.
#[derive(Clone, Debug)]
pub struct StartActivityTask {
    /// Of the offer.
    pub scheduled_event_id: EventId,
    /// Of the offer.
    pub attempt: i32,
    /// Of the offer.
    pub stamp: i32,
    /// The poller's own id for this claim.
    pub request_id: String,
    /// The worker.
    pub identity: String,
    /// The worker's version.
    pub version: Option<Version>,
    /// Of the offer; not looked at when there is none.
    pub directive: Option<Directive>,
    /// Name and version of the worker's SDK, as it says.
    pub sdk: (String, String),
}

/// A completed workflow task.
#[derive(Clone, Debug)]
pub struct WorkflowTaskCompleted {
    /// The task.
    pub token: WorkflowTaskToken,
    /// The worker's request, whole: commands, sticky attributes, metadata.
    pub request: RespondWorkflowTaskCompletedRequest,
    /// The ids of the Nexus endpoints that the commands name, by name.
    pub nexus_endpoints: BTreeMap<String, String>,
}

impl WorkflowTaskCompleted {
    /// The commands, in the worker's order.
    pub fn commands(&self) -> &[Command] {
        &self.request.commands
    }
}

/// An activity attempt that came to its end.
#[derive(Clone, Debug)]
pub struct ActivityCompleted {
    /// What the activity gives back.
    pub result: Option<Payloads>,
    /// The worker.
    pub identity: String,
    /// The worker's build, when it says one.
    pub worker_version: Option<WorkerVersionStamp>,
}

/// A failed activity attempt.
#[derive(Clone, Debug)]
pub struct ActivityFailed {
    /// The worker's failure.
    pub failure: Option<Failure>,
    /// Progress to keep for the next attempt.
    pub last_heartbeat_details: Option<Payloads>,
    /// The worker.
    pub identity: String,
    /// The worker's build, when it says one.
    pub worker_version: Option<WorkerVersionStamp>,
}

/// Which activity is meant.
#[derive(Clone, Debug)]
pub enum ActivityTarget {
    /// By the token of one attempt.
    Token(ActivityTaskToken),
    /// By the id that the workflow gave it: whatever attempt is current.
    Id(String),
}

/// What one run durably sends another. Delivered at least once; each is recognised by the receiver
/// from what it carries, so that it takes effect once (DESIGN invariant 7).
#[derive(Clone, Debug)]
pub enum Peer {
    /// Start a child. Handled by the start door, not by an existing run.
    StartChild(Box<StartChild>),
    /// The parent has recorded the child's start: its first workflow task may be scheduled.
    ParentReady,
    /// SIGNAL_EXTERNAL_WORKFLOW_EXECUTION arrives.
    Signal {
        /// The sender.
        from: Sender,
        /// The signal as the receiver records it; `request_id` recognises repeats.
        signal: Box<SignalWorkflowExecutionRequest>,
    },
    /// REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION arrives.
    RequestCancel {
        /// The sender.
        from: Sender,
        /// Free text.
        reason: String,
    },
    /// The parent closed, and its policy says to terminate this child.
    ParentClosedTerminate(Sender),
    /// The parent closed, and its policy says to cancel this child.
    ParentClosedRequestCancel(Sender),
    /// A child's chain has closed.
    ChildClosed(Box<ChildClosed>),
    /// Start a schedule's action. Handled by the start door, not by an existing run.
    StartScheduled(Box<StartScheduled>),
    /// A schedule's overlap policy wants this chain to end.
    StopAction(Box<StopAction>),
    /// To a schedule: the chain that its action started has closed.
    ActionClosed(Box<ActionClosed>),
    /// The result of a Nexus operation that this execution was.
    NexusOperationCompleted(Box<NexusCompletion>),
    /// A child has waited for long to hear that its start is recorded: is it?
    ChildAwaits {
        /// The parent's event that asked for the child.
        initiated_event_id: EventId,
        /// The child.
        execution: WorkflowExecution,
    },
}

/// The run that sent a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// Its namespace's name.
    pub namespace: String,
    /// Its ids.
    pub execution: WorkflowExecution,
    /// The event of the sender that caused the message.
    pub initiated_event_id: EventId,
    /// The receiver must be a child of the sender.
    pub child_workflow_only: bool,
}

/// A child to start.
#[derive(Clone, Debug)]
pub struct StartChild {
    /// The parent.
    pub parent: Sender,
    /// The parent's namespace id.
    pub parent_namespace_id: Uuid,
    /// The root of the tree.
    pub root: WorkflowExecution,
    /// What the parent's event says of the child.
    pub initiated: Arc<StartChildWorkflowExecutionInitiatedEventAttributes>,
    /// Recognises a repeated start: the same message always carries the same id.
    pub request_id: String,
    /// Unset priority fields come from the parent.
    pub request: Box<StartWorkflowExecutionRequest>,
    /// The parent's version.
    pub inherited: Inherited,
}

/// Who is told how a chain ends: a schedule, of one of its actions. Runs of a chain pass it on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Watcher {
    /// The schedule's id in the store. It is in the chain's own namespace.
    #[prost(string, tag = "1")]
    pub workflow_id: String,
    /// The schedule's life, 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub run_id: bytes::Bytes,
    /// The schedule's own number for the action.
    #[prost(uint64, tag = "3")]
    pub number: u64,
}

/// A schedule's action to start.
#[derive(Clone, Debug)]
pub struct StartScheduled {
    /// Who wants it. Recognises a repeated start: no two actions have the same.
    pub watcher: Watcher,
    /// The workflow.
    pub request: Box<StartWorkflowExecutionRequest>,
}

/// A schedule wants an action of its to end.
#[derive(Clone, Debug)]
pub struct StopAction {
    /// The chain that is meant.
    pub first_execution_run_id: String,
    /// Why.
    pub reason: String,
    /// The schedule.
    pub identity: String,
    /// Recognises a repeated cancel request.
    pub request_id: String,
    /// Terminate it; otherwise cancel it.
    pub terminate: bool,
}

/// How an action's chain ended.
#[derive(Clone, Debug)]
pub struct ActionClosed {
    /// The schedule's own number for the action.
    pub number: u64,
    /// The first run of the chain.
    pub first_execution_run_id: String,
    /// Of the last run, as on the wire.
    pub status: i32,
    /// What it completed with.
    pub result: Option<Payloads>,
    /// What it failed with.
    pub failure: Option<Failure>,
}

/// How a child's chain ended.
#[derive(Clone, Debug)]
pub struct ChildClosed {
    /// The parent's event that asked for the child.
    pub initiated_event_id: EventId,
    /// The child's last run.
    pub execution: WorkflowExecution,
    /// The child's first run, by which the parent knows it.
    pub first_execution_run_id: String,
    /// The child's type.
    pub workflow_type: String,
    /// The child's close event.
    pub event: proto::temporal::api::history::v1::HistoryEvent,
}

/// What a receiver answers to a [`Peer`] message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAnswer {
    /// Taken (or had been taken before).
    Taken,
    /// The child runs, as this run.
    ChildStarted(Uuid),
    /// The child's id is in use.
    ChildAlreadyExists,
    /// The worker version that the child was to be moved to is none.
    OverrideRefused,
    /// No such run, or it is closed, or it is the sender itself.
    NotFound,
    /// The receiver takes no more signals.
    SignalLimit,
}

/// A handler's answer to a request about a Nexus operation.
#[derive(Clone, Debug, PartialEq)]
pub enum NexusAnswer {
    /// The operation has its result already; or a cancellation was taken.
    Ended {
        /// How.
        outcome: NexusOutcome,
        /// What to record with it.
        links: Vec<Link>,
    },
    /// It was started; the result comes later.
    Started {
        /// The handler's name for it.
        token: String,
        /// What to record with it.
        links: Vec<Link>,
    },
    /// It was not carried out.
    Refused {
        /// Why.
        failure: Failure,
        /// Whether it may be asked again.
        retryable: bool,
    },
}

/// How a Nexus operation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum NexusOutcome {
    /// Well.
    Succeeded(Option<Payload>),
    /// With a failure.
    Failed(Failure),
    /// By being cancelled.
    Canceled(Failure),
}

/// The result of a Nexus operation, as its callback brings it.
#[derive(Clone, Debug, PartialEq)]
pub struct NexusCompletion {
    /// The caller's NEXUS_OPERATION_SCHEDULED.
    pub scheduled_event_id: EventId,
    /// The operation's request id.
    pub request_id: String,
    /// The handler's name for it, if it says.
    pub operation_token: String,
    /// When the handler started it.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub close_time: Option<Timestamp>,
    /// Where it ran.
    pub links: Vec<Link>,
    /// How it ended.
    pub outcome: NexusOutcome,
}

/// What became of a callback.
#[derive(Clone, Debug, PartialEq)]
pub enum CallbackAnswer {
    /// It was taken.
    Taken,
    /// It was not.
    Refused {
        /// Why.
        failure: Box<Failure>,
        /// Whether it is to be tried again.
        retryable: bool,
    },
}
