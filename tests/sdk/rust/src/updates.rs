//! Updates: answered, rejected, asked for later, and together with the start.

use std::time::Duration;

use anyhow::Result;
use temporalio_client::errors::WorkflowUpdateWithStartError;
use temporalio_client::errors::{WorkflowStartError, WorkflowUpdateError};
use temporalio_client::{
    WorkflowIdConflictPolicy, WorkflowStartUpdateOptions, WorkflowUpdateWithStartOptions,
};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    SyncWorkflowContext, WorkerOptions, WorkflowContext, WorkflowContextView,
    WorkflowRegistrationError, WorkflowResult,
};

use crate::scene::{Scene, count, history, play};

#[workflow]
#[derive(Default)]
struct Account {
    cents: i64,
    closed: bool,
}

#[workflow_methods]
impl Account {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<i64> {
        ctx.wait_condition(|account| account.closed).await?;
        Ok(ctx.state(|account| account.cents))
    }

    #[update_validator(pay_in)]
    fn positive(
        &self,
        _ctx: &WorkflowContextView,
        cents: &i64,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if *cents > 0 { Ok(()) } else { Err("only what is more than nothing".into()) }
    }

    #[update]
    fn pay_in(&mut self, _ctx: &mut SyncWorkflowContext<Self>, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    /// Is accepted at once, and answers after a timer.
    #[update]
    async fn pay_in_slowly(ctx: &mut WorkflowContext<Self>, cents: i64) -> i64 {
        ctx.timer(Duration::from_millis(50)).await;
        ctx.state_mut(|account| {
            account.cents += cents;
            account.cents
        })
    }

    #[signal]
    fn close(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.closed = true;
    }
}

fn register(worker: &mut WorkerOptions) -> Result<(), WorkflowRegistrationError> {
    worker.register_workflow::<Account>().map(drop)
}

#[tokio::test]
async fn an_update_is_answered_or_rejected() -> Result<()> {
    play("updates", register, async |scene| {
        let account =
            scene.client.start_workflow(Account::run, (), scene.options("account")).await?;
        assert_eq!(account.execute_update(Account::pay_in, 5, Default::default()).await?, 5);
        let rejected = account.execute_update(Account::pay_in, 0, Default::default()).await;
        let Err(WorkflowUpdateError::Failed(failure)) = rejected else {
            panic!("it should have been rejected: {rejected:?}")
        };
        assert!(failure.message.contains("more than nothing"), "{failure:?}");
        account.signal(Account::close, (), Default::default()).await?;
        assert_eq!(account.get_result(Default::default()).await?, 5);
        let events = history(&account).await?;
        assert_eq!(count(&events, EventType::WorkflowExecutionUpdateAccepted), 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_update_is_waited_for_later_and_done_once() -> Result<()> {
    play("update-later", register, async |scene| {
        let account =
            scene.client.start_workflow(Account::run, (), scene.options("account")).await?;
        let options = || WorkflowStartUpdateOptions::builder().update_id("once".to_owned()).build();
        let first = account.start_update(Account::pay_in_slowly, 7, options()).await?;
        let again = account.start_update(Account::pay_in_slowly, 7, options()).await?;
        assert_eq!(first.get_result(Default::default()).await?, 7);
        assert_eq!(again.get_result(Default::default()).await?, 7);
        let found = account.get_update_handle(Account::pay_in_slowly, "once");
        assert_eq!(found.get_result(Default::default()).await?, 7);
        let unknown = account.get_update_handle(Account::pay_in_slowly, "never");
        let unknown = unknown.get_result(Default::default()).await;
        assert!(matches!(unknown, Err(WorkflowUpdateError::NotFound(_))), "{unknown:?}");
        account.signal(Account::close, (), Default::default()).await?;
        assert_eq!(account.get_result(Default::default()).await?, 7);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_update_starts_the_workflow_once() -> Result<()> {
    fn options(
        scene: &Scene,
        conflict: WorkflowIdConflictPolicy,
    ) -> WorkflowUpdateWithStartOptions {
        let (queue, id) = (scene.task_queue.clone(), scene.id("account"));
        WorkflowUpdateWithStartOptions::new(queue, id, conflict).build()
    }
    play("update-with-start", register, async |scene| {
        let client = &scene.client;
        for expected in [4, 8] {
            let existing = options(scene, WorkflowIdConflictPolicy::UseExisting);
            let cents = client
                .execute_update_with_start_workflow(Account::run, (), Account::pay_in, 4, existing)
                .await?;
            assert_eq!(cents, expected);
        }
        let fail = options(scene, WorkflowIdConflictPolicy::Fail);
        let conflict = client
            .execute_update_with_start_workflow(Account::run, (), Account::pay_in, 4, fail)
            .await;
        let Err(WorkflowUpdateWithStartError::Start(WorkflowStartError::AlreadyStarted {
            run_id: Some(_),
            ..
        })) = conflict
        else {
            panic!("it should have been started already: {conflict:?}")
        };
        let account = client.get_workflow_handle::<account::Run>(scene.id("account"));
        account.signal(Account::close, (), Default::default()).await?;
        assert_eq!(account.get_result(Default::default()).await?, 8);
        Ok(())
    })
    .await
}
