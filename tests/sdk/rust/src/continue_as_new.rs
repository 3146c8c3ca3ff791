//! A workflow that continues as new: one chain for the client, short runs for the server.

use anyhow::Result;
use temporalio_client::WorkflowGetResultOptions;
use temporalio_client::errors::WorkflowGetResultError;
use temporalio_common::MemoValues;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{ContinueAsNewOptions, WorkflowContext, WorkflowResult};

use crate::scene::play;

#[workflow]
#[derive(Default)]
struct CountsDown;

#[workflow_methods]
impl CountsDown {
    #[run]
    async fn run(
        ctx: &mut WorkflowContext<Self>,
        (left, runs): (u32, u32),
    ) -> WorkflowResult<(u32, Option<String>)> {
        if left > 0 {
            ctx.continue_as_new((left - 1, runs + 1), ContinueAsNewOptions::default())?;
        }
        Ok((runs, ctx.memo().get::<String>("note")?))
    }
}

#[tokio::test]
async fn a_result_is_followed_through_the_chain() -> Result<()> {
    play(
        "continue-as-new",
        |worker| worker.register_workflow::<CountsDown>().map(drop),
        async |scene| {
            let mut options = scene.options("chain");
            let mut memo = MemoValues::new();
            memo.insert("note", "kept".to_owned());
            options.memo = Some(memo);
            let first = scene.client.start_workflow(CountsDown::run, (3, 1), options).await?;
            let result = first.get_result(Default::default()).await?;
            assert_eq!(result, (4, Some("kept".to_owned())));
            let here = WorkflowGetResultOptions::builder().follow_runs(false).build();
            let first_only = first.get_result(here).await;
            assert!(matches!(first_only, Err(WorkflowGetResultError::ContinuedAsNew)));
            Ok(())
        },
    )
    .await
}
