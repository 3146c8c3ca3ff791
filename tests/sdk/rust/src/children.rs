//! Child workflows: their results and failures, cancellation, and what becomes of them when the parent ends.

use anyhow::Result;
use temporalio_client::{UntypedWorkflow, WorkflowCancelOptions, WorkflowExecutionStatus};
use temporalio_common::error::IncomingError;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, ChildWorkflowCancellationType, ChildWorkflowExecutionError,
    ChildWorkflowOptions, ChildWorkflowStartError, ParentClosePolicy, SyncWorkflowContext,
    WorkerOptions, WorkflowContext, WorkflowRegistrationError, WorkflowResult, WorkflowTermination,
};

use crate::scene::{play, until};

/// Waits for a word, and does as it says.
#[workflow]
#[derive(Default)]
struct Child {
    word: Option<String>,
}

#[workflow_methods]
impl Child {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.wait_condition(|child| child.word.is_some()).await?;
        match ctx.state(|child| child.word.clone()) {
            Some(word) if word != "fail" => Ok(format!("heard {word}")),
            _ => Err(ApplicationFailure::non_retryable("as told").into()),
        }
    }

    #[signal]
    fn say(&mut self, _ctx: &mut SyncWorkflowContext<Self>, word: String) {
        self.word = Some(word);
    }
}

/// Starts a child, tells it a word, and says how it ended.
#[workflow]
#[derive(Default)]
struct Parent;

#[workflow_methods]
impl Parent {
    #[run]
    async fn run(
        ctx: &mut WorkflowContext<Self>,
        (id, word): (String, String),
    ) -> WorkflowResult<String> {
        let options = ChildWorkflowOptions::builder()
            .workflow_id(id)
            .cancel_type(ChildWorkflowCancellationType::WaitCancellationCompleted)
            .build();
        let child = match ctx.start_child_workflow(Child::run, (), options).await {
            Ok(child) => child,
            Err(ChildWorkflowStartError::StartFailed { .. }) => return Ok("no child".to_owned()),
            Err(error) => return Err(error.into()),
        };
        if !word.is_empty() {
            child.signal(Child::say, word, Default::default()).await?;
        }
        match child.result().await {
            Ok(answer) => Ok(answer),
            Err(ChildWorkflowExecutionError::Failed(failed)) => match failed.cause() {
                Some(IncomingError::Cancelled(_)) => Ok("cancelled".to_owned()),
                Some(cause) => Ok(cause.failure().message.clone()),
                None => Err(WorkflowTermination::cancelled()),
            },
            Err(error) => Err(error.into()),
        }
    }
}

/// Starts a child and does not wait for it.
#[workflow]
#[derive(Default)]
struct Leaves;

#[workflow_methods]
impl Leaves {
    #[run]
    async fn run(
        ctx: &mut WorkflowContext<Self>,
        (id, abandoned): (String, bool),
    ) -> WorkflowResult<()> {
        let policy =
            if abandoned { ParentClosePolicy::Abandon } else { ParentClosePolicy::Terminate };
        let options =
            ChildWorkflowOptions::builder().workflow_id(id).parent_close_policy(policy).build();
        ctx.start_child_workflow(Child::run, (), options).await?;
        Ok(())
    }
}

fn register(worker: &mut WorkerOptions) -> Result<(), WorkflowRegistrationError> {
    worker
        .register_workflow::<Parent>()?
        .register_workflow::<Leaves>()?
        .register_workflow::<Child>()?;
    Ok(())
}

#[tokio::test]
async fn a_parent_learns_how_its_child_ended() -> Result<()> {
    play("children", register, async |scene| {
        for (word, expected) in [("hello", "heard hello"), ("fail", "as told")] {
            let input = (scene.id("child"), word.to_owned());
            let parent =
                scene.client.start_workflow(Parent::run, input, scene.options("parent")).await?;
            assert_eq!(parent.get_result(Default::default()).await?, expected);
            let child = scene.client.get_workflow_handle::<UntypedWorkflow>(scene.id("child"));
            let child = child.describe(Default::default()).await?;
            assert_eq!(child.parent_id(), Some(scene.id("parent").as_str()));
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn there_is_no_child_under_an_id_that_is_taken() -> Result<()> {
    play("child-taken", register, async |scene| {
        let client = &scene.client;
        let taken = client.start_workflow(Child::run, (), scene.options("child")).await?;
        let input = (scene.id("child"), "hello".to_owned());
        let parent = client.start_workflow(Parent::run, input, scene.options("parent")).await?;
        assert_eq!(parent.get_result(Default::default()).await?, "no child");
        taken.terminate(Default::default()).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn cancelling_the_parent_cancels_the_child() -> Result<()> {
    play("child-cancel", register, async |scene| {
        let input = (scene.id("child"), String::new());
        let parent =
            scene.client.start_workflow(Parent::run, input, scene.options("parent")).await?;
        let child = scene.client.get_workflow_handle::<UntypedWorkflow>(scene.id("child"));
        until("the child runs", async || Ok(child.describe(Default::default()).await.ok())).await?;
        parent.cancel(WorkflowCancelOptions::builder().reason("enough").build()).await?;
        assert_eq!(parent.get_result(Default::default()).await?, "cancelled");
        let child = child.describe(Default::default()).await?;
        assert_eq!(child.status(), WorkflowExecutionStatus::Canceled);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_child_outlives_its_parent_only_if_abandoned() -> Result<()> {
    play("child-policy", register, async |scene| {
        let client = &scene.client;
        for (name, abandoned) in [("kept", true), ("ended", false)] {
            let input = (scene.id(name), abandoned);
            let options = scene.options(&format!("parent-of-{name}"));
            let parent = client.start_workflow(Leaves::run, input, options).await?;
            parent.get_result(Default::default()).await?;
        }
        let ended = client.get_workflow_handle::<UntypedWorkflow>(scene.id("ended"));
        until("the child is terminated", async || {
            let status = ended.describe(Default::default()).await?.status();
            Ok((status == WorkflowExecutionStatus::Terminated).then_some(()))
        })
        .await?;
        let kept = client.get_workflow_handle::<child::Run>(scene.id("kept"));
        kept.signal(Child::say, "still here".to_owned(), Default::default()).await?;
        assert_eq!(kept.get_result(Default::default()).await?, "heard still here");
        Ok(())
    })
    .await
}
