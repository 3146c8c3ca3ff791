//! Local activities: done in the worker, remembered in the history as markers.

use std::time::Duration;

use anyhow::Result;
use temporalio_common::RetryPolicy;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{ApplicationFailure, LocalActivityOptions, WorkflowContext, WorkflowResult};

use crate::scene::{count, history, play};

struct Here;

#[activities]
impl Here {
    /// Works at its third attempt.
    #[activity]
    async fn flaky(ctx: ActivityContext) -> Result<u32, ActivityError> {
        match ctx.info().attempt {
            attempt if attempt < 3 => {
                Err(ActivityError::application(ApplicationFailure::new("not yet")))
            }
            attempt => Ok(attempt),
        }
    }
}

#[workflow]
#[derive(Default)]
struct StaysHere;

#[workflow_methods]
impl StaysHere {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, by_timers: bool) -> WorkflowResult<u32> {
        let retries = RetryPolicy::builder().initial_interval(Duration::from_millis(20)).build();
        // A wait that is longer than this is a timer of the workflow.
        let longest = Duration::from_millis(if by_timers { 1 } else { 10_000 });
        let options = LocalActivityOptions::builder()
            .start_to_close_timeout(Duration::from_secs(10))
            .retry_policy(retries)
            .timer_backoff_threshold(longest)
            .build();
        Ok(ctx.execute_local_activity(Here::flaky, (), options).await?)
    }
}

#[tokio::test]
async fn a_local_activity_leaves_a_marker_and_retries_by_timers() -> Result<()> {
    play(
        "local",
        |worker| {
            worker.register_workflow::<StaysHere>()?.register_activities(Here);
            Ok(())
        },
        async |scene| {
            for (name, by_timers, timers) in [("at-once", false, 0), ("by-timers", true, 2)] {
                let options = scene.options(name);
                let handle =
                    scene.client.start_workflow(StaysHere::run, by_timers, options).await?;
                assert_eq!(handle.get_result(Default::default()).await?, 3);
                let events = history(&handle).await?;
                assert_eq!(count(&events, EventType::ActivityTaskScheduled), 0);
                assert_eq!(count(&events, EventType::TimerFired), timers);
                assert_eq!(count(&events, EventType::MarkerRecorded), 1 + timers);
            }
            Ok(())
        },
    )
    .await
}
