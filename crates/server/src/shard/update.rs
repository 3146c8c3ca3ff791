//! Updates, as far as the shard has to do with them: it takes them in, and tells those who wait how far
//! they are. What is told is durable.

use std::sync::Arc;

use engine::Namespace;
use engine::execution::{Kind, Reply};
use engine::rejection::Rejection;
use engine::workflow::state::State;
use engine::workflow::{Input, UpdateNews, UpdateStage, UpdateWorkflow, update_stage};
use prost::Message as _;
use proto::temporal::api::history::v1::History;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::update::v1::Outcome;
use store::Store;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::cell::Cell;
use super::handle::{Shards, receive, target};
use super::history::TaskHistoryPlan;
use super::message::{AnswerTo, Body};
use super::release::Release;
use super::writer::Shard;
use super::{CallError, TaskHistory};

/// What those who wait for an update hear: each stage that it reaches.
pub(super) type News = Result<UpdateStage, CallError>;

/// A call about an update.
pub(super) struct UpdateCall {
    what: UpdateWhat,
    answer: AnswerTo<UpdateAnswer>,
}

impl UpdateCall {
    /// Answers without doing anything.
    pub(super) fn refuse(self, error: CallError) {
        // Whoever does not wait any more needs no answer.
        drop(self.answer.send(Err(error)));
    }

    /// Nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }
}

enum UpdateWhat {
    /// A new one, or one that is known.
    Send(Box<UpdateWorkflow>),
    /// One that must be known.
    Find(Arc<str>),
}

/// Somebody who waits for an update to get further.
pub(super) struct UpdateWaiter {
    update_id: Arc<str>,
    news: mpsc::UnboundedSender<News>,
}

impl UpdateWaiter {
    pub(super) fn is_gone(&self) -> bool {
        self.news.is_closed()
    }
}

/// How far an update is, before its outcome is read.
pub(super) struct UpdateAnswer {
    run_id: Uuid,
    stage: UpdateStage,
    /// Where the outcome is that history tells.
    history: Option<TaskHistoryPlan>,
    /// What comes later.
    news: Option<mpsc::UnboundedReceiver<News>>,
}

/// An update that its caller follows.
#[derive(Debug)]
pub struct FollowedUpdate {
    /// The run that has it.
    pub run_id: Uuid,
    /// How far it is: with its outcome, if it has one.
    pub stage: UpdateStage,
    news: Option<mpsc::UnboundedReceiver<News>>,
}

impl FollowedUpdate {
    /// Waits until it gets further.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] when the server has forgotten the update: it must be sent again.
    pub async fn advance(&mut self) -> Result<(), CallError> {
        let news = match &mut self.news {
            Some(news) => news.recv().await,
            None => None,
        };
        let aborted = || CallError::Unavailable("workflow update was aborted".to_owned());
        self.stage = news.ok_or_else(aborted)??;
        Ok(())
    }
}

impl Shards {
    /// UpdateWorkflowExecution: takes an update, or finds that it is known.
    ///
    /// # Errors
    /// As [`Shards::step`].
    pub async fn update(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        update: UpdateWorkflow,
    ) -> Result<FollowedUpdate, CallError> {
        let what = UpdateWhat::Send(Box::new(update));
        self.call_update(namespace, workflow_id.into(), run_id, what)
            .await
    }

    /// PollWorkflowExecutionUpdate: an update that is known.
    ///
    /// # Errors
    /// [`Rejection::UpdateNotFound`]; as [`Shards::step`].
    pub async fn find_update(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        update_id: impl Into<Arc<str>>,
    ) -> Result<FollowedUpdate, CallError> {
        let what = UpdateWhat::Find(update_id.into());
        self.call_update(namespace, workflow_id.into(), run_id, what)
            .await
    }

    async fn call_update(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: Arc<str>,
        run_id: Option<Uuid>,
        what: UpdateWhat,
    ) -> Result<FollowedUpdate, CallError> {
        let (answer, receiver) = oneshot::channel();
        let call = UpdateCall { what, answer };
        let target = target(namespace, Kind::Workflow, workflow_id, run_id);
        self.send(target, Body::Update(Box::new(call)));
        receive(receiver).await?.complete(self.store()).await
    }
}

impl UpdateAnswer {
    /// Reads the outcome that history tells.
    pub(super) async fn complete(self, store: &dyn Store) -> Result<FollowedUpdate, CallError> {
        let stage = match self.history {
            Some(history) => {
                let outcome = outcome_of(&history.complete(store).await?);
                let outcome = outcome.ok_or_else(|| {
                    CallError::Rejected(Rejection::Internal(
                        "history does not tell the outcome of an update".to_owned(),
                    ))
                })?;
                UpdateStage::Completed(Box::new(outcome))
            }
            None => self.stage,
        };
        Ok(FollowedUpdate {
            run_id: self.run_id,
            stage,
            news: self.news,
        })
    }
}

/// The outcome that an event tells.
fn outcome_of(history: &TaskHistory) -> Option<Outcome> {
    let events = History::decode(history.fragments.concat().as_slice()).ok()?;
    match events.events.into_iter().next()?.attributes? {
        Attributes::WorkflowExecutionUpdateCompletedEventAttributes(a) => a.outcome,
        _ => None,
    }
}

impl Shard {
    /// A call about an update.
    pub(super) fn update(&mut self, namespace: &Arc<Namespace>, run_id: Uuid, call: UpdateCall) {
        let UpdateCall { what, answer } = call;
        let (update_id, found) = match what {
            UpdateWhat::Send(update) => {
                let meta = update.request.meta.as_ref();
                let id: Arc<str> = meta.map_or("", |meta| &meta.update_id).into();
                let (outcome, commit) =
                    self.handle(namespace, run_id, Input::Update(update).into());
                self.after_step(run_id, commit);
                (id, outcome.and_then(stage_of))
            }
            UpdateWhat::Find(id) => {
                let state = self.cache.get_mut(run_id).map(|cell| &cell.state);
                let state: Option<&State> = state.and_then(|state| state.workflow());
                let stage = state.and_then(|state| update_stage(state, &id));
                let missing = || {
                    CallError::Rejected(Rejection::UpdateNotFound {
                        update_id: id.to_string(),
                    })
                };
                let found = stage.ok_or_else(missing);
                (id, found)
            }
        };
        let commit = self.last_commit(run_id);
        let answered = found.and_then(|stage| {
            let answered = self.follow_update(run_id, update_id, stage);
            answered.ok_or_else(|| CallError::Unavailable("the execution left memory".to_owned()))
        });
        self.hold(commit, Release::Update(answer, answered.map(Box::new)));
    }

    /// How far an update is, and the news of it that are to come.
    pub(super) fn follow_update(
        &mut self,
        run_id: Uuid,
        update_id: Arc<str>,
        stage: UpdateStage,
    ) -> Option<UpdateAnswer> {
        let cell = self.cache.get_mut(run_id)?;
        let history = match stage {
            UpdateStage::CompletedAt(event_id) => Some(completed_event(cell, event_id)),
            _ => None,
        };
        let news = matches!(stage, UpdateStage::Admitted | UpdateStage::Accepted).then(|| {
            let (news, receiver) = mpsc::unbounded_channel();
            let waiter = UpdateWaiter { update_id, news };
            cell.waiting_mut().updates.push(waiter);
            receiver
        });
        Some(UpdateAnswer {
            run_id,
            stage,
            history,
            news,
        })
    }

    /// Tells those who wait for updates what a step brought.
    pub(super) fn tell_updates(&mut self, run_id: Uuid, news: Vec<UpdateNews>) {
        let Some(cell) = self.cache.get_mut(run_id).filter(|_| !news.is_empty()) else {
            return;
        };
        let commit = cell.last_commit;
        let Some(waiting) = &mut cell.waiting else {
            return;
        };
        let mut told = Vec::new();
        for UpdateNews { update_id, stage } in news {
            let of_it = waiting.updates.iter().filter(|w| w.update_id == update_id);
            told.extend(of_it.map(|w| (w.news.clone(), stage.clone())));
            if stage != UpdateStage::Accepted {
                waiting.updates.retain(|w| w.update_id != update_id);
            }
        }
        for (to, stage) in told {
            self.hold(commit, Release::UpdateNews(to, stage));
        }
    }
}

fn stage_of(reply: Reply) -> Result<UpdateStage, CallError> {
    match reply {
        Reply::Update(stage) => Ok(stage),
        _ => Err(CallError::Rejected(Rejection::Internal(
            "an update was answered with something else".to_owned(),
        ))),
    }
}

fn completed_event(cell: &Cell, event_id: i64) -> TaskHistoryPlan {
    TaskHistoryPlan::of(cell, event_id, event_id, bytes::Bytes::new())
}
