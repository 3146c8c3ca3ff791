//! Workflows that can never go on do not hold up their neighbours.

use std::sync::Arc;

use proto::temporal::api::command::v1::{self as command, command::Attributes};
use proto::temporal::api::enums::v1::{CommandType, EventType, WorkflowTaskFailedCause};
use proto::temporal::api::workflowservice::v1::{
    PollWorkflowTaskQueueResponse, RespondWorkflowTaskFailedRequest,
};
use steadfast_sim::api;
use steadfast_sim::client::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::Code;

use crate::scene::{QUEUE, Scene, assert_refused};

/// What the workers of this story saw.
#[derive(Default)]
struct Seen {
    /// Failures of the poisoned workflow's tasks, in all ways.
    poisoned: watch::Sender<u32>,
    /// Neighbours that completed.
    neighbours: watch::Sender<u32>,
}

/// Answers one task: neighbours complete; the poisoned one fails, now by a command that makes no sense, now
/// by saying so.
async fn answer(client: &Client, task: PollWorkflowTaskQueueResponse, seen: &Seen) {
    let execution = task.workflow_execution.unwrap_or_default();
    if execution.workflow_id != "poisoned" {
        let completion = api::completion(task.task_token, vec![api::complete(None)]);
        client.complete_workflow_task(completion).await.unwrap();
        seen.neighbours.send_modify(|count| *count += 1);
    } else if task.attempt % 2 == 1 {
        let nonsense = command::CancelTimerCommandAttributes {
            timer_id: "none".to_owned(),
        };
        let nonsense = api::command_of(
            CommandType::CancelTimer,
            Attributes::CancelTimerCommandAttributes(nonsense),
        );
        let completion = api::completion(task.task_token, vec![nonsense]);
        client.complete_workflow_task(completion).await.unwrap_err();
        seen.poisoned.send_modify(|count| *count += 1);
    } else {
        let failed = RespondWorkflowTaskFailedRequest {
            namespace: api::NAMESPACE.to_owned(),
            task_token: task.task_token,
            cause: WorkflowTaskFailedCause::NonDeterministicError.into(),
            ..Default::default()
        };
        client.fail_workflow_task(failed).await.unwrap();
        seen.poisoned.send_modify(|count| *count += 1);
    }
}

fn workers(client: &Client, seen: &Arc<Seen>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let (client, seen) = (client.clone(), Arc::clone(seen));
        workers.spawn(async move {
            loop {
                let poll = api::poll_workflow(api::queue(QUEUE), "w");
                let task = client.poll_workflow_task(poll).await.unwrap();
                if !task.task_token.is_empty() {
                    answer(&client, task, &seen).await;
                }
            }
        });
    }
    workers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_task_that_always_fails() {
    let mut scene = Scene::new().await;
    let mut start = api::start(QUEUE, "poisoned", None);
    start.workflow_task_timeout = api::millis_of(1_000);
    scene.client.start(start).await.unwrap();
    let seen = Arc::new(Seen::default());
    let crew = workers(&scene.client, &seen);
    seen.poisoned
        .subscribe()
        .wait_for(|count| *count >= 2)
        .await
        .unwrap();
    for number in 0..100 {
        scene.start_workflow(&format!("neighbour-{number}")).await;
    }
    seen.neighbours
        .subscribe()
        .wait_for(|count| *count >= 100)
        .await
        .unwrap();
    // It still tries, and its failures leave one event, however many there were.
    let failures = *seen.poisoned.borrow();
    seen.poisoned
        .subscribe()
        .wait_for(|count| *count > failures)
        .await
        .unwrap();
    let failed = |events: &[String]| events.iter().filter(|e| *e == "WorkflowTaskFailed").count();
    assert_eq!(failed(&scene.events("poisoned").await), 1);
    drop(crew);
    // A server that finds it at its start serves the neighbours too.
    scene.crash().await;
    let seen = Arc::new(Seen::default());
    let _crew = workers(&scene.client, &seen);
    for number in 100..120 {
        scene.start_workflow(&format!("neighbour-{number}")).await;
    }
    seen.neighbours
        .subscribe()
        .wait_for(|count| *count >= 20)
        .await
        .unwrap();
    assert_eq!(failed(&scene.events("poisoned").await), 1);
    drop(_crew);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_at_its_limit() {
    let limit = "limit.historyCount.error=30";
    let scene = Scene::with(&["--dynamic-config-value", limit]).await;
    scene.start_workflow("endless").await;
    scene.start_workflow("neighbour").await;
    let mut neighbour_is_over = false;
    let mut taken = 0;
    let refused = loop {
        match scene
            .client
            .signal(api::signal("endless", "more", None))
            .await
        {
            Ok(_) => taken += 1,
            Err(status) => break status,
        }
        assert!(taken < 100, "there is no limit");
        if taken == 10 {
            // In the middle of it, one task for each of them.
            for _ in 0..2 {
                let task = scene.workflow_task().await;
                let id = task.workflow_execution.unwrap_or_default().workflow_id;
                neighbour_is_over |= id == "neighbour";
                let commands = if id == "neighbour" {
                    vec![api::complete(None)]
                } else {
                    Vec::new()
                };
                scene.complete(task.task_token, commands).await.unwrap();
            }
        }
    };
    assert!(neighbour_is_over);
    // The one too many is told why, those behind it what came of it.
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "Workflow history count exceeds limit.");
    assert_refused(
        scene
            .client
            .signal(api::signal("endless", "more", None))
            .await,
        Code::NotFound,
        "workflow execution already completed",
    );
    let history = scene.history("endless").await;
    let last = history.last().unwrap();
    assert_eq!(last.event_type(), EventType::WorkflowExecutionTerminated);
    assert!(history.len() <= 31, "{} events", history.len());
    let reason = match last.attributes.as_ref().unwrap() {
        proto::temporal::api::history::v1::history_event::Attributes::WorkflowExecutionTerminatedEventAttributes(a) => a.reason.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason, "Workflow history count exceeds limit.");
    let fine = scene.start_workflow("fine").await;
    assert_eq!(
        scene
            .workflow_task()
            .await
            .workflow_execution
            .unwrap()
            .run_id,
        fine
    );
    scene.stop().await;
}
