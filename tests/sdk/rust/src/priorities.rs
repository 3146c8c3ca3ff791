//! Priorities and fairness keys reach activities and children.

use std::time::Duration;

use anyhow::Result;
use temporalio_client::Priority;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{ActivityOptions, ChildWorkflowOptions, WorkflowContext, WorkflowResult};

use crate::scene::play;

/// A priority as values that compare and travel.
type Seen = (Option<u32>, Option<String>, Option<f32>);

fn seen(priority: &Priority) -> Seen {
    (priority.priority_key, priority.fairness_key.clone(), priority.fairness_weight)
}

fn priority(key: u32, fairness: &str) -> Priority {
    Priority::builder().priority_key(key).fairness_key(fairness).fairness_weight(1.5).build()
}

struct Looks;

#[activities]
impl Looks {
    #[activity]
    async fn look(ctx: ActivityContext) -> Result<Seen, ActivityError> {
        Ok(seen(&ctx.info().priority))
    }
}

#[workflow]
#[derive(Default)]
struct Child;

#[workflow_methods]
impl Child {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Seen> {
        Ok(seen(&ctx.info().priority()))
    }
}

/// What it has itself, what an activity inherits, and what an activity and a child get of their own.
#[workflow]
#[derive(Default)]
struct Parent;

#[workflow_methods]
impl Parent {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<Seen>> {
        let options = || {
            ActivityOptions::with_start_to_close_timeout(Duration::from_secs(10))
                .do_not_eagerly_execute(true)
        };
        let inherited = ctx.execute_activity(Looks::look, (), options().build()).await?;
        let own = options().priority(priority(5, "activity")).build();
        let own = ctx.execute_activity(Looks::look, (), own).await?;
        let child = ChildWorkflowOptions::builder().priority(priority(4, "child")).build();
        let child = ctx.start_child_workflow(Child::run, (), child).await?.result().await?;
        Ok(vec![seen(&ctx.info().priority()), inherited, own, child])
    }
}

#[tokio::test]
async fn priorities_are_inherited_and_overridden() -> Result<()> {
    play(
        "priorities",
        |worker| {
            worker
                .register_workflow::<Parent>()?
                .register_workflow::<Child>()?
                .register_activities(Looks);
            Ok(())
        },
        async |scene| {
            let mut options = scene.options("parent");
            options.priority = priority(1, "workflow");
            let handle = scene.client.start_workflow(Parent::run, (), options).await?;
            let expected = [(1, "workflow"), (1, "workflow"), (5, "activity"), (4, "child")];
            let expected = expected.map(|(key, fairness)| seen(&priority(key, fairness)));
            assert_eq!(handle.get_result(Default::default()).await?, expected);
            Ok(())
        },
    )
    .await
}
