//! Reset: a second life from an early event on, with the signals that came since.

use anyhow::Result;
use temporalio_client::tonic::Request;
use temporalio_client::{UntypedWorkflow, WorkflowExecutionStatus};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::workflowservice::v1::ResetWorkflowExecutionRequest;
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{SyncWorkflowContext, WorkflowContext, WorkflowResult};

use crate::scene::{history, play};

#[workflow]
#[derive(Default)]
struct Notes {
    notes: Vec<String>,
}

#[workflow_methods]
impl Notes {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
        ctx.wait_condition(|notes| notes.notes.len() >= 2).await?;
        Ok(ctx.state(|notes| notes.notes.clone()))
    }

    #[update]
    fn first(&mut self, _ctx: &mut SyncWorkflowContext<Self>, note: String) {
        self.notes.push(note);
    }

    #[signal]
    fn note(&mut self, _ctx: &mut SyncWorkflowContext<Self>, note: String) {
        self.notes.push(note);
    }
}

#[tokio::test]
async fn a_reset_workflow_lives_again_with_its_signals() -> Result<()> {
    play(
        "reset",
        |worker| worker.register_workflow::<Notes>().map(drop),
        async |scene| {
            let options = scene.options("notes");
            let old = scene.client.start_workflow(Notes::run, (), options).await?;
            old.execute_update(Notes::first, "one".to_owned(), Default::default()).await?;
            old.signal(Notes::note, "two".to_owned(), Default::default()).await?;
            assert_eq!(old.get_result(Default::default()).await?, ["one", "two"]);

            let events = history(&old).await?;
            let first_task =
                events.iter().find(|event| event.event_type() == EventType::WorkflowTaskCompleted);
            let request = ResetWorkflowExecutionRequest {
                namespace: "default".to_owned(),
                workflow_execution: Some(WorkflowExecution {
                    workflow_id: scene.id("notes"),
                    run_id: old.run_id().unwrap_or_default().to_owned(),
                }),
                reason: "again".to_owned(),
                request_id: scene.id("request"),
                workflow_task_finish_event_id: first_task.map(|event| event.event_id).unwrap_or(0),
                ..Default::default()
            };
            let mut service = scene.client.connection().workflow_service();
            let answer = service.reset_workflow_execution(Request::new(request)).await?;
            let new_run = answer.into_inner().run_id;

            let new = scene.client.get_workflow_handle::<notes::Run>(scene.id("notes"));
            let description = new.describe(Default::default()).await?;
            assert_eq!(description.run_id(), new_run);
            let notes = new.get_result(Default::default()).await?;
            assert!(notes.contains(&"two".to_owned()), "{notes:?}");
            let old = scene.client.get_workflow_handle::<UntypedWorkflow>(scene.id("notes"));
            let status = old.describe(Default::default()).await?.status();
            assert_eq!(status, WorkflowExecutionStatus::Completed);
            Ok(())
        },
    )
    .await
}
