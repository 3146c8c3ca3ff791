//! Timers, and one that is cancelled.

use std::time::Duration;

use anyhow::Result;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{CancellableFuture as _, TimerResult, WorkflowContext, WorkflowResult};

use crate::scene::{count, history, play};

#[workflow]
#[derive(Default)]
struct Waits;

#[workflow_methods]
impl Waits {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<(bool, bool)> {
        let long = ctx.timer(Duration::from_secs(3600));
        let short = ctx.timer(Duration::from_millis(10)).await;
        long.cancel();
        Ok((short == TimerResult::Fired, long.await == TimerResult::Cancelled))
    }
}

#[tokio::test]
async fn one_timer_fires_and_another_is_cancelled() -> Result<()> {
    play(
        "timers",
        |worker| worker.register_workflow::<Waits>().map(drop),
        async |scene| {
            let handle =
                scene.client.start_workflow(Waits::run, (), scene.options("waits")).await?;
            assert_eq!(handle.get_result(Default::default()).await?, (true, true));
            let events = history(&handle).await?;
            assert_eq!(count(&events, EventType::TimerStarted), 2);
            assert_eq!(count(&events, EventType::TimerFired), 1);
            Ok(())
        },
    )
    .await
}
