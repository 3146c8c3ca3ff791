//! A worker ends in the middle of a workflow, and the next one goes on from the history.

use std::time::Duration;

use anyhow::Result;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, SyncWorkflowContext, WorkerOptions, WorkflowContext, WorkflowContextView,
    WorkflowRegistrationError, WorkflowResult,
};

use crate::scene::{Scene, until};

struct Steps;

#[activities]
impl Steps {
    #[activity]
    async fn double(_ctx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
        Ok(2 * number)
    }
}

#[workflow]
#[derive(Default)]
struct Steady {
    reached: u32,
    may_go_on: bool,
}

#[workflow_methods]
impl Steady {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u32> {
        let options = || ActivityOptions::start_to_close_timeout(Duration::from_secs(10));
        let two = ctx.execute_activity(Steps::double, 1_u32, options()).await?;
        ctx.state_mut(|steady| steady.reached = two);
        ctx.wait_condition(|steady| steady.may_go_on).await?;
        ctx.timer(Duration::from_millis(10)).await;
        Ok(ctx.execute_activity(Steps::double, two, options()).await?)
    }

    #[signal]
    fn go_on(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.may_go_on = true;
    }

    #[query]
    fn reached(&self, _ctx: &WorkflowContextView) -> u32 {
        self.reached
    }
}

fn register(worker: &mut WorkerOptions) -> Result<(), WorkflowRegistrationError> {
    worker.register_workflow::<Steady>()?.register_activities(Steps);
    Ok(())
}

#[tokio::test]
async fn the_next_worker_goes_on_and_the_history_replays() -> Result<()> {
    let scene = Scene::open("restart").await?;
    let steady = scene.client.start_workflow(Steady::run, (), scene.options("steady")).await?;
    scene
        .with_worker(register, async |_| {
            until("the first step is done", async || {
                let reached = steady.query(Steady::reached, (), Default::default()).await?;
                Ok((reached == 2).then_some(()))
            })
            .await
        })
        .await?;
    steady.signal(Steady::go_on, (), Default::default()).await?;
    scene
        .with_worker(register, async |_| {
            assert_eq!(steady.get_result(Default::default()).await?, 4);
            Ok(())
        })
        .await?;

    let options = WorkflowReplayerOptions::new().register_workflow::<Steady>()?.build();
    let replayer = WorkflowReplayer::new(options)?;
    replayer.replay_workflow(steady.fetch_history(Default::default())).await?;
    Ok(())
}
