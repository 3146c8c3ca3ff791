//! Works through a list of items, and can be paused, resumed, cancelled and asked how far it is. It
//! continues as new after every few items, so its history stays short however long the list is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_common::RetryPolicy;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext,
    WorkflowContextView, WorkflowResult,
};

use super::activities::BatchActivities;

/// What to work through, and what one run hands to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    pub id: String,
    pub total: u32,
    /// How many items one run takes before it continues as new.
    pub chunk: u32,
    #[serde(default)]
    pub processed: u32,
    #[serde(default)]
    pub paused: bool,
    /// The number of this run, from 1.
    #[serde(default = "first_run")]
    pub run: u32,
}

fn first_run() -> u32 {
    1
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Running,
    /// The item that was begun is being finished.
    Pausing,
    Paused,
    Cancelled,
    Completed,
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub state: State,
    pub processed: u32,
    pub total: u32,
    /// The run that answers, from 1.
    pub run: u32,
}

/// One batch; its input is also its progress.
#[workflow]
pub struct Batch {
    progress: Input,
    cancelled: bool,
    busy: bool,
}

#[workflow_methods]
impl Batch {
    #[init]
    fn new(_ctx: &WorkflowContextView, input: Input) -> Self {
        Self { progress: input, cancelled: false, busy: false }
    }

    #[run(name = "batch")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Status> {
        let Input { id, total, chunk, processed, .. } = ctx.state(|batch| batch.progress.clone());
        for item in processed..total.min(processed + chunk) {
            ctx.wait_condition(|batch| !batch.progress.paused || batch.cancelled).await?;
            if ctx.state(|batch| batch.cancelled) {
                return Ok(ctx.state(Self::now));
            }
            ctx.state_mut(|batch| batch.busy = true);
            ctx.execute_activity(BatchActivities::process_item, (id.clone(), item), options())
                .await?;
            ctx.state_mut(|batch| {
                batch.busy = false;
                batch.progress.processed += 1;
            });
        }
        if ctx.state(|batch| batch.progress.processed < total && !batch.cancelled) {
            let mut next = ctx.state(|batch| batch.progress.clone());
            next.run += 1;
            ctx.continue_as_new(next, ContinueAsNewOptions::default())?;
        }
        Ok(ctx.state(Self::now))
    }

    #[signal]
    pub fn pause(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.progress.paused = true;
    }

    #[signal]
    pub fn resume(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.progress.paused = false;
    }

    #[signal]
    pub fn cancel(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.cancelled = true;
    }

    #[query]
    pub fn status(&self, _ctx: &WorkflowContextView) -> Status {
        self.now()
    }

    fn now(&self) -> Status {
        let Input { processed, total, run, paused, .. } = self.progress;
        let state = match (paused, self.busy) {
            _ if processed == total => State::Completed,
            _ if self.cancelled => State::Cancelled,
            (true, true) => State::Pausing,
            (true, false) => State::Paused,
            (false, _) => State::Running,
        };
        Status { state, processed, total, run }
    }
}

fn options() -> ActivityOptions {
    let retry = RetryPolicy::builder().initial_interval(Duration::from_millis(200)).build();
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(10))
        .retry_policy(retry)
        .build()
}
