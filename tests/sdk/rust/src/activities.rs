//! Activities: retries, heartbeats, timeouts, cancellation, completion from outside.

use std::time::Duration;

use anyhow::Result;
use temporalio_client::errors::WorkflowGetResultError;
use temporalio_client::{ActivityIdentifier, Client, WorkflowCancelOptions, WorkflowHandle};
use temporalio_common::error::IncomingError;
use temporalio_common::protos::temporal::api::enums::v1::{EventType, PendingActivityState};
use temporalio_common::{HasWorkflowDefinition, RetryPolicy, WorkflowDefinition};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};
use temporalio_sdk::workflows::{WorkflowImplementation, workflow, workflow_methods};
use temporalio_sdk::{
    ActivityCancellationType, ActivityExecutionError, ActivityOptions, ApplicationFailure,
    WorkerOptions, WorkflowContext, WorkflowRegistrationError, WorkflowResult,
};

use crate::scene::{count, history, play, until};

struct Jobs;

#[activities]
impl Jobs {
    /// Works at its third attempt.
    #[activity]
    async fn flaky(ctx: ActivityContext) -> Result<u32, ActivityError> {
        match ctx.info().attempt {
            attempt if attempt < 3 => Err(failure("not yet")),
            attempt => Ok(attempt),
        }
    }

    /// Knows that another attempt would not help.
    #[activity]
    async fn hopeless(_ctx: ActivityContext) -> Result<(), ActivityError> {
        let failure = ApplicationFailure::builder("no such account")
            .type_name("NoAccount".to_owned())
            .non_retryable(true)
            .build();
        Err(ActivityError::application(failure))
    }

    /// Says how far it came and fails; the next attempt knows.
    #[activity]
    async fn resumed(ctx: ActivityContext) -> Result<u32, ActivityError> {
        match ctx.heartbeat_details().deserialize::<u32>()? {
            Some(reached) => Ok(reached),
            None => {
                ctx.record_heartbeat(7_u32).await?;
                Err(failure("lost at 7"))
            }
        }
    }

    /// Its first attempt is never heard of again.
    #[activity]
    async fn silent(ctx: ActivityContext) -> Result<u32, ActivityError> {
        if ctx.info().attempt == 1 {
            ctx.cancelled().await;
            return Err(ActivityError::cancelled());
        }
        Ok(ctx.info().attempt)
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

    /// Somebody else will say how it ended.
    #[activity]
    async fn elsewhere(_ctx: ActivityContext) -> Result<String, ActivityError> {
        Err(ActivityError::WillCompleteAsync)
    }
}

fn failure(message: &'static str) -> ActivityError {
    ActivityError::application(ApplicationFailure::new(message))
}

fn options() -> ActivityOptions {
    let retries = RetryPolicy::builder().initial_interval(Duration::from_millis(10)).build();
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(30))
        .activity_id("job")
        .heartbeat_timeout(Duration::from_secs(1))
        .retry_policy(retries)
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .build()
}

/// A worker for one workflow and the activities.
fn with_jobs<W: WorkflowImplementation>(
    worker: &mut WorkerOptions,
) -> Result<(), WorkflowRegistrationError>
where
    <W::Run as WorkflowDefinition>::Input: Send,
{
    worker.register_workflow::<W>()?.register_activities(Jobs);
    Ok(())
}

/// Waits until a worker has the activity.
async fn picked_up<W: HasWorkflowDefinition>(handle: &WorkflowHandle<Client, W>) -> Result<()> {
    until("a worker has the activity", async || {
        let pending = handle.describe(Default::default()).await?.into_raw().pending_activities;
        Ok(pending.iter().any(|job| job.state() == PendingActivityState::Started).then_some(()))
    })
    .await
}

#[workflow]
#[derive(Default)]
struct RunsFlaky;

#[workflow_methods]
impl RunsFlaky {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u32> {
        Ok(ctx.execute_activity(Jobs::flaky, (), options()).await?)
    }
}

#[tokio::test]
async fn a_failing_attempt_is_retried() -> Result<()> {
    play("retries", with_jobs::<RunsFlaky>, async |scene| {
        let handle =
            scene.client.start_workflow(RunsFlaky::run, (), scene.options("flaky")).await?;
        assert_eq!(handle.get_result(Default::default()).await?, 3);
        let events = history(&handle).await?;
        assert_eq!(count(&events, EventType::ActivityTaskStarted), 1, "retries leave no events");
        Ok(())
    })
    .await
}

#[workflow]
#[derive(Default)]
struct RunsHopeless;

#[workflow_methods]
impl RunsHopeless {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(ctx.execute_activity(Jobs::hopeless, (), options()).await?)
    }
}

#[tokio::test]
async fn a_failure_that_is_not_worth_a_retry_reaches_the_client() -> Result<()> {
    play("hopeless", with_jobs::<RunsHopeless>, async |scene| {
        let options = scene.options("hopeless");
        let handle = scene.client.start_workflow(RunsHopeless::run, (), options).await?;
        let failed = match handle.get_result(Default::default()).await {
            Err(WorkflowGetResultError::Failed(failed)) => *failed,
            other => panic!("it should have failed: {other:?}"),
        };
        let IncomingError::Activity(activity) = &failed else {
            panic!("no activity failure: {failed:?}")
        };
        assert_eq!(activity.activity_id(), "job");
        let Some(IncomingError::Application(cause)) = activity.cause() else {
            panic!("no application failure: {activity:?}")
        };
        assert_eq!(cause.type_name(), Some("NoAccount"));
        Ok(())
    })
    .await
}

#[workflow]
#[derive(Default)]
struct RunsResumed;

#[workflow_methods]
impl RunsResumed {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u32> {
        Ok(ctx.execute_activity(Jobs::resumed, (), options()).await?)
    }
}

#[tokio::test]
async fn the_next_attempt_knows_the_last_heartbeat() -> Result<()> {
    play("heartbeats", with_jobs::<RunsResumed>, async |scene| {
        let options = scene.options("resumed");
        let handle = scene.client.start_workflow(RunsResumed::run, (), options).await?;
        assert_eq!(handle.get_result(Default::default()).await?, 7);
        Ok(())
    })
    .await
}

#[workflow]
#[derive(Default)]
struct RunsSilent;

#[workflow_methods]
impl RunsSilent {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u32> {
        Ok(ctx.execute_activity(Jobs::silent, (), options()).await?)
    }
}

#[tokio::test]
async fn an_attempt_without_heartbeats_is_given_up() -> Result<()> {
    play("silence", with_jobs::<RunsSilent>, async |scene| {
        let options = scene.options("silent");
        let handle = scene.client.start_workflow(RunsSilent::run, (), options).await?;
        assert_eq!(handle.get_result(Default::default()).await?, 2);
        Ok(())
    })
    .await
}

#[workflow]
#[derive(Default)]
struct Cancels;

#[workflow_methods]
impl Cancels {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        match ctx.execute_activity(Jobs::until_cancelled, (), options()).await {
            Err(ActivityExecutionError::Cancelled(_)) => {
                Ok(ctx.cancellation_token().reason().unwrap_or_default())
            }
            other => Err(ApplicationFailure::new(format!("{other:?}")).into()),
        }
    }
}

#[tokio::test]
async fn a_cancelled_workflow_cancels_its_activity() -> Result<()> {
    play("cancels", with_jobs::<Cancels>, async |scene| {
        let handle = scene.client.start_workflow(Cancels::run, (), scene.options("cancel")).await?;
        picked_up(&handle).await?;
        let options = WorkflowCancelOptions::builder().reason("enough").build();
        handle.cancel(options).await?;
        assert_eq!(handle.get_result(Default::default()).await?, "enough");
        let events = history(&handle).await?;
        assert_eq!(count(&events, EventType::ActivityTaskCancelRequested), 1);
        assert_eq!(count(&events, EventType::ActivityTaskCanceled), 1);
        Ok(())
    })
    .await
}

#[workflow]
#[derive(Default)]
struct Delegates;

#[workflow_methods]
impl Delegates {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let mut options = options();
        options.heartbeat_timeout = None;
        Ok(ctx.execute_activity(Jobs::elsewhere, (), options).await?)
    }
}

#[tokio::test]
async fn an_activity_is_completed_by_a_client() -> Result<()> {
    play("delegates", with_jobs::<Delegates>, async |scene| {
        let handle =
            scene.client.start_workflow(Delegates::run, (), scene.options("delegate")).await?;
        picked_up(&handle).await?;
        let job = ActivityIdentifier::by_id_workflow(scene.id("delegate"), "", "job");
        let job = scene.client.get_async_activity_handle(job);
        job.heartbeat(Some("on it".to_owned()), Default::default()).await?;
        job.complete(Some("done".to_owned()), Default::default()).await?;
        assert_eq!(handle.get_result(Default::default()).await?, "done");
        Ok(())
    })
    .await
}
