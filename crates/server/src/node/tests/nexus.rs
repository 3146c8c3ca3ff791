//! What a node asks of the outside: Nexus handlers, and those who gave completion callbacks.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use engine::workflow::{StartInput, describe};
use proto::temporal::api::common::v1::callback::{Nexus, Variant};
use proto::temporal::api::common::v1::{Callback, WorkflowType};
use proto::temporal::api::enums::v1::CallbackState;
use proto::temporal::api::workflow::v1::CallbackInfo;
use proto::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::bed::{Bed, PATIENCE, complete_workflow, queue};
/// What came, and what to answer.
type Elsewhere = (mpsc::UnboundedSender<HeaderMap>, StatusCode);

/// A server elsewhere that always gives this answer; its address, and what comes there.
async fn elsewhere(status: StatusCode) -> (String, mpsc::UnboundedReceiver<HeaderMap>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let take = |State((sender, status)): State<Elsewhere>, headers: HeaderMap| async move {
        let _ = sender.send(headers);
        status
    };
    let router = Router::new()
        .route("/done", post(take))
        .with_state((sender, status));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/done"), receiver)
}

async fn start(bed: &Bed, url: String) {
    let callback = Callback {
        variant: Some(Variant::Nexus(Nexus {
            url,
            header: [("k".to_owned(), "v".to_owned())].into(),
        })),
        links: Vec::new(),
    };
    let request = StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: "w".to_owned(),
        workflow_type: Some(WorkflowType {
            name: "order".to_owned(),
        }),
        task_queue: Some(queue("q")),
        request_id: "r".to_owned(),
        completion_callbacks: vec![callback],
        ..Default::default()
    };
    let input = StartInput::Start(Box::new(request));
    let started = bed.node.shards.start(&bed.namespace, input).await;
    started.unwrap();
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
}

/// The only callback, once it is as wanted.
async fn callback(bed: &Bed, wanted: impl Fn(&CallbackInfo) -> bool) -> CallbackInfo {
    let now = engine::time::Timestamp(i64::MAX);
    let shards = &bed.node.shards;
    let look = || shards.read(&bed.namespace, "w", None, move |state| describe(state, now));
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let mut described = look().await.unwrap();
            let info = described.callbacks.remove(0);
            if wanted(&info) {
                return info;
            }
            tokio::task::yield_now().await;
        }
    });
    found.await.unwrap()
}

#[tokio::test]
async fn a_callback_is_delivered() {
    let (url, mut came) = elsewhere(StatusCode::OK).await;
    let bed = Bed::new().await;
    start(&bed, url).await;
    let headers = came.recv().await.unwrap();
    assert_eq!(headers["k"], "v");
    assert_eq!(headers["nexus-operation-state"], "succeeded");
    assert!(headers.contains_key("nexus-operation-close-time"));
    let info = callback(&bed, |info| info.attempt == 1).await;
    assert_eq!(info.state, CallbackState::Succeeded as i32);
}

#[tokio::test]
async fn a_callback_that_is_refused_for_good_is_given_up() {
    let (url, _came) = elsewhere(StatusCode::BAD_REQUEST).await;
    let bed = Bed::new().await;
    start(&bed, url).await;
    let info = callback(&bed, |info| info.attempt == 1).await;
    assert_eq!(info.state, CallbackState::Failed as i32);
}

#[tokio::test]
async fn a_callback_is_made_again() {
    let (url, mut came) = elsewhere(StatusCode::SERVICE_UNAVAILABLE).await;
    let bed = Bed::new().await;
    start(&bed, url).await;
    came.recv().await.unwrap();
    let info = callback(&bed, |info| info.attempt == 1).await;
    assert!(info.last_attempt_failure.is_some());
    bed.clock.advance(std::time::Duration::from_secs(10));
    callback(&bed, |info| info.attempt == 2).await;
    came.recv().await.unwrap();
}
