//! Search attributes, and lists and counts by them.

use anyhow::Result;
use futures::TryStreamExt as _;
use temporalio_client::tonic::Request;
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::AddSearchAttributesRequest;
use temporalio_common::search_attributes::{SearchAttributeKey, SearchAttributes};
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};

use crate::scene::{play, until};

const COLOUR: SearchAttributeKey<String> = SearchAttributeKey::keyword("SdkRustColour");
const SIZE: SearchAttributeKey<i64> = SearchAttributeKey::int("SdkRustSize");

/// Takes another colour, and grows.
#[workflow]
#[derive(Default)]
struct Paints;

#[workflow_methods]
impl Paints {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, colour: String) -> WorkflowResult<Option<i64>> {
        let size = ctx.search_attributes().get(&SIZE);
        let grown = size.unwrap_or_default() + 10;
        ctx.upsert_search_attributes([COLOUR.value_set(colour), SIZE.value_set(grown)]);
        Ok(size)
    }
}

#[tokio::test]
async fn workflows_are_listed_and_counted_by_their_attributes() -> Result<()> {
    play(
        "visibility",
        |worker| worker.register_workflow::<Paints>().map(drop),
        async |scene| {
            let client = &scene.client;
            let mut operator = client.connection().operator_service();
            let request = AddSearchAttributesRequest {
                namespace: "default".to_owned(),
                search_attributes: [
                    (COLOUR.name().to_owned(), IndexedValueType::Keyword.into()),
                    (SIZE.name().to_owned(), IndexedValueType::Int.into()),
                ]
                .into(),
            };
            // An earlier run may have added them.
            let _ = operator.add_search_attributes(Request::new(request)).await;

            for (size, colour) in [(1, "red"), (2, "red"), (3, "blue")] {
                let mut options = scene.options(&size.to_string());
                let attributes = [COLOUR.value_set("white".to_owned()), SIZE.value_set(size)];
                options.search_attributes = Some(SearchAttributes::new(attributes));
                let handle = until("the attributes are known", async || {
                    let (colour, options) = (colour.to_owned(), options.clone());
                    Ok(client.start_workflow(Paints::run, colour, options).await.ok())
                })
                .await?;
                assert_eq!(handle.get_result(Default::default()).await?, Some(size));
                let description = handle.describe(Default::default()).await?;
                assert_eq!(description.search_attributes().get(&COLOUR).as_deref(), Some(colour));
                assert_eq!(description.search_attributes().get(&SIZE), Some(size + 10));
            }

            let here =
                format!("TaskQueue = '{}' AND ExecutionStatus = 'Completed'", scene.task_queue);
            let red = format!("{here} AND SdkRustColour = 'red' AND SdkRustSize < 13");
            until("both are counted", async || {
                let count = client.count_workflows(red.clone(), Default::default()).await?;
                Ok((count.count() == 2).then_some(()))
            })
            .await?;
            let listed: Vec<_> =
                client.list_workflows(red, Default::default()).try_collect().await?;
            let mut ids: Vec<&str> = listed.iter().map(|workflow| workflow.id()).collect();
            ids.sort_unstable();
            assert_eq!(ids, [scene.id("1"), scene.id("2")]);

            until("all three are in one group", async || {
                let query = format!("{here} GROUP BY ExecutionStatus");
                let count = client.count_workflows(query, Default::default()).await?;
                let groups = count.groups().iter();
                let groups: Vec<_> =
                    groups.map(|group| (group.get::<String>(0), group.count())).collect();
                Ok((groups == [(Some("Completed".to_owned()), 3)]).then_some(()))
            })
            .await
        },
    )
    .await
}
