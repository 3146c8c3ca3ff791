//! Queries of workflows that run, that are closed, and that do not know the question.

use anyhow::Result;
use temporalio_client::errors::WorkflowQueryError;
use temporalio_client::{
    QueryRejectCondition, UntypedQuery, WorkflowExecutionStatus, WorkflowQueryOptions,
};
use temporalio_common::data_converters::RawValue;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::scene::play;

#[workflow]
#[derive(Default)]
struct Counts {
    so_far: u32,
    ended: bool,
}

#[workflow_methods]
impl Counts {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|counts| counts.ended).await?;
        Ok(())
    }

    #[signal]
    fn up(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.so_far += 1;
    }

    #[signal]
    fn end(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.ended = true;
    }

    #[query]
    fn times(&self, _ctx: &WorkflowContextView, factor: u32) -> u32 {
        self.so_far * factor
    }
}

#[tokio::test]
async fn a_query_sees_the_signals_before_it() -> Result<()> {
    play(
        "queries",
        |worker| worker.register_workflow::<Counts>().map(drop),
        async |scene| {
            let counts =
                scene.client.start_workflow(Counts::run, (), scene.options("counts")).await?;
            for expected in 1..=3 {
                counts.signal(Counts::up, (), Default::default()).await?;
                assert_eq!(
                    counts.query(Counts::times, 10, Default::default()).await?,
                    10 * expected
                );
            }
            counts.signal(Counts::end, (), Default::default()).await?;
            counts.get_result(Default::default()).await?;
            assert_eq!(counts.query(Counts::times, 1, Default::default()).await?, 3);
            let options = WorkflowQueryOptions::builder()
                .reject_condition(QueryRejectCondition::NotOpen)
                .build();
            let rejected = counts.query(Counts::times, 1, options).await;
            let Err(WorkflowQueryError::Rejected { status }) = rejected else {
                panic!("it should have been rejected: {rejected:?}")
            };
            assert_eq!(status, Some(WorkflowExecutionStatus::Completed));
            let nonsense = UntypedQuery::new("nonsense");
            let unknown = counts.query(nonsense, RawValue::new(vec![]), Default::default()).await;
            assert!(matches!(unknown, Err(WorkflowQueryError::Rpc(_))), "{:?}", unknown.err());
            Ok(())
        },
    )
    .await
}
