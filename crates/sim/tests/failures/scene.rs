//! A server and the few calls that most stories begin with.

use std::path::PathBuf;

use bytes::Bytes;
use proto::temporal::api::command::v1::Command;
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::enums::v1::CommandType;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse,
};
use steadfast_sim::api;
use steadfast_sim::client::Client;
use steadfast_sim::process::{Server, Start};
use tempfile::TempDir;
use tonic::{Code, Status};

/// The queue of all stories; each has a server of its own.
pub(crate) const QUEUE: &str = "q";

/// A server on a database of its own.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) start: Start,
    pub(crate) server: Server,
    pub(crate) client: Client,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further arguments for the server.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = Start::on(&folder.path().join("steadfast.db"))
            .unwrap()
            .on_free_ports();
        let start = start.with(arguments.iter().copied());
        let server = start.serve().await.unwrap();
        let client = server.client().await.unwrap();
        Self {
            folder,
            start,
            server,
            client,
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("steadfast.db")
    }

    /// Kills the server and starts another one on the same database.
    pub(crate) async fn crash(&mut self) {
        self.server.kill().await.unwrap();
        self.restart().await;
    }

    /// After the server ended.
    pub(crate) async fn restart(&mut self) {
        self.server = self.start.serve().await.unwrap();
        self.client = self.server.client().await.unwrap();
    }

    /// Starts a workflow; answers with its run id.
    pub(crate) async fn start_workflow(&self, id: &str) -> String {
        self.client
            .start(api::start(QUEUE, id, None))
            .await
            .unwrap()
            .run_id
    }

    /// The next workflow task.
    pub(crate) async fn workflow_task(&self) -> PollWorkflowTaskQueueResponse {
        let task = self
            .client
            .poll_workflow_task(api::poll_workflow(api::queue(QUEUE), "w"))
            .await;
        let task = task.unwrap();
        assert!(!task.task_token.is_empty(), "no workflow task came");
        task
    }

    /// The next activity task.
    pub(crate) async fn activity_task(&self) -> PollActivityTaskQueueResponse {
        let task = self
            .client
            .poll_activity_task(api::poll_activity(QUEUE, "w"))
            .await
            .unwrap();
        assert!(!task.task_token.is_empty(), "no activity task came");
        task
    }

    pub(crate) async fn complete(
        &self,
        token: Bytes,
        commands: Vec<Command>,
    ) -> Result<(), Status> {
        self.client
            .complete_workflow_task(api::completion(token, commands))
            .await
            .map(drop)
    }

    pub(crate) async fn complete_activity(&self, token: Bytes) -> Result<(), Status> {
        self.client
            .complete_activity_task(api::activity_completion(token, None))
            .await
            .map(drop)
    }

    /// A workflow with one activity, as a worker is given it.
    pub(crate) async fn started_activity(&self, id: &str) -> PollActivityTaskQueueResponse {
        self.start_workflow(id).await;
        let task = self.workflow_task().await;
        self.complete(task.task_token, vec![activity("a")])
            .await
            .unwrap();
        self.activity_task().await
    }

    /// The stored history of a workflow's current run.
    pub(crate) async fn history(&self, id: &str) -> Vec<HistoryEvent> {
        self.client.whole_history(id, "").await.unwrap()
    }

    /// The names of its events, in short.
    pub(crate) async fn events(&self, id: &str) -> Vec<String> {
        self.history(id)
            .await
            .iter()
            .map(|event| format!("{:?}", event.event_type()))
            .collect()
    }

    /// Tells the server to stop, and checks that it did so well.
    pub(crate) async fn stop(mut self) {
        self.server.terminate().unwrap();
        let (status, stderr) = self.server.ended().await.unwrap();
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

/// The command for an activity.
pub(crate) fn activity(id: &str) -> Command {
    let attributes = api::schedule_activity(id, QUEUE, None, 60_000);
    api::command_of(
        CommandType::ScheduleActivityTask,
        Attributes::ScheduleActivityTaskCommandAttributes(attributes),
    )
}

/// Checks how a call was refused.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    code: Code,
    message: &str,
) {
    let status = answer.expect_err("it was taken");
    assert_eq!((status.code(), status.message()), (code, message));
}
