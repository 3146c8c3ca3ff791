//! Carries out what executions ask of the outside: requests to Nexus handlers, and completion callbacks. The
//! answer goes back as an input. A call that a crash forgets is made again, because its execution still wants
//! it then.

use std::sync::Arc;
use std::time::Duration;

use engine::Namespace;
use engine::execution::{Input, Kind, callback_answered, nexus_answered};
use engine::nexus::answer::{refused, to_cancel, to_start};
use engine::nexus::failure::handler_failure;
use engine::workflow::input::{CallbackAnswer, NexusAnswer};
use engine::workflow::transition::{CallbackCall, NexusCall};
use proto::temporal::api::nexus::v1::Request;
use proto::temporal::api::nexus::v1::request::Variant;
use store::ExecutionKey;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::breaker::Breakers;
use super::endpoints::{Endpoint, Endpoints, Target, Worker};
use super::http_client::HttpClient;
use super::tasks::NexusTasks;
use super::{json, wire};
use crate::matching::Matching;
use crate::shard::{CallError, NamespaceById, Shards};

/// When an answer cannot be recorded: how long to wait before trying again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// So much of a request's time is kept for its way to the worker and back.
const MARGIN: Duration = Duration::from_secs(2);

/// Something to ask of the outside.
#[derive(Debug)]
pub enum Call {
    /// Of a Nexus handler.
    Nexus(Box<NexusCall>),
    /// Of whoever gave a completion callback.
    Callback(Box<CallbackCall>),
}

/// Where shards put calls.
pub type CallsTo = mpsc::UnboundedSender<(ExecutionKey, Call)>;

/// Everything that carrying calls out needs.
pub struct Calls {
    /// Where answers go.
    pub shards: Shards,
    /// The task queues.
    pub matching: Matching,
    /// Namespaces by id.
    pub namespaces: Arc<dyn NamespaceById>,
    /// The registry.
    pub endpoints: Arc<Endpoints>,
    /// Requests that wait for a worker.
    pub tasks: NexusTasks,
    /// Destinations that are left alone.
    pub breakers: Arc<Breakers>,
    /// For addresses elsewhere.
    pub http: HttpClient,
}

impl Calls {
    /// Carries out what comes, until nothing more can come.
    pub async fn run(self, mut calls: mpsc::UnboundedReceiver<(ExecutionKey, Call)>) {
        let this = Arc::new(self);
        while let Some((key, call)) = calls.recv().await {
            let this = Arc::clone(&this);
            tokio::spawn(async move {
                match call {
                    Call::Nexus(call) => this.nexus(&key, *call).await,
                    Call::Callback(call) => this.callback(&key, *call).await,
                }
            });
        }
    }

    async fn nexus(&self, key: &ExecutionKey, call: NexusCall) {
        // Without its namespace the caller is being deleted.
        let Some(namespace) = self.namespaces.namespace_by_id(key.namespace) else {
            return;
        };
        let destination = (key.namespace, call.endpoint.to_string());
        let id = call.scheduled_event_id;
        let kind = Kind::of(key.kind).unwrap_or(Kind::Workflow);
        if self.breakers.admitted(&destination).await {
            let run_id = Some(key.run_id);
            let workflow_id = Arc::clone(&key.workflow_id);
            let shards = &self.shards;
            let look = shards.read_execution(&namespace, kind, workflow_id, run_id, move |state| {
                state.awaits_nexus_answer(id)
            });
            if !matches!(look.await, Ok(true)) {
                return;
            }
        }
        let cancel = matches!(call.request.variant, Some(Variant::CancelOperation(_)));
        let attempt = call.attempt;
        let answer = self.ask(&namespace, call).await;
        let down = matches!(
            answer,
            NexusAnswer::Refused {
                retryable: true,
                ..
            }
        );
        self.breakers.went(&destination, !down);
        let input = nexus_answered(kind, (id, attempt, cancel), Box::new(answer));
        self.tell(&namespace, key, input).await;
    }

    async fn ask(&self, caller: &Namespace, call: NexusCall) -> NexusAnswer {
        let by_id = self.endpoints.by_id(&call.endpoint_id);
        let endpoint = by_id.or_else(|| self.endpoints.by_name(&call.endpoint));
        let target = endpoint
            .as_deref()
            .and_then(|endpoint: &Endpoint| endpoint.target.as_ref());
        match target {
            None => refused(handler_failure("NOT_FOUND", "endpoint not registered")),
            Some(Target::Worker(worker)) => self.ask_worker(worker, call).await,
            Some(Target::External(url)) => {
                let asked = self.http.ask(caller, url, call.request, call.timeout);
                asked.await
            }
        }
    }

    async fn ask_worker(&self, worker: &Worker, call: NexusCall) -> NexusAnswer {
        let Some(namespace) = self.namespaces.namespace_by_id(worker.namespace()) else {
            return refused(handler_failure("NOT_FOUND", "invalid endpoint target"));
        };
        let margin = MARGIN.min(call.timeout / 2);
        let deadline = Instant::now() + call.timeout - margin;
        let mut request = call.request;
        add_headers(&mut request);
        let cancel = matches!(request.variant, Some(Variant::CancelOperation(_)));
        let (queue, tasks) = (&worker.task_queue, &self.tasks);
        let answer = tasks
            .dispatch(&self.matching, namespace.id, queue, request, deadline)
            .await;
        if cancel {
            to_cancel(answer, &json::read_failure)
        } else {
            to_start(answer, &json::read_failure)
        }
    }

    async fn callback(&self, key: &ExecutionKey, call: CallbackCall) {
        let Some(namespace) = self.namespaces.namespace_by_id(key.namespace) else {
            return;
        };
        let destination = (key.namespace, call.url.clone());
        self.breakers.admitted(&destination).await;
        let (index, attempt) = (call.index, call.attempt);
        let answer = self.http.complete(call).await;
        let down = matches!(
            answer,
            CallbackAnswer::Refused {
                retryable: true,
                ..
            }
        );
        self.breakers.went(&destination, !down);
        let kind = Kind::of(key.kind).unwrap_or(Kind::Workflow);
        let input = callback_answered(kind, index, attempt, answer);
        self.tell(&namespace, key, input).await;
    }

    /// An answer must not be lost: its execution waits for it.
    async fn tell(&self, namespace: &Arc<Namespace>, key: &ExecutionKey, input: Input) {
        loop {
            let workflow_id = Arc::clone(&key.workflow_id);
            let step = self
                .shards
                .step(namespace, workflow_id, Some(key.run_id), input.clone());
            match step.await {
                Err(CallError::Unavailable(_)) if !self.shards.is_stopping() => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// What the protocol says of a request besides what was asked for.
fn add_headers(request: &mut Request) {
    let mut add = |name: &str, value: String| {
        request.header.insert(name.to_owned(), value);
    };
    add("user-agent", "temporalio/server".to_owned());
    if let Some(Variant::StartOperation(start)) = &request.variant {
        add("nexus-request-id", start.request_id.clone());
        let links: Vec<String> = start.links.iter().map(wire::link_header).collect();
        add("nexus-link", links.join(", "));
    }
}
