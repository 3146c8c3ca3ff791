//! Starting runs: from clients, and for other executions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine::Env;
use engine::execution::{
    Input, Reply, StartInput, StartOutcome, StartReply, answer_for_missing, start_answer,
    start_message,
};
use engine::rejection::Rejection;
use engine::workflow;
use uuid::Uuid;

use super::CallError;
use super::cell::CommitId;
use super::history::TaskHistoryPlan;
use super::message::{AnswerTo, PeerCall, StartAnswer, Target};
use super::release::{Release, tell_sender};
use super::writer::Shard;
use crate::shard::message::Body;

impl Shard {
    /// A client's start.
    pub(super) fn start(
        &mut self,
        target: &Target,
        current: Option<Uuid>,
        input: StartInput,
        answer: AnswerTo<StartAnswer>,
    ) {
        let update_id = update_id(&input);
        let (outcome, commit) = self.open(target, current, input);
        let outcome = outcome.map(|mut reply| {
            let update = match (&reply, update_id) {
                (StartReply::Workflow(reply), Some(id)) => reply
                    .update
                    .clone()
                    .and_then(|stage| self.follow_update(reply.run_id, id, stage)),
                _ => None,
            };
            let history = match &mut reply {
                StartReply::Workflow(reply) => {
                    reply.eager_workflow_task.as_mut().and_then(|task| {
                        let cell = self.cache.get_mut(reply.run_id)?;
                        Some(TaskHistoryPlan::new(cell, task))
                    })
                }
                StartReply::Activity(_)
                | StartReply::Schedule(_)
                | StartReply::NexusOperation(_) => None,
            };
            Box::new(StartAnswer {
                reply,
                history,
                update,
            })
        });
        self.hold(commit, Release::Start(answer, outcome));
    }

    /// Lets the engine decide on a start, and writes what it decided.
    fn open(
        &mut self,
        target: &Target,
        current: Option<Uuid>,
        input: StartInput,
    ) -> (Result<StartReply, CallError>, CommitId) {
        let time = self.now();
        let mut now = self.steps.next(time);
        let limits = Arc::clone(&self.limits);
        let routing = self.outside.routes.of(target.namespace.id);
        let namespace = &target.namespace;
        let mut first_event_id = 0;
        // What is decided rests on the current run as it is, durable or not; or on its being deleted.
        let seen = match current {
            Some(run_id) => self.last_commit(run_id),
            None => self.deleted_with(target),
        };
        let decided = {
            let mut cell = current.and_then(|run_id| self.cache.get_mut(run_id));
            if let Some(cell) = &cell {
                first_event_id = cell.state.next_event_id();
            }
            let env = Env {
                namespace,
                limits: &limits,
                routing: &routing,
            };
            catch_unwind(AssertUnwindSafe(|| {
                let state = cell.as_mut().map(|cell| &mut cell.state);
                let decided = engine::execution::start(state, input, &mut now, env)?;
                if let (Some(cell), Some(transition)) = (cell, &decided.current) {
                    cell.check_fold(transition.record.as_ref());
                }
                Ok(decided)
            }))
        };
        self.steps.used(&now);
        let outcome = match decided {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(rejection)) => return (Err(CallError::Rejected(rejection)), seen),
            Err(_) => {
                let error = match current {
                    Some(run_id) => self.step_broke(run_id),
                    None => CallError::Rejected(Rejection::Internal("a start failed".to_owned())),
                };
                return (Err(error), seen);
            }
        };
        let StartOutcome {
            current: transition,
            new_run,
            reply,
        } = outcome;
        let mut commit = seen;
        if let (Some(run_id), Some(transition)) = (current, transition) {
            // The reply is the start's own.
            let _ = self.settle(namespace, run_id, first_event_id, transition, time);
            commit = commit.max(self.last_commit(run_id));
        }
        if let Some(new_run) = new_run {
            let run_id = new_run.run_id();
            self.open_run(namespace, target.slot, new_run, time);
            commit = commit.max(self.last_commit(run_id));
        }
        if let Some(run_id) = current {
            self.after_step(run_id, commit);
        }
        (Ok(reply), commit)
    }

    /// A message from another execution.
    pub(super) fn peer(&mut self, target: &Target, run_id: Option<Uuid>, call: PeerCall) {
        if let Some(run_id) = self.forwarded(run_id, &call.sent.message) {
            let mut target = target.clone();
            target.run_id = Some(run_id);
            self.admit(target, Body::Peer(Box::new(call)));
            return;
        }
        let PeerCall { from, sent } = call;
        let (answer, commit) = match (start_message(sent.message), run_id) {
            (Ok(input), current) => {
                let (outcome, commit) = self.open(target, current, input);
                let answer = match outcome {
                    Ok(reply) => start_answer(Ok(reply.run_id())),
                    Err(CallError::Rejected(rejection)) => start_answer(Err(&rejection)),
                    Err(_) => None,
                };
                (answer, commit)
            }
            (Err(message), None) => (
                Some(answer_for_missing(&message)),
                self.deleted_with(target),
            ),
            (Err(message), Some(run_id)) => {
                let missing = answer_for_missing(&message);
                let (outcome, commit) =
                    self.handle(&target.namespace, run_id, Input::Peer(message));
                let answer = match outcome {
                    Ok(Reply::PeerAnswer(answer)) => Some(answer),
                    Err(
                        CallError::Rejected(Rejection::Internal(_)) | CallError::Unavailable(_),
                    ) => None,
                    Ok(_) | Err(_) => Some(missing),
                };
                self.after_step(run_id, commit);
                (answer, commit)
            }
        };
        match answer {
            Some(answer) => self.hold(commit, Release::Peer(from, sent.seq, answer)),
            // Nothing was decided: it is sent again.
            None => tell_sender(&from, Body::PeerFailed(sent.seq), &self.outside),
        }
    }

    /// With which commit a workflow id was left without a current run, as far as that is not durable.
    fn deleted_with(&self, target: &Target) -> CommitId {
        use super::cache::Current;
        match self.cache.current(target.id()) {
            Some(Current::Void(void)) => void.commit(),
            _ => target
                .run_id
                .and_then(|run_id| self.cache.void(run_id))
                .map_or(0, |void| void.commit()),
        }
    }
}

/// The id of the update that comes with a start.
fn update_id(input: &StartInput) -> Option<Arc<str>> {
    let StartInput::Workflow(workflow::StartInput::UpdateWithStart(_, update)) = input else {
        return None;
    };
    let meta = update.request.meta.as_ref()?;
    Some(meta.update_id.as_str().into())
}
