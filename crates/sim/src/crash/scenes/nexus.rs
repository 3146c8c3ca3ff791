//! Nexus operations: each ends once, with what its handler or the workflow that the handler started said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::temporal::api::common::v1::callback::{Nexus, Variant as CallbackVariant};
use proto::temporal::api::common::v1::{Callback, Payloads};
use proto::temporal::api::enums::v1::{EventType, WorkflowIdReusePolicy};
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::nexus::v1::start_operation_response::{Async, Sync, Variant as Started};
use proto::temporal::api::nexus::v1::{
    EndpointSpec, EndpointTarget, Response, StartOperationRequest, StartOperationResponse,
    endpoint_target, request, response,
};
use proto::temporal::api::operatorservice::v1::{
    CreateNexusEndpointRequest, CreateNexusEndpointResponse,
};
use proto::temporal::api::workflowservice::v1::{
    PollNexusTaskQueueRequest, RespondNexusTaskCompletedRequest, StartWorkflowExecutionRequest,
};
use tonic::Code;

use super::decide::{CALLER, ECHO};
use super::{ended, runs_of, start_workflow};
use crate::client::Method;
use crate::crash::world::World;
use crate::error::Error;
use crate::{api, payload};

const PREFIX: &str = "caller-";
/// The workflows that carry out what is answered later.
const OPERATIONS: &str = "operation-";
/// The endpoint.
pub(super) const ENDPOINT: &str = "doubt";
const HANDLERS: &str = "handlers";

/// Keeps one caller after the other going.
pub(super) async fn run(world: Arc<World>) {
    if !create_endpoint(&world).await {
        return;
    }
    let mut number = 0;
    while !*world.stopping.borrow() {
        let id = format!("{PREFIX}{number}");
        number += 1;
        if start_workflow(&world, CALLER, &id).await.is_none() {
            continue;
        }
        let Some(end) = ended(&world, &id).await else {
            continue;
        };
        world.ledger.count("Nexus operations ended");
        let result = match &end.attributes {
            Some(A::WorkflowExecutionCompletedEventAttributes(a)) => {
                payload::to_json::<String>(a.result.as_ref())
            }
            _ => None,
        };
        if result.as_ref() != Some(&id) {
            let kind = end.event_type();
            world
                .ledger
                .finding(format!("{id}: it ended with {kind:?} {result:?}"));
        }
    }
}

async fn create_endpoint(world: &World) -> bool {
    let method = Method {
        name: "CreateNexusEndpoint",
        path: "/temporal.api.operatorservice.v1.OperatorService/CreateNexusEndpoint",
    };
    let worker = endpoint_target::Worker {
        namespace: api::NAMESPACE.to_owned(),
        task_queue: HANDLERS.to_owned(),
    };
    let request = CreateNexusEndpointRequest {
        spec: Some(EndpointSpec {
            name: ENDPOINT.to_owned(),
            description: None,
            target: Some(EndpointTarget {
                variant: Some(endpoint_target::Variant::Worker(worker)),
            }),
        }),
    };
    let (answer, repeated) = world
        .insist(|client| {
            let request = request.clone();
            async move {
                let answer = client.call(method, request, api::SHORT).await;
                answer.map(|_: CreateNexusEndpointResponse| ())
            }
        })
        .await;
    match answer {
        Ok(()) => true,
        Err(status) if repeated && status.code() == Code::AlreadyExists => true,
        Err(status) => {
            world.ledger.finding(format!("Nexus endpoint: {status}"));
            false
        }
    }
}

/// The handler: echoes at once, or lets a workflow do it.
pub(super) async fn run_handler(world: Arc<World>) {
    loop {
        let request = PollNexusTaskQueueRequest {
            namespace: api::NAMESPACE.to_owned(),
            task_queue: api::queue(HANDLERS),
            identity: String::from("handler"),
            ..Default::default()
        };
        let polled = world
            .once(|client| async move { client.poll_nexus_task(request).await })
            .await;
        let Some(task) = polled.ok().filter(|task| !task.task_token.is_empty()) else {
            continue;
        };
        let Some(request::Variant::StartOperation(start)) =
            task.request.and_then(|request| request.variant)
        else {
            continue;
        };
        let Some(variant) = handle(&world, start).await else {
            continue;
        };
        let response = Response {
            variant: Some(response::Variant::StartOperation(StartOperationResponse {
                variant: Some(variant),
            })),
        };
        let request = RespondNexusTaskCompletedRequest {
            namespace: api::NAMESPACE.to_owned(),
            identity: String::from("handler"),
            task_token: task.task_token,
            response: Some(response),
            ..Default::default()
        };
        // Lost with the server: the task comes again.
        let answer = world
            .once(|client| async move { client.complete_nexus_task(request).await })
            .await;
        if answer.is_ok() {
            world.ledger.acknowledged("Nexus tasks completed");
        }
    }
}

async fn handle(world: &World, start: StartOperationRequest) -> Option<Started> {
    if start.operation == "now" {
        return Some(Started::SyncSuccess(Sync {
            payload: start.payload,
            links: Vec::new(),
        }));
    }
    let id = format!("{OPERATIONS}{}", start.request_id);
    let callback = Callback {
        variant: Some(CallbackVariant::Nexus(Nexus {
            url: start.callback,
            header: start.callback_header,
        })),
        links: Vec::new(),
    };
    let input = Payloads {
        payloads: start.payload.into_iter().collect(),
    };
    let request = StartWorkflowExecutionRequest {
        request_id: start.request_id,
        completion_callbacks: vec![callback],
        workflow_id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate.into(),
        ..super::request(ECHO, &id, Some(input))
    };
    let answer = world
        .once(|client| async move { client.start(request).await })
        .await;
    if let Err(status) = answer
        && status.code() != Code::AlreadyExists
    {
        return None;
    }
    Some(Started::AsyncSuccess(Async {
        operation_token: id,
        ..Default::default()
    }))
}

/// Every operation's workflow was started once and is named by a caller.
pub(super) async fn reckon(world: &World) -> Result<(), Error> {
    let mut asked = BTreeSet::new();
    for (id, run_id) in runs_of(world, PREFIX).await? {
        let events = super::history_of(world, &id, &run_id).await?;
        for event in events {
            if let Some(A::NexusOperationScheduledEventAttributes(a)) = event.attributes {
                asked.insert(format!("{OPERATIONS}{}", a.request_id));
            }
        }
    }
    let mut started: BTreeMap<String, usize> = BTreeMap::new();
    for (id, run_id) in runs_of(world, OPERATIONS).await? {
        let events = super::history_of(world, &id, &run_id).await?;
        if events.last().map(|event| event.event_type())
            != Some(EventType::WorkflowExecutionCompleted)
        {
            world.ledger.finding(format!("{id}: it did not complete"));
        }
        *started.entry(id).or_default() += 1;
    }
    for (id, times) in started {
        if times != 1 || !asked.contains(&id) {
            let text = format!(
                "{id}: started {times} times, asked for: {}",
                asked.contains(&id)
            );
            world.ledger.finding(text);
        }
    }
    Ok(())
}
