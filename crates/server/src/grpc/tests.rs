//! Stories of the frontend over a node with a store in memory: what a request goes through before it
//! reaches its execution, and what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::limits::Limits;
use prost::Message;
use proto::temporal::api::common::v1::{WorkflowExecution, WorkflowType};
use proto::temporal::api::enums::v1::HistoryEventFilterType;
use proto::temporal::api::operatorservice::v1::{DeleteNamespaceRequest, DeleteNamespaceResponse};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::*;
use store::{MemoryStore, Store};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::Code;

use super::call::Metadata;
use super::{Frontend, Server};
use crate::namespaces::Namespaces;
use crate::node::{Node, NodeOptions};
use crate::wire;

/// A frontend, and what keeps it going.
struct Bed {
    server: Server,
    _stop: watch::Sender<bool>,
}

/// A refusal: code and text.
type Refusal = (Code, String);

async fn bed() -> Bed {
    bed_over(Arc::new(MemoryStore::new())).await
}

async fn bed_over(store: Arc<dyn Store>) -> Bed {
    let namespaces = Namespaces::open(Arc::clone(&store), &[], &BTreeMap::new()).await;
    let namespaces = Arc::new(namespaces.unwrap());
    let options = NodeOptions {
        shard_count: 1,
        ..NodeOptions::default()
    };
    let node = Node::start(options, store, namespaces.clone())
        .await
        .unwrap();
    let (stop, stopping) = watch::channel(false);
    let address = ([127, 0, 0, 1], 1).into();
    let server = Frontend::new(
        node,
        namespaces,
        Limits::default(),
        Duration::from_millis(50),
        address,
        address,
        stopping,
    );
    Bed {
        server: Arc::new(server),
        _stop: stop,
    }
}

impl Bed {
    /// Calls a method by name, as the service does.
    async fn call<A: Message + Default>(
        &self,
        name: &str,
        metadata: Metadata,
        request: &impl Message,
    ) -> Result<A, Refusal> {
        let table = &self.server.table;
        let method = table.workflow(name).or_else(|| table.operator(name));
        let message = Bytes::from(request.encode_to_vec());
        let handler = &method.unwrap().handler;
        let answer = handler(self.server.clone(), metadata, message).await;
        match answer.result {
            Ok(framed) => {
                let message = wire::read(http_body_util::Full::new(framed), None).await;
                Ok(A::decode(message.unwrap()).unwrap())
            }
            Err(error) => Err((error.code, error.message)),
        }
    }

    async fn ask<A: Message + Default>(
        &self,
        name: &str,
        request: &impl Message,
    ) -> Result<A, Refusal> {
        self.call(name, Metadata::default(), request).await
    }

    async fn start(&self, namespace: &str) -> Result<StartWorkflowExecutionResponse, Refusal> {
        self.ask("StartWorkflowExecution", &start(namespace)).await
    }
}

fn start(namespace: &str) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        namespace: namespace.into(),
        workflow_id: "w".into(),
        workflow_type: Some(WorkflowType { name: "T".into() }),
        task_queue: queue(),
        ..Default::default()
    }
}

fn queue() -> Option<TaskQueue> {
    Some(TaskQueue {
        name: "q".into(),
        ..Default::default()
    })
}

fn execution() -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: "w".into(),
        run_id: String::new(),
    })
}

fn refused<A: std::fmt::Debug>(result: Result<A, Refusal>, code: Code, text: &str) {
    let (found, message) = result.unwrap_err();
    assert_eq!((found, message.as_str()), (code, text));
}

#[tokio::test]
async fn what_is_not_served_says_its_name() {
    let bed = bed().await;
    let table = &bed.server.table;
    let services = [
        (proto::WORKFLOW_SERVICE_METHODS, true),
        (proto::OPERATOR_SERVICE_METHODS, false),
    ];
    for (names, workflow) in services {
        for name in names {
            let method = if workflow {
                table.workflow(name)
            } else {
                table.operator(name)
            };
            let method = method.unwrap();
            if method.served {
                continue;
            }
            let handling = (method.handler)(bed.server.clone(), Metadata::default(), Bytes::new());
            let error = handling.await.result.unwrap_err();
            // Those that the reference has switched off have the reference's texts.
            let known = [Code::PermissionDenied, Code::InvalidArgument].contains(&error.code)
                || error.message.contains("deprecated");
            let named = error.code == Code::Unimplemented && error.message.contains(name);
            assert!(named || known, "{name}: {error:?}");
        }
    }
}

#[tokio::test]
async fn versions_come_before_namespaces_and_those_before_fields() {
    let bed = bed().await;
    let old = Metadata {
        client_name: "temporal-go".into(),
        client_version: "9.0.0".into(),
        ..Default::default()
    };
    let nothing = StartWorkflowExecutionRequest::default();
    let answer: Result<StartWorkflowExecutionResponse, _> =
        bed.call("StartWorkflowExecution", old, &nothing).await;
    let text = "Client version 9.0.0 is not supported. \
                Server supports temporal-go versions: <2.0.0";
    refused(answer, Code::FailedPrecondition, text);

    let unknown = StartWorkflowExecutionRequest {
        namespace: "nowhere".into(),
        ..Default::default()
    };
    let long = StartWorkflowExecutionRequest {
        namespace: "x".repeat(1001),
        ..Default::default()
    };
    for (request, code, text) in [
        (nothing, Code::InvalidArgument, "Namespace is empty."),
        (unknown, Code::NotFound, "Namespace nowhere is not found."),
        (
            long,
            Code::InvalidArgument,
            "Namespace length exceeds limit.",
        ),
    ] {
        let answer: Result<StartWorkflowExecutionResponse, _> =
            bed.ask("StartWorkflowExecution", &request).await;
        refused(answer, code, text);
    }
}

#[tokio::test]
async fn a_deprecated_namespace_starts_nothing_and_serves_the_rest() {
    let bed = bed().await;
    bed.start("default").await.unwrap();
    let request = DeprecateNamespaceRequest {
        namespace: "default".into(),
        ..Default::default()
    };
    let answer: Result<DeprecateNamespaceResponse, _> =
        bed.ask("DeprecateNamespace", &request).await;
    answer.unwrap();
    let text = "Namespace has invalid state: Deprecated. Must be Registered.";
    refused(bed.start("default").await, Code::FailedPrecondition, text);
    let describe = DescribeWorkflowExecutionRequest {
        namespace: "default".into(),
        execution: execution(),
    };
    let answer: Result<DescribeWorkflowExecutionResponse, _> =
        bed.ask("DescribeWorkflowExecution", &describe).await;
    assert!(answer.unwrap().workflow_execution_info.is_some());
}

#[tokio::test]
async fn tokens_belong_to_a_namespace() {
    let bed = bed().await;
    let mut request = start("default");
    request.request_eager_execution = true;
    let started: StartWorkflowExecutionResponse =
        bed.ask("StartWorkflowExecution", &request).await.unwrap();
    let task = started.eager_workflow_task.unwrap();
    let event_ids = |task: &PollWorkflowTaskQueueResponse| -> Vec<i64> {
        let history = task.history.as_ref().unwrap();
        history.events.iter().map(|event| event.event_id).collect()
    };
    assert_eq!(event_ids(&task), [1, 2, 3]);

    let complete = |namespace: &str, task_token: &Bytes| RespondWorkflowTaskCompletedRequest {
        namespace: namespace.into(),
        task_token: task_token.clone(),
        ..Default::default()
    };
    let no_token = Bytes::new();
    let garbage = Bytes::from_static(b"garbage");
    for (namespace, token, code, text) in [
        (
            "",
            &no_token,
            Code::InvalidArgument,
            "Task token not set on request.",
        ),
        (
            "",
            &garbage,
            Code::InvalidArgument,
            "Error deserializing task token.",
        ),
        (
            "nowhere",
            &task.task_token,
            Code::NotFound,
            "Namespace nowhere is not found.",
        ),
        (
            "temporal-system",
            &task.task_token,
            Code::InvalidArgument,
            "Operation requested with a token from a different namespace.",
        ),
    ] {
        let request = complete(namespace, token);
        let answer: Result<RespondWorkflowTaskCompletedResponse, _> =
            bed.ask("RespondWorkflowTaskCompleted", &request).await;
        refused(answer, code, text);
    }
    // The token alone says which namespace it is of. The next task comes inline.
    let mut request = complete("", &task.task_token);
    request.force_create_new_workflow_task = true;
    request.return_new_workflow_task = true;
    let answer: Result<RespondWorkflowTaskCompletedResponse, _> =
        bed.ask("RespondWorkflowTaskCompleted", &request).await;
    let next = answer.unwrap().workflow_task.unwrap();
    assert_eq!(event_ids(&next), [4, 5, 6]);
}

#[tokio::test]
async fn polls_need_time() {
    let bed = bed().await;
    let request = PollWorkflowTaskQueueRequest {
        namespace: "default".into(),
        task_queue: queue(),
        ..Default::default()
    };
    for (left, code, text) in [
        (None, Code::InvalidArgument, "Context timeout is not set."),
        (
            Some(Duration::from_secs(1)),
            Code::FailedPrecondition,
            "Context timeout is too short.",
        ),
    ] {
        let metadata = Metadata {
            deadline: left.map(|left| Instant::now() + left),
            ..Default::default()
        };
        let answer: Result<PollWorkflowTaskQueueResponse, _> =
            bed.call("PollWorkflowTaskQueue", metadata, &request).await;
        refused(answer, code, text);
    }
}

#[tokio::test]
async fn the_wait_for_the_close_event_ends_with_a_token_or_the_event() {
    let bed = bed().await;
    bed.start("default").await.unwrap();
    let mut request = GetWorkflowExecutionHistoryRequest {
        namespace: "default".into(),
        execution: execution(),
        wait_new_event: true,
        ..Default::default()
    };
    request.set_history_event_filter_type(HistoryEventFilterType::CloseEvent);
    let page: GetWorkflowExecutionHistoryResponse = bed
        .ask("GetWorkflowExecutionHistory", &request)
        .await
        .unwrap();
    assert!(page.history.unwrap().events.is_empty());
    assert!(!page.next_page_token.is_empty());

    let terminate = TerminateWorkflowExecutionRequest {
        namespace: "default".into(),
        workflow_execution: execution(),
        ..Default::default()
    };
    let _: TerminateWorkflowExecutionResponse = bed
        .ask("TerminateWorkflowExecution", &terminate)
        .await
        .unwrap();
    request.next_page_token = page.next_page_token;
    let page: GetWorkflowExecutionHistoryResponse = bed
        .ask("GetWorkflowExecutionHistory", &request)
        .await
        .unwrap();
    assert_eq!(page.history.unwrap().events.len(), 1);
    assert!(page.next_page_token.is_empty());
}

#[tokio::test]
async fn a_deleted_namespace_leaves_its_name_free() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let bed = bed_over(Arc::clone(&store)).await;
    let register = RegisterNamespaceRequest {
        namespace: "n".into(),
        workflow_execution_retention_period: Some(proto::Duration {
            seconds: 3600,
            nanos: 0,
        }),
        ..Default::default()
    };
    let first: Result<RegisterNamespaceResponse, _> = bed.ask("RegisterNamespace", &register).await;
    first.unwrap();
    let again: Result<RegisterNamespaceResponse, _> = bed.ask("RegisterNamespace", &register).await;
    refused(again, Code::AlreadyExists, "Namespace \"n\" already exists");
    let id = bed.server.namespaces.by_name("n").unwrap().namespace.id;

    let delete = DeleteNamespaceRequest {
        namespace: "n".into(),
        ..Default::default()
    };
    let deleted: DeleteNamespaceResponse = bed.ask("DeleteNamespace", &delete).await.unwrap();
    let five = id.to_string()[..5].to_owned();
    assert_eq!(deleted.deleted_namespace, format!("n-deleted-{five}"));
    refused(
        bed.start("n").await,
        Code::NotFound,
        "Namespace n is not found.",
    );
    let again: Result<RegisterNamespaceResponse, _> = bed.ask("RegisterNamespace", &register).await;
    again.unwrap();

    // What a restart finds is the same, and that the old one is still to be cleaned away.
    let names = Namespaces::open(store, &[], &BTreeMap::new())
        .await
        .unwrap();
    assert_ne!(names.by_name("n").unwrap().namespace.id, id);
    assert_eq!(names.deleted().len(), 1);
    assert_eq!(names.cluster_id(), bed.server.namespaces.cluster_id());
}
