//! Activities without a workflow: started, described, listed, cancelled, terminated by a client.

use std::time::Duration;

use anyhow::Result;
use futures::TryStreamExt as _;
use temporalio_client::errors::{ActivityResultError, StartActivityError};
use temporalio_client::{
    ActivityCancelOptions, ActivityDescribeOptions, ActivityExecutionInfoLike as _,
    ActivityExecutionStatus, ActivityStartOptions, ActivityTerminateOptions,
};
use temporalio_common::RetryPolicy;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};
use temporalio_sdk::{ApplicationFailure, WorkerOptions, WorkflowRegistrationError};

use crate::scene::{Scene, play, until};

struct Jobs;

#[activities]
impl Jobs {
    /// Works at its second attempt.
    #[activity]
    async fn flaky(ctx: ActivityContext, word: String) -> Result<String, ActivityError> {
        if ctx.info().attempt < 2 {
            return Err(ActivityError::application(ApplicationFailure::new("not yet")));
        }
        Ok(format!("did {word}"))
    }

    /// Beats until it is told to stop.
    #[activity]
    async fn until_cancelled(ctx: ActivityContext) -> Result<(), ActivityError> {
        while !ctx.is_cancelled() {
            ctx.record_heartbeat(()).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(ActivityError::cancelled())
    }
}

fn register(worker: &mut WorkerOptions) -> Result<(), WorkflowRegistrationError> {
    worker.register_activities(Jobs);
    Ok(())
}

fn options(scene: &Scene, name: &str) -> ActivityStartOptions {
    let (queue, minute) = (scene.task_queue.clone(), Duration::from_secs(60));
    ActivityStartOptions::with_schedule_to_close_timeout(queue, scene.id(name), minute)
        .heartbeat_timeout(Duration::from_secs(1))
        .retry_policy(RetryPolicy::builder().initial_interval(Duration::from_millis(10)).build())
        .summary("a job")
        .build()
}

#[tokio::test]
async fn a_job_is_retried_described_and_listed() -> Result<()> {
    play("jobs", register, async |scene| {
        let client = &scene.client;
        let job =
            client.start_activity(Jobs::flaky, "it".to_owned(), options(scene, "job")).await?;
        assert_eq!(job.result().await?, "did it");
        let include =
            ActivityDescribeOptions::builder().include_input(true).include_outcome(true).build();
        let description = job.describe(include).await?;
        assert_eq!(description.status(), ActivityExecutionStatus::Completed);
        assert_eq!(description.attempt(), 2);
        assert_eq!(description.input().await?.as_deref(), Some("it"));
        assert_eq!(description.static_summary().await?.as_deref(), Some("a job"));

        let query = format!("TaskQueue = '{}'", scene.task_queue);
        until("it is counted", async || {
            let count = client.count_activities(query.clone(), Default::default()).await?;
            Ok((count.count() == 1).then_some(()))
        })
        .await?;
        let listed: Vec<_> =
            client.list_activities(query.clone(), Default::default()).try_collect().await?;
        assert_eq!(
            listed.iter().map(|job| job.activity_id()).collect::<Vec<_>>(),
            [scene.id("job")]
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_job_is_cancelled_or_terminated() -> Result<()> {
    play("job-end", register, async |scene| {
        let client = &scene.client;
        let job =
            client.start_activity(Jobs::until_cancelled, (), options(scene, "cancelled")).await?;
        let taken =
            client.start_activity(Jobs::until_cancelled, (), options(scene, "cancelled")).await;
        assert!(matches!(taken, Err(StartActivityError::AlreadyStarted { .. })));
        job.cancel(ActivityCancelOptions::builder().reason("enough").build()).await?;
        assert!(matches!(job.result().await, Err(ActivityResultError::Cancelled { .. })));
        let description = job.describe(Default::default()).await?;
        assert_eq!(description.status(), ActivityExecutionStatus::Canceled);
        assert_eq!(description.canceled_reason(), Some("enough"));

        let job =
            client.start_activity(Jobs::until_cancelled, (), options(scene, "terminated")).await?;
        job.terminate(ActivityTerminateOptions::builder().reason("enough").build()).await?;
        assert!(matches!(job.result().await, Err(ActivityResultError::Terminated)));
        Ok(())
    })
    .await
}
