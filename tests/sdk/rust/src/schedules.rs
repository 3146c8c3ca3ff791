//! Schedules: made, triggered, paused, changed, backfilled, listed, deleted.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use temporalio_client::UntypedWorkflow;
use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleBackfill, ScheduleDescriptionAction,
    ScheduleOverlapPolicy, ScheduleSpec,
};
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};

use crate::scene::{play, until};

#[workflow]
#[derive(Default)]
struct Echoes;

#[workflow_methods]
impl Echoes {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, word: String) -> WorkflowResult<String> {
        Ok(word)
    }
}

#[tokio::test]
async fn a_schedule_lives_from_its_creation_to_its_end() -> Result<()> {
    play(
        "schedules",
        |worker| worker.register_workflow::<Echoes>().map(drop),
        async |scene| {
            let client = &scene.client;
            let action = ScheduleAction::start_workflow(
                Echoes::run,
                "tick".to_owned(),
                scene.task_queue.clone(),
                scene.id("action"),
            );
            let options = CreateScheduleOptions::builder()
                .action(action)
                .spec(ScheduleSpec::from_interval(Duration::from_secs(3600)))
                .paused(true)
                .note("asleep")
                .build();
            let schedule = client.create_schedule(scene.id("schedule"), options.clone()).await?;
            let again = client.create_schedule(scene.id("schedule"), options).await;
            assert!(again.is_err(), "the id is taken");
            let description = schedule.describe(Default::default()).await?;
            assert!(description.paused());
            assert_eq!(description.note(), Some("asleep"));
            assert!(!description.future_action_times().is_empty());
            let ScheduleDescriptionAction::StartWorkflow(start) = description.action() else {
                panic!("no workflow to start")
            };
            assert_eq!(start.args::<String>().await?.as_deref(), Some("tick"));

            schedule.unpause(Some("awake".to_owned()), Default::default()).await?;
            schedule.trigger(ScheduleOverlapPolicy::AllowAll, Default::default()).await?;
            let recent = until("the action was taken", async || {
                let description = schedule.describe(Default::default()).await?;
                Ok(description.recent_actions().into_iter().next())
            })
            .await?;
            let started = client.get_workflow_handle::<UntypedWorkflow>(recent.workflow_id);
            let started = started.describe(Default::default()).await?;
            assert_eq!(started.workflow_type(), "Echoes");

            schedule
                .update(
                    |update| {
                        update.set_note("changed").set_paused(true);
                    },
                    Default::default(),
                )
                .await?;
            let description = schedule.describe(Default::default()).await?;
            assert_eq!((description.note(), description.paused()), (Some("changed"), true));

            let now = SystemTime::now();
            let past = |hours: u64| now - Duration::from_secs(3600 * hours);
            let backfill = ScheduleBackfill::new(past(3), past(0))
                .overlap_policy(ScheduleOverlapPolicy::AllowAll)
                .build();
            schedule.backfill([backfill], Default::default()).await?;
            until("the missed actions are made up for", async || {
                let description = schedule.describe(Default::default()).await?;
                Ok((description.action_count() >= 4).then_some(()))
            })
            .await?;

            until("the schedule is listed", async || {
                let listed: Vec<_> =
                    client.list_schedules(Default::default()).try_collect().await?;
                let id = scene.id("schedule");
                Ok(listed.iter().any(|entry| entry.schedule_id() == id).then_some(()))
            })
            .await?;
            schedule.delete(Default::default()).await.context("deleting it")?;
            assert!(schedule.describe(Default::default()).await.is_err());
            Ok(())
        },
    )
    .await
}
