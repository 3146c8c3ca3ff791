//! What goes into a shard's inbox.

use std::sync::Arc;

use engine::Namespace;
use engine::deployment::Directive;
use engine::execution::{Input, PeerAnswer, Reply, Send as Sent, StartInput, StartReply, missing};
use engine::rejection::Rejection;
use engine::time::Timestamp;
use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::query::v1::{WorkflowQuery, WorkflowQueryResult};
use store::ExecutionKey;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::cache::WorkflowRef;
use super::history::TaskHistoryPlan;
use super::look::Look;
use super::reset::ResetCall;
use super::update::{UpdateAnswer, UpdateCall};
use super::{CallError, When};
use engine::workflow::state::workflow_task::Sticky;

/// Where an answer goes.
pub(super) type AnswerTo<T> = oneshot::Sender<Result<T, CallError>>;

/// Which execution is meant.
#[derive(Clone)]
pub(super) struct Target {
    /// Its namespace.
    pub(super) namespace: Arc<Namespace>,
    /// Where its workflow id lies.
    pub(super) slot: u16,
    /// Its kind.
    pub(super) kind: u8,
    /// Its workflow id, or what takes its place.
    pub(super) workflow_id: Arc<str>,
    /// Its run; `None` is the current one.
    pub(super) run_id: Option<Uuid>,
}

impl Target {
    /// One run.
    pub(super) fn of(key: &ExecutionKey, namespace: Arc<Namespace>) -> Self {
        Self {
            namespace,
            slot: key.slot,
            kind: key.kind,
            workflow_id: Arc::clone(&key.workflow_id),
            run_id: Some(key.run_id),
        }
    }

    /// The name in the store of one of its runs.
    pub(super) fn key(&self, run_id: Uuid) -> ExecutionKey {
        ExecutionKey {
            slot: self.slot,
            namespace: self.namespace.id,
            kind: self.kind,
            workflow_id: Arc::clone(&self.workflow_id),
            run_id,
        }
    }

    /// Its id, whatever the run.
    pub(super) fn id(&self) -> WorkflowRef<'_> {
        WorkflowRef {
            namespace: self.namespace.id,
            kind: self.kind,
            workflow_id: &self.workflow_id,
        }
    }

    /// What to say when there is no such run.
    pub(super) fn missing(&self) -> Rejection {
        missing(self.kind, &self.workflow_id, self.run_id)
    }
}

/// Everything that can be put into an inbox.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is the large one"
)]
pub(super) enum Message {
    /// Something for an execution.
    To(Target, Body),
    /// The clock has jumped: look what is due.
    Wake,
    /// Finish what is under way and end.
    Stop(oneshot::Sender<()>),
}

/// What an execution can be sent.
pub(super) enum Body {
    /// Start a run.
    Start(Box<StartInput>, AnswerTo<StartAnswer>),
    /// One input to an existing run.
    Step(Input, AnswerTo<StepAnswer>),
    /// Look at a state.
    Look(Box<dyn Look>),
    /// Look at a state once something has come about.
    LookWhen(When, Box<dyn Look>),
    /// Ask a workflow.
    Query(Box<QueryCall>),
    /// Send a workflow an update, or find one.
    Update(Box<UpdateCall>),
    /// Delete a run.
    Delete(AnswerTo<()>),
    /// Reset a run.
    Reset(Box<ResetCall>),
    /// A message from another execution.
    Peer(Box<PeerCall>),
    /// The answer to a message that this execution sent.
    PeerAnswer(u64, PeerAnswer),
    /// A message that this execution sent could not be taken for now: send it again later.
    PeerFailed(u64),
}

impl Body {
    /// Whether it comes from another execution: then nobody waits for it, and it must not be lost.
    pub(super) fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Peer(_) | Self::PeerAnswer(..) | Self::PeerFailed(_)
        )
    }

    /// Whether the caller has gone away, so that a claim would be for nobody.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Step(input, answer) => input.is_claim() && answer.is_closed(),
            Self::Look(look) | Self::LookWhen(_, look) => look.is_abandoned(),
            Self::Update(call) => call.is_abandoned(),
            _ => false,
        }
    }

    /// Answers without doing anything.
    pub(super) fn refuse(self, error: CallError) {
        // Whoever does not wait any more needs no answer.
        match self {
            Self::Start(_, answer) => drop(answer.send(Err(error))),
            Self::Step(_, answer) => drop(answer.send(Err(error))),
            Self::Look(look) | Self::LookWhen(_, look) => look.answer(Err(error)),
            Self::Query(call) => drop(call.answer.send(Err(error))),
            Self::Update(call) => call.refuse(error),
            Self::Delete(answer) => drop(answer.send(Err(error))),
            Self::Reset(call) => drop(call.answer.send(Err(error))),
            Self::Peer(_) | Self::PeerAnswer(..) | Self::PeerFailed(_) => {}
        }
    }
}

/// A message on its way to its receiver.
pub(super) struct PeerCall {
    /// The sending run.
    pub(super) from: ExecutionKey,
    /// What it sent.
    pub(super) sent: Sent,
}

/// A question to a workflow.
pub(super) struct QueryCall {
    /// The server's name for it while it is under way.
    pub(super) id: String,
    /// The question.
    pub(super) query: WorkflowQuery,
    /// As on the wire.
    pub(super) reject_condition: i32,
    /// Until when the caller waits.
    pub(super) deadline: Timestamp,
    /// Who asks.
    pub(super) answer: AnswerTo<QueryAnswer>,
}

/// What a shard can say to a question.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "few are under way, and each only for a moment"
)]
pub(crate) enum QueryAnswer {
    /// The caller did not want a run of this status to be asked.
    Rejected(WorkflowExecutionStatus),
    /// No workflow task is in the way: put a query task on a queue.
    Direct {
        /// The run to ask.
        run_id: Uuid,
        /// The normal queue.
        task_queue: Arc<str>,
        /// The worker that has the run cached.
        sticky: Option<Arc<Sticky>>,
        /// The version of worker that can answer.
        directive: Directive,
    },
    /// A worker answered together with a workflow task.
    Answered(WorkflowQueryResult),
    /// The workflow task went by without an answer: ask again.
    Unanswered,
}

/// A start's answer, before its history is complete.
pub(super) struct StartAnswer {
    /// The engine's reply.
    pub(super) reply: StartReply,
    /// What to send with an eager workflow task.
    pub(super) history: Option<TaskHistoryPlan>,
    /// How far the update is that came with it.
    pub(super) update: Option<UpdateAnswer>,
}

/// A step's answer, before its history is complete.
pub(super) struct StepAnswer {
    /// The run that took it.
    pub(super) key: ExecutionKey,
    /// The engine's reply.
    pub(super) reply: Reply,
    /// What to send with a workflow task.
    pub(super) history: Option<TaskHistoryPlan>,
    /// Questions to send with a workflow task.
    pub(super) queries: Vec<(String, WorkflowQuery)>,
}
