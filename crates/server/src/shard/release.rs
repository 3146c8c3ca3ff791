//! What is held back until a commit is durable, and what becomes of it then.

use std::sync::Arc;

use engine::execution::{Effect, PeerAnswer, Send as Sent, answer_for_missing};
use engine::workflow::UpdateStage;
use store::ExecutionKey;
use tokio::sync::mpsc;

use super::look::Look;
use super::message::{
    AnswerTo, Body, Message, PeerCall, QueryAnswer, StartAnswer, StepAnswer, Target,
};
use super::slot::{shard_of, slot_of};
use super::update::{News, UpdateAnswer};
use super::{CallError, NamespaceById};
use crate::deployments::Routes;
use crate::matching::Matching;
use crate::nexus::{Call, CallsTo};

/// An answer or an effect, held back.
pub(super) enum Release {
    /// To the caller of a start.
    Start(AnswerTo<StartAnswer>, Result<Box<StartAnswer>, CallError>),
    /// To the caller of a step.
    Step(AnswerTo<StepAnswer>, Result<Box<StepAnswer>, CallError>),
    /// To a reader.
    Look(Box<dyn Look>, Result<(), CallError>),
    /// To someone who asked a workflow.
    Query(AnswerTo<QueryAnswer>, Result<QueryAnswer, CallError>),
    /// To someone who sent or looked for an update.
    Update(AnswerTo<UpdateAnswer>, Result<Box<UpdateAnswer>, CallError>),
    /// To someone who follows an update.
    UpdateNews(mpsc::UnboundedSender<News>, UpdateStage),
    /// To the caller of a delete.
    Delete(AnswerTo<()>, Result<(), CallError>),
    /// Tasks to offer and messages to send, of this run.
    Effects(ExecutionKey, Vec<Effect>),
    /// To the sender of a message.
    Peer(ExecutionKey, u64, PeerAnswer),
    /// Something that found no execution.
    Refusal(Body, CallError),
    /// A run to take up again.
    TakeUp(ExecutionKey),
}

/// What a shard can reach outside of itself.
#[derive(Clone)]
pub(super) struct Outside {
    /// The task queues.
    pub(super) matching: Matching,
    /// All shards' inboxes.
    pub(super) inboxes: Inboxes,
    /// Calls to the outside.
    pub(super) calls: CallsTo,
    /// Namespaces by id.
    pub(super) namespaces: Arc<dyn NamespaceById>,
    /// What worker deployments say.
    pub(super) routes: Arc<Routes>,
}

/// All shards' inboxes, by shard.
#[derive(Clone)]
pub(super) struct Inboxes(pub(super) Arc<[mpsc::UnboundedSender<Message>]>);

impl Inboxes {
    /// Puts a message into the inbox of its execution's shard. A shard that has ended refuses it.
    pub(super) fn send(&self, target: Target, body: Body) {
        // A handful of shards.
        let count = self.0.len() as u32;
        let Some(inbox) = self.0.get(shard_of(target.slot, count) as usize) else {
            return;
        };
        if let Err(mpsc::error::SendError(Message::To(_, body))) =
            inbox.send(Message::To(target, body))
        {
            body.refuse(CallError::stopping());
        }
    }
}

impl Release {
    /// Carries it out: what it waited for is durable. A run to take up is given back.
    pub(super) fn carry_out(self, outside: &Outside) -> Option<ExecutionKey> {
        // Whoever does not wait any more needs no answer; a shard that has ended takes no messages, and
        // what was sent to it is sent again after the restart.
        match self {
            Self::Start(to, answer) => drop(to.send(answer.map(|boxed| *boxed))),
            Self::Step(to, answer) => drop(to.send(answer.map(|boxed| *boxed))),
            Self::Look(look, outcome) => look.answer(outcome),
            Self::Query(to, answer) => drop(to.send(answer)),
            Self::Update(to, answer) => drop(to.send(answer.map(|boxed| *boxed))),
            Self::UpdateNews(to, stage) => drop(to.send(Ok(stage))),
            Self::Delete(to, answer) => drop(to.send(answer)),
            Self::Effects(key, effects) => carry_out_effects(&key, effects, outside),
            Self::Peer(from, seq, answer) => {
                tell_sender(&from, Body::PeerAnswer(seq, answer), outside)
            }
            Self::Refusal(body, error) => body.refuse(error),
            Self::TakeUp(key) => return Some(key),
        }
        None
    }

    /// The commit that it waited for failed.
    pub(super) fn fail(self, error: &CallError, outside: &Outside) {
        match self {
            Self::Start(to, _) => drop(to.send(Err(error.clone()))),
            Self::Step(to, _) => drop(to.send(Err(error.clone()))),
            Self::Look(look, _) => look.answer(Err(error.clone())),
            Self::Query(to, _) => drop(to.send(Err(error.clone()))),
            Self::Update(to, _) => drop(to.send(Err(error.clone()))),
            Self::UpdateNews(to, _) => drop(to.send(Err(error.clone()))),
            Self::Delete(to, _) => drop(to.send(Err(error.clone()))),
            Self::Peer(from, seq, _) => tell_sender(&from, Body::PeerFailed(seq), outside),
            Self::Refusal(body, _) => body.refuse(error.clone()),
            // The runs are loaded again, and offer and send what they then have to.
            Self::Effects(..) | Self::TakeUp(_) => {}
        }
    }
}

/// Offers tasks and sends messages.
pub(super) fn carry_out_effects(key: &ExecutionKey, effects: Vec<Effect>, outside: &Outside) {
    for effect in effects {
        match effect {
            Effect::OfferWorkflowTask(offer) => outside.matching.offer_workflow_task(key, offer),
            Effect::OfferActivityTask(offer) => outside.matching.offer_activity_task(key, offer),
            Effect::Withdraw(id) => outside.matching.withdraw(key.run_id, id),
            Effect::WithdrawAll => outside.matching.withdraw_all(key.run_id),
            Effect::Send(sent) => send(key.clone(), sent, outside),
            Effect::NexusCall(call) => call_outside(key, Call::Nexus(call), outside),
            Effect::CallbackCall(call) => call_outside(key, Call::Callback(call), outside),
        }
    }
}

/// Asks something of the outside. When nobody carries calls out any more, the node stops.
fn call_outside(key: &ExecutionKey, call: Call, outside: &Outside) {
    let _ = outside.calls.send((key.clone(), call));
}

/// Brings a message to its receiver's shard.
fn send(from: ExecutionKey, sent: Sent, outside: &Outside) {
    let Some(namespace) = outside.namespaces.namespace_by_id(sent.namespace_id) else {
        let answer = answer_for_missing(&sent.message);
        tell_sender(&from, Body::PeerAnswer(sent.seq, answer), outside);
        return;
    };
    let target = Target {
        slot: slot_of(namespace.id, &sent.workflow_id),
        kind: sent.kind.number(),
        workflow_id: sent.workflow_id.as_str().into(),
        run_id: sent.run_id,
        namespace,
    };
    outside
        .inboxes
        .send(target, Body::Peer(Box::new(PeerCall { from, sent })));
}

/// Tells a sender what became of its message.
pub(super) fn tell_sender(from: &ExecutionKey, body: Body, outside: &Outside) {
    // Without its namespace the sender is being deleted.
    if let Some(namespace) = outside.namespaces.namespace_by_id(from.namespace) {
        outside.inboxes.send(Target::of(from, namespace), body);
    }
}
