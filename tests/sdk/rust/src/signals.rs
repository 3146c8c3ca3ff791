//! Signals: from a client, together with the start, and from another workflow.

use anyhow::Result;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    SignalWorkflowOptions, SyncWorkflowContext, WorkerOptions, WorkflowContext,
    WorkflowRegistrationError, WorkflowResult, WorkflowSignalError,
};

use crate::scene::play;

/// Collects words until it has enough of them.
#[workflow]
#[derive(Default)]
struct Collects {
    words: Vec<String>,
}

#[workflow_methods]
impl Collects {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, wanted: usize) -> WorkflowResult<Vec<String>> {
        ctx.wait_condition(|collects| collects.words.len() >= wanted).await?;
        Ok(ctx.state(|collects| collects.words.clone()))
    }

    #[signal]
    fn add(&mut self, _ctx: &mut SyncWorkflowContext<Self>, word: String) {
        self.words.push(word);
    }
}

/// Signals another workflow, and says whether there was one.
#[workflow]
#[derive(Default)]
struct Tells;

#[workflow_methods]
impl Tells {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, to: String) -> WorkflowResult<bool> {
        let other = ctx.external_workflow(to, None);
        match other.signal(Collects::add, "told".to_owned(), SignalWorkflowOptions::default()).await
        {
            Ok(()) => Ok(true),
            Err(WorkflowSignalError::NotFound(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn register(worker: &mut WorkerOptions) -> Result<(), WorkflowRegistrationError> {
    worker.register_workflow::<Collects>()?.register_workflow::<Tells>()?;
    Ok(())
}

#[tokio::test]
async fn signals_arrive_in_their_order() -> Result<()> {
    play("signals", register, async |scene| {
        let handle = scene.client.start_workflow(Collects::run, 3, scene.options("words")).await?;
        for word in ["one", "two", "three"] {
            handle.signal(Collects::add, word.to_owned(), Default::default()).await?;
        }
        assert_eq!(handle.get_result(Default::default()).await?, ["one", "two", "three"]);
        assert!(handle.signal(Collects::add, "late".to_owned(), Default::default()).await.is_err());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_signal_starts_the_workflow_once() -> Result<()> {
    play("signal-with-start", register, async |scene| {
        let mut runs = Vec::new();
        for word in ["first", "second"] {
            let handle = scene
                .client
                .signal_with_start_workflow(
                    Collects::run,
                    2,
                    Collects::add,
                    word.to_owned(),
                    scene.options("words"),
                )
                .await?;
            runs.push(handle.run_id().map(str::to_owned));
        }
        assert!(runs[0].is_some());
        assert_eq!(runs[0], runs[1]);
        let handle = scene.client.get_workflow_handle::<collects::Run>(scene.id("words"));
        assert_eq!(handle.get_result(Default::default()).await?, ["first", "second"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_workflow_signals_another() -> Result<()> {
    play("external", register, async |scene| {
        let client = &scene.client;
        let other = client.start_workflow(Collects::run, 1, scene.options("other")).await?;
        let tells =
            client.start_workflow(Tells::run, scene.id("other"), scene.options("a")).await?;
        assert!(tells.get_result(Default::default()).await?);
        assert_eq!(other.get_result(Default::default()).await?, ["told"]);
        let tells =
            client.start_workflow(Tells::run, scene.id("nobody"), scene.options("b")).await?;
        assert!(!tells.get_result(Default::default()).await?);
        Ok(())
    })
    .await
}
