//! Requests that no client should send: the documented refusal, nothing changes, and the server goes on.

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::WorkflowType;
use proto::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use steadfast_sim::{api, payload};
use tonic::Code;

use crate::scene::{QUEUE, Scene, assert_refused};

const START: &str = "/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution";

/// Nothing was started, and the server still starts things.
async fn assert_untouched(scene: Scene) {
    use proto::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
    let request = ListWorkflowExecutionsRequest {
        namespace: api::NAMESPACE.to_owned(),
        ..Default::default()
    };
    let list = scene.client.list(request).await.unwrap();
    assert_eq!(list.executions, []);
    scene.start_workflow("sound").await;
    assert_eq!(
        scene
            .workflow_task()
            .await
            .workflow_execution
            .unwrap()
            .workflow_id,
        "sound"
    );
    scene.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_message() {
    let scene = Scene::new().await;
    let cut = {
        let mut bytes = api::start(QUEUE, "cut", None).encode_to_vec();
        bytes.truncate(bytes.len() - 3);
        Bytes::from(bytes)
    };
    for garbage in [
        Bytes::from_static(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        cut,
    ] {
        assert_refused(
            scene.client.send_raw(START, garbage, api::SHORT).await,
            Code::Internal,
            "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data",
        );
    }
    assert_untouched(scene).await;
}

#[tokio::test]
async fn strings_that_are_not_utf_8() {
    let scene = Scene::new().await;
    let mut bytes = api::start(QUEUE, "wwww", None).encode_to_vec();
    let at = bytes.windows(4).position(|four| four == b"wwww").unwrap();
    bytes[at..at + 2].copy_from_slice(b"\xff\xfe");
    assert_refused(
        scene.client.send_raw(START, bytes.into(), api::SHORT).await,
        Code::Internal,
        "grpc: error unmarshalling request: string field contains invalid UTF-8",
    );
    assert_untouched(scene).await;
}

#[tokio::test]
async fn a_message_that_is_too_long() {
    let scene = Scene::new().await;
    let input = payload::of_bytes(vec![b'x'; 5 << 20].into());
    let request = api::start(QUEUE, "long", Some(input));
    let message = format!(
        "grpc: received message larger than max ({} vs. 4194304)",
        request.encoded_len()
    );
    assert_refused(
        scene.client.start(request).await,
        Code::ResourceExhausted,
        &message,
    );
    // One that is allowed, with a payload that is not.
    let input = payload::of_bytes(vec![b'x'; 3 << 20].into());
    let answer = scene
        .client
        .start(api::start(QUEUE, "long", Some(input)))
        .await;
    assert_refused(
        answer,
        Code::InvalidArgument,
        "Blob data size exceeds limit.",
    );
    assert_untouched(scene).await;
}

#[tokio::test]
async fn names_that_are_too_long() {
    let scene = Scene::new().await;
    let long = "x".repeat(1_001);
    let sound = || api::start(QUEUE, "w", None);
    let cases: Vec<(StartWorkflowExecutionRequest, &str)> = vec![
        (
            StartWorkflowExecutionRequest {
                workflow_id: long.clone(),
                ..sound()
            },
            "WorkflowId exceeds maximum allowed length (1001/1000)",
        ),
        (
            StartWorkflowExecutionRequest {
                workflow_type: Some(WorkflowType { name: long.clone() }),
                ..sound()
            },
            "WorkflowType length exceeds limit.",
        ),
        (
            StartWorkflowExecutionRequest {
                task_queue: api::queue(&long),
                ..sound()
            },
            "taskQueue length exceeds limit",
        ),
        (
            StartWorkflowExecutionRequest {
                request_id: long.clone(),
                ..sound()
            },
            "RequestId length exceeds limit.",
        ),
        (
            StartWorkflowExecutionRequest {
                workflow_id: String::new(),
                ..sound()
            },
            "WorkflowId is not set on request.",
        ),
        (
            StartWorkflowExecutionRequest {
                workflow_type: None,
                ..sound()
            },
            "WorkflowType is not set on request.",
        ),
    ];
    for (request, message) in cases {
        assert_refused(
            scene.client.start(request).await,
            Code::InvalidArgument,
            message,
        );
    }
    assert_refused(
        scene.client.signal(api::signal("w", &long, None)).await,
        Code::InvalidArgument,
        "SignalName length exceeds limit.",
    );
    // A thousand bytes are fine.
    let just = "x".repeat(1_000);
    scene
        .client
        .start(api::start(QUEUE, &just, None))
        .await
        .unwrap();
    assert_eq!(
        scene
            .workflow_task()
            .await
            .workflow_execution
            .unwrap()
            .workflow_id,
        just
    );
    scene.stop().await;
}

#[tokio::test]
async fn unknown_names() {
    let scene = Scene::new().await;
    let unknown = StartWorkflowExecutionRequest {
        namespace: "nowhere".to_owned(),
        ..api::start(QUEUE, "w", None)
    };
    assert_refused(
        scene.client.start(unknown).await,
        Code::NotFound,
        "Namespace nowhere is not found.",
    );
    assert_refused(
        scene.client.signal(api::signal("nobody", "s", None)).await,
        Code::NotFound,
        "workflow not found for ID: nobody",
    );
    let path = "/temporal.api.workflowservice.v1.WorkflowService/Foo";
    assert_refused(
        scene.client.send_raw(path, Bytes::new(), api::SHORT).await,
        Code::Unimplemented,
        "unknown method Foo for service temporal.api.workflowservice.v1.WorkflowService",
    );
    assert_untouched(scene).await;
}

#[tokio::test]
async fn noise_instead_of_http() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let scene = Scene::new().await;
    for address in [&scene.server.address, &scene.server.http_address] {
        for noise in [
            &b"\x00\x01\x02\x03\xff\xfe"[..],
            b"GET / HTTP/9.9\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff",
        ] {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(noise).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            // It may answer or just hang up; it must not wait for ever.
            let _ = tokio::time::timeout(api::SHORT, stream.read_to_end(&mut answer))
                .await
                .unwrap();
        }
    }
    assert_untouched(scene).await;
}
