//! Requests to handlers: start an operation, cancel one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use engine::nexus::answer::Answer;
use engine::nexus::failure::{from_handler_error, from_nexus};
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::percent_decode_str;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::nexus::v1::request::{Capabilities, Variant};
use proto::temporal::api::nexus::v1::response::Variant as Answered;
use proto::temporal::api::nexus::v1::start_operation_response::Variant as Started;
use proto::temporal::api::nexus::v1::{
    CancelOperationRequest, Request, StartOperationRequest, StartOperationResponse,
};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::respond::{Refused, json_response, set, unsuccessful};
use crate::grpc::Frontend;
use crate::nexus::endpoints::Target;
use crate::nexus::{json, wire};

/// How long a request may take whose caller does not say.
const TIMEOUT: Duration = Duration::from_secs(60);
/// So much of it is kept for the answer.
const MARGIN: Duration = Duration::from_secs(1);

/// Where a request goes.
struct To {
    namespace: Uuid,
    queue: String,
    endpoint: String,
}

/// A request as it came.
struct Asked {
    method: Method,
    rest: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

pub(in crate::http) async fn by_endpoint(
    State(frontend): State<Arc<Frontend>>,
    Path((endpoint, rest)): Path<(String, String)>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let to = match frontend.node.nexus.endpoints.by_id(&endpoint) {
        None => {
            let mut refused = Refused::new("NOT_FOUND", "nexus endpoint not found");
            if let Some(FailureInfo::NexusHandlerFailureInfo(info)) =
                &mut refused.failure.failure_info
            {
                info.retry_behavior = 2;
            }
            Err(refused)
        }
        Some(endpoint) => match &endpoint.target {
            Some(Target::Worker(worker)) => Ok(To {
                namespace: worker.namespace(),
                queue: worker.task_queue.clone(),
                endpoint: endpoint.name.clone(),
            }),
            Some(Target::External(_)) | None => {
                Err(Refused::bad_request("invalid endpoint target"))
            }
        },
    };
    let query = query.unwrap_or_default();
    serve(
        &frontend,
        to,
        Asked {
            method,
            rest,
            query,
            headers,
            body,
        },
    )
    .await
}

pub(in crate::http) async fn by_task_queue(
    State(frontend): State<Arc<Frontend>>,
    Path((namespace, queue, rest)): Path<(String, String, String)>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let to = match frontend.namespaces.by_name(&namespace) {
        Some(entry) => Ok(To {
            namespace: entry.namespace.id,
            queue,
            endpoint: String::new(),
        }),
        None => {
            let text = format!("namespace not found: {namespace:?}");
            Err(Refused::new("NOT_FOUND", text))
        }
    };
    let query = query.unwrap_or_default();
    serve(
        &frontend,
        to,
        Asked {
            method,
            rest,
            query,
            headers,
            body,
        },
    )
    .await
}

async fn serve(frontend: &Frontend, to: Result<To, Refused>, asked: Asked) -> Response {
    let whole = asked.text("temporal-nexus-failure-support") == "true";
    let served = async {
        let to = to?;
        let timeout = asked.timeout()?;
        let request = asked.request(frontend, &to, whole)?;
        let start = matches!(request.variant, Some(Variant::StartOperation(_)));
        let deadline = Instant::now() + timeout - MARGIN.min(timeout / 2);
        let nexus = &frontend.node.nexus;
        let answer = nexus
            .tasks
            .dispatch(
                &frontend.node.matching,
                to.namespace,
                &to.queue,
                request,
                deadline,
            )
            .await;
        answered(answer, start, whole)
    };
    served
        .await
        .unwrap_or_else(|refused| refused.respond(whole))
}

impl Asked {
    fn text(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    fn timeout(&self) -> Result<Duration, Refused> {
        match self.text("request-timeout") {
            "" => Ok(TIMEOUT),
            text => wire::span(text)
                .map(|span| span.min(TIMEOUT))
                .ok_or_else(|| Refused::bad_request("invalid request timeout header")),
        }
    }

    fn parameter(&self, wanted: &str) -> String {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let mut values = pairs
            .filter(|(name, _)| *name == wanted)
            .map(|(_, value)| value);
        let value = values.next_back().unwrap_or_default().replace('+', " ");
        percent_decode_str(&value).decode_utf8_lossy().into_owned()
    }

    fn request(&self, frontend: &Frontend, to: &To, whole: bool) -> Result<Request, Refused> {
        if self.method != Method::POST {
            return Err(Refused::bad_request(format!(
                "invalid request method: expected POST, got \"{}\"",
                self.method
            )));
        }
        let path: Vec<&str> = self.rest.split('/').collect();
        let variant = match *path {
            [service, operation] => {
                Variant::StartOperation(self.start(frontend, service, operation)?)
            }
            [service, operation, "cancel"] => {
                let given = match self.text("nexus-operation-token") {
                    "" => self.parameter("token"),
                    token => token.to_owned(),
                };
                if given.is_empty() {
                    return Err(Refused::bad_request("missing operation token"));
                }
                cancel(service, operation, given)
            }
            [service, operation, token, "cancel"] => cancel(service, operation, token.to_owned()),
            _ => return Err(Refused::new("NOT_FOUND", "not found")),
        };
        let content = matches!(variant, Variant::StartOperation(_));
        let header = self.headers.iter().filter_map(|(name, value)| {
            let name = name.as_str();
            let inner =
                content && (name.starts_with("content-") || name.starts_with("nexus-callback-"));
            let token = name == "nexus-operation-token";
            (!inner && !token).then(|| Some((name.to_owned(), value.to_str().ok()?.to_owned())))?
        });
        Ok(Request {
            header: header.collect(),
            scheduled_time: Some(frontend.node.clock.now().to_proto()),
            capabilities: Some(Capabilities {
                temporal_failure_responses: whole,
            }),
            endpoint: to.endpoint.clone(),
            variant: Some(variant),
        })
    }

    fn start(
        &self,
        frontend: &Frontend,
        service: &str,
        operation: &str,
    ) -> Result<StartOperationRequest, Refused> {
        let links = wire::links(&self.headers)
            .ok_or_else(|| Refused::bad_request("invalid \"nexus-link\" header"))?;
        let payload = wire::payload(&self.headers, self.body.clone())
            .ok_or_else(|| Refused::bad_request("invalid input"))?;
        if prost::Message::encoded_len(&payload) > frontend.limits.blob_size_error {
            return Err(Refused::bad_request("input exceeds size limit"));
        }
        let callback_header = self.headers.iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("nexus-callback-")?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        });
        Ok(StartOperationRequest {
            service: service.to_owned(),
            operation: operation.to_owned(),
            request_id: self.text("nexus-request-id").to_owned(),
            callback: self.parameter("callback"),
            payload: Some(payload),
            callback_header: callback_header.collect(),
            links,
        })
    }
}

fn cancel(service: &str, operation: &str, token: String) -> Variant {
    Variant::CancelOperation(CancelOperationRequest {
        service: service.to_owned(),
        operation: operation.to_owned(),
        operation_id: token.clone(),
        operation_token: token,
    })
}

fn answered(answer: Answer, start: bool, whole: bool) -> Result<Response, Refused> {
    let by_worker = |failure: Failure| Refused {
        failure: Box::new(failure),
        by_worker: true,
    };
    match answer {
        Answer::Response(response) if !start => {
            drop(response);
            let mut accepted = Response::default();
            *accepted.status_mut() = StatusCode::ACCEPTED;
            Ok(accepted)
        }
        Answer::Response(response) => match response.variant {
            Some(Answered::StartOperation(started)) => operation_started(started, whole),
            Some(Answered::CancelOperation(_)) | None => Err(empty()),
        },
        Answer::Failed(failure) => Err(by_worker(failure)),
        Answer::HandlerError(error) => {
            Err(by_worker(from_handler_error(&error, &json::read_failure)))
        }
        Answer::TimedOut => {
            let mut refused = Refused::new("UPSTREAM_TIMEOUT", "upstream timeout");
            refused.by_worker = true;
            Err(refused)
        }
    }
}

fn empty() -> Refused {
    let mut refused = Refused::new("INTERNAL", "empty outcome");
    refused.by_worker = true;
    refused
}

fn operation_started(started: StartOperationResponse, whole: bool) -> Result<Response, Refused> {
    let (mut response, links) = match started.variant {
        Some(Started::SyncSuccess(sync)) => {
            let (content, body) = wire::content(sync.payload);
            let mut response = Response::new(axum::body::Body::from(body));
            for (name, value) in content {
                set(response.headers_mut(), &format!("content-{name}"), &value);
            }
            (response, sync.links)
        }
        Some(Started::AsyncSuccess(started)) => {
            let token = started.operation_token;
            let info = json!({ "token": token, "state": "running" });
            (json_response(StatusCode::CREATED, &info), started.links)
        }
        Some(Started::OperationError(error)) => {
            let failure = error.failure.unwrap_or_default();
            let failure = from_nexus(&failure, &json::read_failure);
            return Ok(unsuccessful(
                failure,
                error.operation_state == "canceled",
                whole,
            ));
        }
        Some(Started::Failure(failure)) => {
            let info = &failure.failure_info;
            let canceled = matches!(info, Some(FailureInfo::CanceledFailureInfo(_)));
            return Ok(unsuccessful(failure, canceled, whole));
        }
        None => return Err(empty()),
    };
    for link in &links {
        set(
            response.headers_mut(),
            "nexus-link",
            &wire::link_header(link),
        );
    }
    Ok(response)
}
