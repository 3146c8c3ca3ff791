//! The way of an update (behaviour, sections 7.2, 7.3 and 6.3): sent, then followed until it has come as
//! far as its caller wants, or the wait ends.

use std::sync::Arc;
use std::time::Duration;

use engine::Namespace;
use engine::rejection::Rejection;
use engine::workflow::{StartInput, StartReply, UpdateStage, UpdateWorkflow};
use proto::temporal::api::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use proto::temporal::api::update::v1::Outcome;
use proto::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::node::Node;
use crate::shard::{CallError, FollowedUpdate};

/// How long a caller waits, and for what.
#[derive(Debug, Clone, Copy)]
pub struct UpdateWait {
    /// The stage to wait for; unset and ADMITTED do not wait.
    pub stage: Stage,
    /// The caller's own deadline: then the call fails.
    pub deadline: Option<Instant>,
    /// Then the caller hears how far the update is.
    pub until: Instant,
}

impl UpdateWait {
    /// A wait that begins now and ends after `hold`.
    pub fn new(stage: Stage, deadline: Option<Instant>, hold: Duration) -> Self {
        Self {
            stage,
            deadline,
            until: Instant::now() + hold,
        }
    }
}

/// How far an update came.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// The run that has it.
    pub run_id: Uuid,
    /// The stage that it reached.
    pub stage: Stage,
    /// Of a completed or rejected one.
    pub outcome: Option<Outcome>,
}

/// Which part of an update-with-start failed, and how; the other part was given up, unless it is done.
#[derive(Debug)]
pub enum UpdateWithStartError {
    /// The start.
    Start(CallError),
    /// The update; whether the start was carried out.
    Update(CallError, bool),
    /// The update's run closed before it was accepted, twice: it is for the caller to try again.
    Closing,
}

impl Node {
    /// UpdateWorkflowExecution, validated.
    ///
    /// # Errors
    /// What the engine refuses; [`CallError::DeadlineExceeded`]; [`CallError::Unavailable`] when the update was
    /// forgotten before it was accepted.
    pub async fn update(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: &str,
        run_id: Option<Uuid>,
        update: UpdateWorkflow,
        wait: UpdateWait,
    ) -> Result<Updated, CallError> {
        loop {
            let sent = self
                .shards
                .update(namespace, workflow_id, run_id, update.clone())
                .await?;
            match follow(sent, wait).await {
                // Its run has closed before it was accepted, and the chain goes on: there it is tried again.
                Err(CallError::Rejected(Rejection::BusyWorkflow(_))) if run_id.is_none() => {}
                followed => return followed,
            }
        }
    }

    /// PollWorkflowExecutionUpdate, validated.
    ///
    /// # Errors
    /// [`Rejection::UpdateNotFound`]; as [`Self::update`].
    pub async fn poll_update(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: &str,
        run_id: Option<Uuid>,
        update_id: &str,
        wait: UpdateWait,
    ) -> Result<Updated, CallError> {
        let found = self
            .shards
            .find_update(namespace, workflow_id, run_id, update_id)
            .await?;
        follow(found, wait).await
    }

    /// ExecuteMultiOperation, validated. An update whose run closes before it is accepted is tried once more,
    /// for the start can open another run.
    ///
    /// # Errors
    /// See [`UpdateWithStartError`].
    pub async fn update_with_start(
        &self,
        namespace: &Arc<Namespace>,
        start: StartWorkflowExecutionRequest,
        update: UpdateWorkflow,
        wait: UpdateWait,
    ) -> Result<(StartReply, Updated), UpdateWithStartError> {
        let mut again = true;
        loop {
            let (start, update) = (Box::new(start.clone()), Box::new(update.clone()));
            let input = StartInput::UpdateWithStart(start, update);
            let started = self.shards.start(namespace, input).await;
            let started = started.map_err(|error| match error {
                CallError::Rejected(Rejection::UpdateWithStart(of_update)) => {
                    UpdateWithStartError::Update(CallError::Rejected(*of_update), false)
                }
                error => UpdateWithStartError::Start(error),
            })?;
            let opened = started.reply.started;
            let failed = |error| Err(UpdateWithStartError::Update(error, opened));
            let Some(sent) = started.update else {
                return failed(CallError::Unavailable("the update was lost".to_owned()));
            };
            match follow(sent, wait).await {
                Ok(updated) => return Ok((started.reply, updated)),
                Err(CallError::Rejected(Rejection::UpdateAborted | Rejection::BusyWorkflow(_)))
                    if again && !opened =>
                {
                    again = false
                }
                Err(CallError::Rejected(Rejection::UpdateAborted)) if !opened => {
                    return Err(UpdateWithStartError::Closing);
                }
                Err(error) => return failed(error),
            }
        }
    }
}

/// Follows an update to the stage that its caller wants. When the wait ends before that, the caller hears how
/// far it came.
async fn follow(mut update: FollowedUpdate, wait: UpdateWait) -> Result<Updated, CallError> {
    let client_first = wait.deadline.is_some_and(|deadline| deadline <= wait.until);
    let until = wait
        .deadline
        .map_or(wait.until, |deadline| deadline.min(wait.until));
    loop {
        if let Some(updated) = reached(&update, wait.stage) {
            return updated;
        }
        match timeout_at(until, update.advance()).await {
            Ok(advanced) => advanced?,
            Err(_) if client_first => return Err(CallError::DeadlineExceeded),
            // As far as it is.
            Err(_) => return reached(&update, Stage::Unspecified).unwrap_or(Err(gone())),
        }
    }
}

/// What the caller hears, if the update is as far as it wants.
fn reached(update: &FollowedUpdate, wanted: Stage) -> Option<Result<Updated, CallError>> {
    let (stage, outcome) = match &update.stage {
        UpdateStage::Admitted => (Stage::Admitted, None),
        UpdateStage::Accepted => (Stage::Accepted, None),
        UpdateStage::Completed(outcome) => (Stage::Completed, Some((**outcome).clone())),
        // Its outcome was read before it was given to its follower.
        UpdateStage::CompletedAt(_) => return Some(Err(gone())),
        UpdateStage::Aborted(why) => return Some(Err(CallError::Rejected(why.clone()))),
    };
    (stage as i32 >= wanted as i32).then_some(Ok(Updated {
        run_id: update.run_id,
        stage,
        outcome,
    }))
}

fn gone() -> CallError {
    CallError::Unavailable("workflow update was aborted".to_owned())
}
