//! A server that is told to stop: polls are answered, work in hand is finished, nothing acknowledged is lost.

use std::sync::Arc;

use steadfast_sim::api;
use steadfast_sim::client::is_answer;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::scene::{QUEUE, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nothing_acknowledged_is_lost() {
    let mut scene = Scene::new().await;
    let acknowledged = Arc::new(watch::Sender::new(0_u32));
    let mut callers = JoinSet::new();
    for caller in 0..16 {
        let (client, acknowledged) = (scene.client.clone(), Arc::clone(&acknowledged));
        callers.spawn(async move {
            let mut taken = Vec::new();
            for number in 0.. {
                let id = format!("w{caller}-{number}");
                match client.start(api::start(QUEUE, &id, None)).await {
                    Ok(answer) => taken.push((id, answer.run_id)),
                    Err(status) => {
                        assert!(!is_answer(&status), "refused for good: {status}");
                        break;
                    }
                }
                acknowledged.send_modify(|count| *count += 1);
            }
            taken
        });
    }
    acknowledged
        .subscribe()
        .wait_for(|count| *count >= 200)
        .await
        .unwrap();
    scene.server.terminate().unwrap();
    let (status, stderr) = scene.server.ended().await.unwrap();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
    let taken: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    scene.restart().await;
    for (id, run_id) in &taken {
        let events = scene.client.whole_history(id, run_id).await.unwrap();
        assert_eq!(events.len(), 2, "{id}");
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polls_are_answered() {
    let mut scene = Scene::new().await;
    let run_id = scene.start_workflow("w").await;
    let task = scene.workflow_task().await;
    let (a, b, c) = (
        scene.client.clone(),
        scene.client.clone(),
        scene.client.clone(),
    );
    let workflow_poll = tokio::spawn(async move {
        a.poll_workflow_task(api::poll_workflow(api::queue(QUEUE), "w"))
            .await
    });
    let activity_poll =
        tokio::spawn(async move { b.poll_activity_task(api::poll_activity(QUEUE, "w")).await });
    let run = run_id.clone();
    let close_poll = tokio::spawn(async move {
        let mut token = bytes::Bytes::new();
        c.await_close("w", &run, &mut token).await
    });
    // The pollers are there once the server says so.
    for kind in [1, 2] {
        await_poller(&scene, kind).await;
    }
    scene.server.terminate().unwrap();
    assert!(workflow_poll.await.unwrap().unwrap().task_token.is_empty());
    assert!(activity_poll.await.unwrap().unwrap().task_token.is_empty());
    // Whoever waits for a close event may be told to ask again.
    match close_poll.await.unwrap() {
        Ok(event) => assert!(event.is_none(), "{event:?}"),
        Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable, "{status}"),
    }
    let (status, stderr) = scene.server.ended().await.unwrap();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    // The task that was out comes again.
    scene.restart().await;
    let again = scene.workflow_task().await;
    assert_eq!(again.workflow_execution.unwrap().run_id, run_id);
    assert_ne!(again.task_token, task.task_token);
    scene.stop().await;
}

/// Waits until somebody polls the queue for tasks of this kind (the wire's number).
async fn await_poller(scene: &Scene, kind: i32) {
    use proto::temporal::api::workflowservice::v1::{
        DescribeTaskQueueRequest, DescribeTaskQueueResponse,
    };
    let method = steadfast_sim::client::Method {
        name: "DescribeTaskQueue",
        path: "/temporal.api.workflowservice.v1.WorkflowService/DescribeTaskQueue",
    };
    loop {
        let request = DescribeTaskQueueRequest {
            namespace: api::NAMESPACE.to_owned(),
            task_queue: api::queue(QUEUE),
            task_queue_type: kind,
            ..Default::default()
        };
        let queue: DescribeTaskQueueResponse = scene
            .client
            .call(method, request, api::SHORT)
            .await
            .unwrap();
        if !queue.pollers.is_empty() {
            return;
        }
    }
}
