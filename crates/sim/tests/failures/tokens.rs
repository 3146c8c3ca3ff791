//! Task tokens that are wrong, stale, used twice, or from before a crash: the documented refusal, and the
//! history stays as it was.

use bytes::Bytes;
use proto::temporal::api::workflowservice::v1::{
    RecordActivityTaskHeartbeatRequest, RespondActivityTaskCompletedByIdRequest,
    TerminateWorkflowExecutionRequest,
};
use steadfast_sim::api;
use tonic::Code;

use crate::scene::{Scene, activity, assert_refused};

const NO_TASK: &str = "Workflow task not found.";
const NO_ACTIVITY: &str =
    "invalid activityID or activity already timed out or invoking workflow is completed";
const OVER: &str = "workflow execution already completed";

#[tokio::test]
async fn garbage_and_none() {
    let scene = Scene::new().await;
    let garbage = || Bytes::from_static(b"\xff\xff\xff not a token");
    for (token, message) in [
        (Bytes::new(), "Task token not set on request."),
        (garbage(), "Error deserializing task token."),
        // A field of an unknown number: it decodes, and says nothing.
        (
            Bytes::from_static(b"\x78\x01"),
            "Error deserializing task token.",
        ),
    ] {
        assert_refused(
            scene.complete(token.clone(), vec![]).await,
            Code::InvalidArgument,
            message,
        );
        assert_refused(
            scene.complete_activity(token.clone()).await,
            Code::InvalidArgument,
            message,
        );
        let heartbeat = RecordActivityTaskHeartbeatRequest {
            namespace: api::NAMESPACE.to_owned(),
            task_token: token,
            ..Default::default()
        };
        assert_refused(
            scene.client.heartbeat(heartbeat).await,
            Code::InvalidArgument,
            message,
        );
    }
    scene.stop().await;
}

#[tokio::test]
async fn a_workflow_task_is_completed_once() {
    let scene = Scene::new().await;
    scene.start_workflow("w").await;
    let task = scene.workflow_task().await;
    scene
        .complete(task.task_token.clone(), vec![activity("a")])
        .await
        .unwrap();
    let before = scene.events("w").await;
    let again = scene.complete(task.task_token, vec![activity("b")]).await;
    assert_refused(again, Code::NotFound, NO_TASK);
    assert_eq!(scene.events("w").await, before);
    scene.stop().await;
}

#[tokio::test]
async fn an_activity_is_completed_once() {
    let scene = Scene::new().await;
    let task = scene.started_activity("w").await;
    scene
        .complete_activity(task.task_token.clone())
        .await
        .unwrap();
    let before = scene.events("w").await;
    assert_refused(
        scene.complete_activity(task.task_token.clone()).await,
        Code::NotFound,
        NO_ACTIVITY,
    );
    let by_id = RespondActivityTaskCompletedByIdRequest {
        namespace: api::NAMESPACE.to_owned(),
        workflow_id: "w".to_owned(),
        activity_id: "a".to_owned(),
        ..Default::default()
    };
    assert_refused(
        scene.client.complete_activity_task_by_id(by_id).await,
        Code::NotFound,
        "cannot find pending activity with ActivityID a, check workflow execution history for more details",
    );
    assert_eq!(scene.events("w").await, before);
    scene.stop().await;
}

#[tokio::test]
async fn after_the_workflow_is_over() {
    let scene = Scene::new().await;
    let task = scene.started_activity("w").await;
    scene.start_workflow("v").await;
    let workflow_task = scene.workflow_task().await;
    for id in ["w", "v"] {
        let terminate = TerminateWorkflowExecutionRequest {
            namespace: api::NAMESPACE.to_owned(),
            workflow_execution: api::execution(id, ""),
            ..Default::default()
        };
        scene.client.terminate_workflow(terminate).await.unwrap();
    }
    let before = (scene.events("w").await, scene.events("v").await);
    assert_refused(
        scene.complete_activity(task.task_token).await,
        Code::NotFound,
        OVER,
    );
    let completed = scene.complete(workflow_task.task_token, vec![]).await;
    assert_eq!(completed.unwrap_err().code(), Code::NotFound);
    let signal = scene.client.signal(api::signal("w", "s", None)).await;
    assert_refused(signal, Code::NotFound, OVER);
    assert_eq!((scene.events("w").await, scene.events("v").await), before);
    scene.stop().await;
}

#[tokio::test]
async fn a_workflow_task_from_before_a_crash_is_not_the_one_after_it() {
    let mut scene = Scene::new().await;
    scene.start_workflow("w").await;
    let old = scene.workflow_task().await;
    scene.crash().await;
    // Nobody has it now.
    let before = scene.events("w").await;
    let late = scene
        .complete(old.task_token.clone(), vec![activity("a")])
        .await;
    assert_refused(late, Code::NotFound, NO_TASK);
    // Now somebody else does: same task, same attempt, and still not the old one's.
    let new = scene.workflow_task().await;
    assert_eq!(
        (new.started_event_id, new.attempt),
        (old.started_event_id, old.attempt)
    );
    let late = scene.complete(old.task_token, vec![activity("a")]).await;
    assert_refused(late, Code::NotFound, NO_TASK);
    // A started task shows, but is not stored.
    assert_eq!(scene.events("w").await[..before.len()], before);
    scene
        .complete(new.task_token, vec![activity("b")])
        .await
        .unwrap();
    assert_eq!(scene.activity_task().await.activity_id, "b");
    scene.stop().await;
}

#[tokio::test]
async fn an_activity_task_from_before_a_crash_is_still_good_and_nobody_elses() {
    let mut scene = Scene::new().await;
    let task = scene.started_activity("w").await;
    scene.crash().await;
    // It was recorded before it was handed out, so it is not handed out again: a second activity, ready
    // later, comes first.
    scene.start_workflow("v").await;
    let other = scene.workflow_task().await;
    scene
        .complete(other.task_token, vec![activity("other")])
        .await
        .unwrap();
    assert_eq!(scene.activity_task().await.activity_id, "other");
    scene.complete_activity(task.task_token).await.unwrap();
    assert!(
        scene
            .events("w")
            .await
            .contains(&"ActivityTaskCompleted".to_owned())
    );
    scene.stop().await;
}

#[tokio::test]
async fn a_token_of_another_namespace() {
    use proto::temporal::api::workflowservice::v1::RegisterNamespaceRequest;
    use proto::temporal::api::workflowservice::v1::RegisterNamespaceResponse;
    let scene = Scene::new().await;
    let register = RegisterNamespaceRequest {
        namespace: "other".to_owned(),
        workflow_execution_retention_period: api::millis_of(86_400_000),
        ..Default::default()
    };
    let method = steadfast_sim::client::Method {
        name: "RegisterNamespace",
        path: "/temporal.api.workflowservice.v1.WorkflowService/RegisterNamespace",
    };
    let _: RegisterNamespaceResponse = scene
        .client
        .call(method, register, api::SHORT)
        .await
        .unwrap();
    let task = scene.started_activity("w").await;
    let before = scene.events("w").await;
    let mut stolen = api::activity_completion(task.task_token.clone(), None);
    stolen.namespace = "other".to_owned();
    assert_refused(
        scene.client.complete_activity_task(stolen).await,
        Code::InvalidArgument,
        "Operation requested with a token from a different namespace.",
    );
    assert_eq!(scene.events("w").await, before);
    scene.complete_activity(task.task_token).await.unwrap();
    scene.stop().await;
}
