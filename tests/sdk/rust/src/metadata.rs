//! What people see of a workflow: memo, summaries and details.

use std::time::Duration;

use anyhow::Result;
use temporalio_common::MemoValues;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{MemoValue, TimerOptions, WorkflowContext, WorkflowResult};

use crate::scene::{history, play};

#[workflow]
#[derive(Default)]
struct Explains;

#[workflow_methods]
impl Explains {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.upsert_memo([("added", Some(MemoValue::new(7_u32))), ("removed", None)])?;
        ctx.timer(
            TimerOptions::builder(Duration::from_millis(10)).summary("a nap".to_owned()).build(),
        )
        .await;
        Ok(())
    }
}

#[tokio::test]
async fn memo_and_summaries_come_back_as_they_were_given() -> Result<()> {
    play(
        "metadata",
        |worker| worker.register_workflow::<Explains>().map(drop),
        async |scene| {
            let mut options = scene.options("explains");
            options.static_summary = Some("A nap".to_owned());
            options.static_details = Some("It *sleeps*.".to_owned());
            let mut memo = MemoValues::new();
            memo.insert("kept", "yes".to_owned()).insert("removed", true);
            options.memo = Some(memo);
            let handle = scene.client.start_workflow(Explains::run, (), options).await?;
            handle.get_result(Default::default()).await?;

            let description = handle.describe(Default::default()).await?;
            assert_eq!(description.static_summary(), Some("A nap"));
            assert_eq!(description.static_details(), Some("It *sleeps*."));
            let memo = description.memo();
            assert_eq!(memo.get::<String>("kept")?.as_deref(), Some("yes"));
            assert_eq!(memo.get::<u32>("added")?, Some(7));
            assert!(!memo.contains_key("removed"));

            let events = history(&handle).await?;
            let timer = events.iter().find(|event| event.event_type() == EventType::TimerStarted);
            let metadata = timer.and_then(|timer| timer.user_metadata.clone()).unwrap_or_default();
            let Payload { data, .. } = metadata.summary.unwrap_or_default();
            assert_eq!(data, br#""a nap""#);
            Ok(())
        },
    )
    .await
}
