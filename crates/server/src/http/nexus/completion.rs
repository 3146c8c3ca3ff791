//! Completions of operations that ran elsewhere: the callback that their handler was given.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use engine::execution::completed;
use engine::nexus::callback::{CallbackToken, TOKEN_HEADER};
use engine::nexus::failure::{OPERATION_ERROR, from_json, from_nexus, operation_cause};
use engine::nexus::link;
use engine::time::Timestamp;
use engine::workflow::input::{NexusCompletion, NexusOutcome};
use http::{HeaderMap, Method};
use uuid::Uuid;

use super::respond::Refused;
use crate::grpc::Frontend;
use crate::nexus::{json, wire};

/// Bytes of a handler's name for an operation.
const TOKEN_MAX: usize = 4096;

pub(in crate::http) async fn named(
    State(frontend): State<Arc<Frontend>>,
    Path(namespace): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&frontend, Some(&namespace), &method, &headers, body).await
}

pub(in crate::http) async fn unnamed(
    State(frontend): State<Arc<Frontend>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&frontend, None, &method, &headers, body).await
}

async fn serve(
    frontend: &Frontend,
    namespace: Option<&str>,
    method: &Method,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let whole = text(headers, "temporal-nexus-failure-support") == "true";
    match complete(frontend, namespace, method, headers, body).await {
        Ok(()) => Response::default(),
        Err(refused) => refused.respond(whole),
    }
}

async fn complete(
    frontend: &Frontend,
    named: Option<&str>,
    method: &Method,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(), Refused> {
    if method != Method::POST {
        return Err(Refused::bad_request(format!(
            "invalid request method: expected POST, got \"{method}\""
        )));
    }
    let outcome = outcome(headers, body)?;
    let operation_token = text(headers, "nexus-operation-token").to_owned();
    let start_time = time(headers, "nexus-operation-start-time")
        .map_err(|()| Refused::bad_request("failed to parse operation start time header"))?;
    let links = wire::links(headers)
        .ok_or_else(|| Refused::bad_request("failed to decode links from request headers"))?;
    let token = CallbackToken::decode_header(text(headers, TOKEN_HEADER))
        .ok_or_else(|| Refused::bad_request("invalid callback token"))?;
    let id = Uuid::parse_str(&token.namespace_id).unwrap_or_default();
    let entry = frontend
        .namespaces
        .by_id(id)
        .filter(|entry| !entry.is_deleted());
    let entry = entry.ok_or_else(|| {
        let text = format!("namespace {:?} not found", token.namespace_id);
        Refused::new("NOT_FOUND", text)
    })?;
    if named.is_some_and(|name| *name != *entry.namespace.name) {
        return Err(Refused::bad_request("invalid callback token"));
    }
    if operation_token.len() > TOKEN_MAX {
        return Err(Refused::bad_request(format!(
            "operation token length exceeds allowed limit ({}/{TOKEN_MAX})",
            operation_token.len()
        )));
    }
    let completion = NexusCompletion {
        scheduled_event_id: token.scheduled_event_id,
        request_id: token.request_id.clone(),
        operation_token,
        start_time,
        close_time: None,
        links: link::from_nexus(&links),
        outcome,
    };
    let kind = token.kind();
    let kind = kind.ok_or_else(|| Refused::bad_request("invalid callback token"))?;
    let input = completed(kind, Box::new(completion));
    let shards = &frontend.node.shards;
    let run_id = token.run();
    shards
        .step(&entry.namespace, token.workflow_id, run_id, input)
        .await?;
    Ok(())
}

fn outcome(headers: &HeaderMap, body: Bytes) -> Result<NexusOutcome, Refused> {
    let state = text(headers, "nexus-operation-state");
    match state {
        "succeeded" => {
            let payload = wire::payload(headers, body)
                .ok_or_else(|| Refused::bad_request("invalid result content"))?;
            Ok(NexusOutcome::Succeeded(Some(payload)))
        }
        "failed" | "canceled" => {
            if !wire::is_json(headers) {
                return Err(Refused::bad_request(format!(
                    "invalid request content type: \"{}\"",
                    text(headers, "content-type")
                )));
            }
            let json = serde_json::from_slice(&body).ok();
            let failure = json.as_ref().and_then(from_json).ok_or_else(|| {
                Refused::bad_request("failed to decode Failure from request body")
            })?;
            // A wrapper around the failure says nothing of its own.
            let wrapper = failure.metadata.get("type").map(String::as_str) == Some(OPERATION_ERROR)
                && failure.metadata.get("unwrap-error").map(String::as_str) == Some("true");
            let failure = match &failure.cause {
                Some(cause) if wrapper => from_nexus(cause, &json::read_failure),
                _ => from_nexus(&failure, &json::read_failure),
            };
            Ok(if state == "canceled" {
                NexusOutcome::Canceled(operation_cause(failure, true))
            } else {
                NexusOutcome::Failed(failure)
            })
        }
        _ => Err(Refused::bad_request(format!(
            "invalid request operation state: {state:?}"
        ))),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn time(headers: &HeaderMap, name: &str) -> Result<Option<Timestamp>, ()> {
    let given = text(headers, name);
    if given.is_empty() {
        return Ok(None);
    }
    let time = httpdate::parse_http_date(given).map_err(|_| ())?;
    let span = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|_| ())?;
    let nanos = i64::try_from(span.as_nanos()).map_err(|_| ())?;
    Ok(Some(Timestamp(nanos)))
}
