//! What a step gives back: one record to make durable, and what the outside must carry out after that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::protocol::v1::Message;
use proto::temporal::api::workflow::v1::WorkflowExecutionOptions;
use proto::temporal::api::workflowservice::v1::PollActivityTaskQueueResponse;
use uuid::Uuid;

use super::input::{NexusCompletion, Peer};
use super::record::Record;
use super::state::State;
use super::token::WorkflowTaskToken;
use super::update::{UpdateNews, UpdateStage};
use crate::deployment::Directive;
use crate::execution::Kind;
use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// The outcome of one step. The state already contains it.
#[derive(Debug)]
pub struct Transition {
    /// What must become durable; `None` when the step changed nothing durable.
    pub record: Option<Record>,
    /// To the caller, once the record (and whatever it may have seen) is durable. A rejection here
    /// can come with a record: a bad command fails its workflow task.
    pub reply: Result<Reply, Rejection>,
    /// To carry out once the record is durable, in order.
    pub effects: Vec<Effect>,
    /// The index row changed: status, close time, memo or search attributes.
    pub row_changed: bool,
    /// The next run of the chain, opened by the same commit.
    pub successor: Option<Box<NewRun>>,
    /// To those who wait for updates, once the record is durable: one an update at most.
    pub updates: Vec<UpdateNews>,
}

/// A run that did not exist before.
#[derive(Debug)]
pub struct NewRun {
    /// Its state, the records applied.
    pub state: State,
    /// What it has from another run, whose events it begins with.
    pub copied: Vec<Record>,
    /// Its first record of its own.
    pub record: Record,
    /// To carry out once durable.
    pub effects: Vec<Effect>,
}

/// The answer to a caller.
#[derive(Debug)]
pub enum Reply {
    /// Done; there is nothing to say.
    Done,
    /// A signal was taken (or had been): the event's id when known, and the request id it carries.
    Signaled,
    /// An update was admitted, or was known: how far it is.
    Update(UpdateStage),
    /// A claimed workflow task.
    WorkflowTask(Box<WorkflowTask>),
    /// A claimed activity task, token and all.
    ActivityTask(Box<PollActivityTaskQueueResponse>),
    /// A completed workflow task.
    WorkflowTaskCompleted(Box<WorkflowTaskCompletedReply>),
    /// A heartbeat.
    Heartbeat {
        /// The activity should stop.
        cancel_requested: bool,
        /// It is paused: it may finish this attempt, or give up.
        activity_paused: bool,
        /// It begins again with its first attempt after this one.
        activity_reset: bool,
    },
    /// The options of an activity after their change.
    ActivityOptions(Box<ActivityOptions>),
    /// The options of a run after their change, and when that was, if anything changed.
    WorkflowOptions(Box<WorkflowExecutionOptions>, Option<Timestamp>),
    /// A failed activity: failures of the server's own making, for an oversized one.
    ActivityTaskFailed,
    /// To a sender's message.
    PeerAnswer(super::input::PeerAnswer),
}

/// What RespondWorkflowTaskCompleted answers with.
#[derive(Debug, Default)]
pub struct WorkflowTaskCompletedReply {
    /// The next workflow task, started inline because the worker asked for it.
    pub workflow_task: Option<WorkflowTask>,
    /// Activities started inline because the worker asked for them.
    pub activity_tasks: Vec<PollActivityTaskQueueResponse>,
    /// A new workflow task was scheduled (inline or not), or the run is closed.
    pub workflow_task_follows: bool,
    /// The task brought nothing and has left no trace: the worker goes back to this started event.
    pub reset_history_event_id: EventId,
}

/// A started workflow task: everything of the poll response except stored history and queries.
#[derive(Clone, Debug)]
pub struct WorkflowTask {
    /// Return address.
    pub token: WorkflowTaskToken,
    /// The workflow's type.
    pub workflow_type: String,
    /// Started event of the last completed workflow task, 0 if none.
    pub previous_started_event_id: EventId,
    /// Of this task.
    pub started_event_id: EventId,
    /// Of this task.
    pub attempt: i32,
    /// When it was scheduled.
    pub scheduled_time: Timestamp,
    /// When it was started.
    pub started_time: Timestamp,
    /// The run's normal task queue.
    pub task_queue: Arc<str>,
    /// Stored events to send: from this one...
    pub history_from: EventId,
    /// ...to this one, inclusive. Less than `history_from` when there are none.
    pub history_to: EventId,
    /// Events that follow the stored ones and are not stored yet: a transient task's scheduled event,
    /// and the started event.
    pub unstored: Vec<HistoryEvent>,
    /// Updates to accept or reject with the task's completion.
    pub messages: Vec<Message>,
}

/// To carry out after the commit.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A workflow task is ready for a worker.
    OfferWorkflowTask(WorkflowTaskOffer),
    /// An activity task is ready for a worker.
    OfferActivityTask(ActivityTaskOffer),
    /// The workflow task or activity of this scheduled event, should it wait for a worker, waits no more.
    Withdraw(EventId),
    /// The run is closed: nothing of it waits for a worker any more.
    WithdrawAll,
    /// A message for another execution.
    Send(Send),
    /// A request to a Nexus handler.
    NexusCall(Box<NexusCall>),
    /// A completion callback to an address elsewhere.
    CallbackCall(Box<CallbackCall>),
}

/// A reference to a ready workflow task.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowTaskOffer {
    /// The normal queue.
    pub task_queue: Arc<str>,
    /// The sticky queue to prefer while someone polls it.
    pub sticky_queue: Option<Arc<str>>,
    /// The task.
    pub scheduled_event_id: EventId,
    /// The attempt.
    pub attempt: i32,
    /// When it became ready.
    pub scheduled_time: Timestamp,
    /// Where in the queue.
    pub priority: Priority,
    /// The version that it needs.
    pub directive: Directive,
}

/// A reference to a ready activity task.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityTaskOffer {
    /// The queue.
    pub task_queue: Arc<str>,
    /// The activity.
    pub scheduled_event_id: EventId,
    /// The attempt.
    pub attempt: i32,
    /// Which offer of it, if it was offered before under other circumstances.
    pub stamp: i32,
    /// When it became ready.
    pub scheduled_time: Timestamp,
    /// Where in the queue.
    pub priority: Priority,
    /// The version that it needs.
    pub directive: Directive,
}

/// A request to a Nexus handler. Its answer comes back as an input with the same attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct NexusCall {
    /// The operation.
    pub scheduled_event_id: EventId,
    /// Attempts before this one.
    pub attempt: i32,
    /// The endpoint's name.
    pub endpoint: Arc<str>,
    /// Its id when the operation was scheduled.
    pub endpoint_id: Arc<str>,
    /// What is asked: to start an operation, or to cancel it.
    pub request: proto::temporal::api::nexus::v1::Request,
    /// How long it may take.
    pub timeout: Duration,
}

/// A completion callback to an address elsewhere. Its answer comes back as an input with the same attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct CallbackCall {
    /// Which callback.
    pub index: u64,
    /// Attempts before this one.
    pub attempt: i32,
    /// The address.
    pub url: String,
    /// Headers to send along.
    pub header: BTreeMap<String, String>,
    /// What to say.
    pub completion: NexusCompletion,
    /// How long it may take.
    pub timeout: Duration,
}

/// Priority and fairness, as matching needs them. Key 0 means the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Priority {
    /// 1 (first) to 5 (last); 0 is the default, 3.
    pub key: i32,
    /// Tasks of different keys take turns.
    pub fairness_key: Arc<str>,
    /// The share of this key; 0 means 1.
    pub fairness_weight: f32,
}

/// A message and where it goes.
#[derive(Clone, Debug)]
pub struct Send {
    /// The sender's number for it; the answer comes back with it.
    pub seq: u64,
    /// The receiver's namespace.
    pub namespace_id: Uuid,
    /// What kind of execution the receiver is.
    pub kind: Kind,
    /// The receiver: its workflow id, or what takes its place.
    pub workflow_id: String,
    /// Its run; `None` is the current one.
    pub run_id: Option<Uuid>,
    /// The message.
    pub message: Peer,
}
