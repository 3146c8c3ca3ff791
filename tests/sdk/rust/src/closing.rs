//! How workflows end, and what may be started under an id that was used.

use std::time::Duration;

use anyhow::Result;
use temporalio_client::errors::{WorkflowGetResultError, WorkflowStartError};
use temporalio_client::{
    WorkflowCancelOptions, WorkflowExecutionStatus, WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy, WorkflowTerminateOptions,
};
use temporalio_common::RetryPolicy;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, WorkerOptions, WorkflowContext, WorkflowRegistrationError, WorkflowResult,
    WorkflowTermination,
};

use crate::scene::play;

/// Ends as it is told, or not at all.
#[workflow]
#[derive(Default)]
struct Ends;

#[workflow_methods]
impl Ends {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, how: String) -> WorkflowResult<u32> {
        let attempt = ctx.info().attempt();
        match how.as_str() {
            "well" => Ok(attempt),
            "third time" if attempt >= 3 => Ok(attempt),
            "third time" | "badly" => Err(ApplicationFailure::new("as told").into()),
            _ => {
                ctx.cancelled().await;
                Err(WorkflowTermination::cancelled_with_details("gone".to_owned()))
            }
        }
    }
}

fn register(worker: &mut WorkerOptions) -> Result<(), WorkflowRegistrationError> {
    worker.register_workflow::<Ends>().map(drop)
}

#[tokio::test]
async fn a_workflow_is_cancelled_terminated_or_timed_out() -> Result<()> {
    play("closing", register, async |scene| {
        let client = &scene.client;
        let never = || "never".to_owned();

        let handle = client.start_workflow(Ends::run, never(), scene.options("cancelled")).await?;
        handle.cancel(WorkflowCancelOptions::builder().reason("enough").build()).await?;
        let Err(WorkflowGetResultError::Cancelled { details }) =
            handle.get_result(Default::default()).await
        else {
            panic!("it should have been cancelled")
        };
        assert_eq!(details.deserialize::<String>()?, "gone");

        let handle = client.start_workflow(Ends::run, never(), scene.options("terminated")).await?;
        handle.terminate(WorkflowTerminateOptions::builder().reason("enough").build()).await?;
        let terminated = handle.get_result(Default::default()).await;
        assert!(matches!(terminated, Err(WorkflowGetResultError::Terminated { .. })));
        assert!(handle.terminate(Default::default()).await.is_err(), "it is closed");

        let mut options = scene.options("timed-out");
        options.run_timeout = Some(Duration::from_secs(1));
        let handle = client.start_workflow(Ends::run, never(), options).await?;
        let timed_out = handle.get_result(Default::default()).await;
        assert!(matches!(timed_out, Err(WorkflowGetResultError::TimedOut)));
        let status = handle.describe(Default::default()).await?.status();
        assert_eq!(status, WorkflowExecutionStatus::TimedOut);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_failed_workflow_is_retried_if_it_has_a_policy() -> Result<()> {
    play("workflow-retry", register, async |scene| {
        let mut options = scene.options("retried");
        options.retry_policy =
            Some(RetryPolicy::builder().initial_interval(Duration::from_millis(10)).build());
        let how = "third time".to_owned();
        let handle = scene.client.start_workflow(Ends::run, how, options).await?;
        assert_eq!(handle.get_result(Default::default()).await?, 3);

        let options = scene.options("failed");
        let handle = scene.client.start_workflow(Ends::run, "badly".to_owned(), options).await?;
        let failed = handle.get_result(Default::default()).await;
        assert!(matches!(failed, Err(WorkflowGetResultError::Failed(_))));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn policies_say_what_an_id_may_be_used_for() -> Result<()> {
    play("ids", register, async |scene| {
        let client = &scene.client;
        let start = async |how: &str, conflict, reuse| {
            let mut options = scene.options("id");
            options.id_conflict_policy = conflict;
            options.id_reuse_policy = reuse;
            client.start_workflow(Ends::run, how.to_owned(), options).await
        };
        use WorkflowIdConflictPolicy as Conflict;
        use WorkflowIdReusePolicy as Reuse;

        let first = start("never", Conflict::Fail, Reuse::AllowDuplicate).await?;
        let taken = start("well", Conflict::Fail, Reuse::AllowDuplicate).await;
        let Err(WorkflowStartError::AlreadyStarted { run_id, .. }) = taken else {
            panic!("the id is taken")
        };
        assert_eq!(run_id.as_deref(), first.run_id());
        let same = start("well", Conflict::UseExisting, Reuse::AllowDuplicate).await?;
        assert_eq!(same.run_id(), first.run_id());
        let second = start("well", Conflict::TerminateExisting, Reuse::AllowDuplicate).await?;
        assert_ne!(second.run_id(), first.run_id());
        assert_eq!(second.get_result(Default::default()).await?, 1);

        for reuse in [Reuse::RejectDuplicate, Reuse::AllowDuplicateFailedOnly] {
            let refused = start("well", Conflict::Fail, reuse).await;
            assert!(matches!(refused, Err(WorkflowStartError::AlreadyStarted { .. })));
        }
        start("well", Conflict::Fail, Reuse::AllowDuplicate).await?;
        Ok(())
    })
    .await
}
