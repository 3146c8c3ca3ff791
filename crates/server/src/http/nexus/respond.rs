//! Answers of the Nexus protocol.

use axum::body::Body;
use axum::response::Response;
use engine::nexus::failure::{OPERATION_ERROR, handler_failure, to_json};
use engine::rejection::Rejection;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::nexus::v1::Failure as NexusFailure;
use serde_json::{Value, json};

use crate::nexus::{json as nexus_json, wire};
use crate::shard::CallError;

/// A refusal.
#[derive(Debug)]
pub(super) struct Refused {
    /// Why, as a handler's error.
    pub(super) failure: Box<Failure>,
    /// It comes from the worker.
    pub(super) by_worker: bool,
}

impl Refused {
    /// Of the server's own.
    pub(super) fn new(error_type: &str, message: impl AsRef<str>) -> Self {
        Self {
            failure: Box::new(handler_failure(error_type, message.as_ref())),
            by_worker: false,
        }
    }

    pub(super) fn bad_request(message: impl AsRef<str>) -> Self {
        Self::new("BAD_REQUEST", message)
    }

    /// What the caller sees: `whole` callers know failures with causes.
    pub(super) fn respond(self, whole: bool) -> Response {
        let (error_type, behavior) = match &self.failure.failure_info {
            Some(FailureInfo::NexusHandlerFailureInfo(info)) => {
                (info.r#type.clone(), info.retry_behavior)
            }
            _ => ("INTERNAL".to_owned(), 0),
        };
        let failure = unwrapped(nexus_json::to_nexus(*self.failure), whole);
        let mut response = failed(wire::status_of(&error_type), &failure);
        let headers = response.headers_mut();
        match behavior {
            1 => set(headers, "nexus-request-retryable", "true"),
            2 => set(headers, "nexus-request-retryable", "false"),
            _ => {}
        }
        if self.by_worker {
            set(headers, "temporal-nexus-failure-source", "worker");
        }
        response
    }
}

impl From<CallError> for Refused {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Rejected(
                rejection @ (Rejection::NotFound(_)
                | Rejection::AlreadyCompleted
                | Rejection::WorkflowNotFound { .. }
                | Rejection::NexusOperationNotFound { .. }
                | Rejection::RunNotFound { .. }),
            ) => Self::new("NOT_FOUND", rejection.to_string()),
            CallError::Rejected(rejection @ Rejection::InvalidArgument(_)) => {
                Self::bad_request(rejection.to_string())
            }
            CallError::Rejected(_) => Self::new("INTERNAL", "internal error"),
            CallError::Unavailable(_) => Self::new("UNAVAILABLE", "service unavailable"),
            CallError::DeadlineExceeded => Self::new("UPSTREAM_TIMEOUT", "request timeout"),
        }
    }
}

/// An operation that ended without a result, with the failure that it ended with.
pub(super) fn unsuccessful(failure: Failure, canceled: bool, whole: bool) -> Response {
    let state = if canceled { "canceled" } else { "failed" };
    let wrapper = NexusFailure {
        message: "operation error".to_owned(),
        metadata: [
            ("type".to_owned(), OPERATION_ERROR.to_owned()),
            ("unwrap-error".to_owned(), "true".to_owned()),
        ]
        .into(),
        details: json!({ "state": state }).to_string().into(),
        cause: Some(Box::new(nexus_json::to_nexus(failure))),
        ..NexusFailure::default()
    };
    let mut response = failed(wire::OPERATION_UNSUCCESSFUL, &unwrapped(wrapper, whole));
    let headers = response.headers_mut();
    set(headers, "nexus-operation-state", state);
    set(headers, "temporal-nexus-failure-source", "worker");
    response
}

/// Callers that do not say that they know causes get the innermost thing that says something.
fn unwrapped(failure: NexusFailure, whole: bool) -> NexusFailure {
    match failure.cause {
        Some(cause) if !whole => *cause,
        cause => NexusFailure { cause, ..failure },
    }
}

fn failed(status: StatusCode, failure: &NexusFailure) -> Response {
    json_response(status, &to_json(failure))
}

/// An answer with a JSON body.
pub(super) fn json_response(status: StatusCode, json: &Value) -> Response {
    let mut response = Response::new(Body::from(json.to_string()));
    *response.status_mut() = status;
    set(
        response.headers_mut(),
        CONTENT_TYPE.as_str(),
        "application/json",
    );
    response
}

/// Sets a header; one that cannot be written is left out.
pub(super) fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = http::HeaderName::try_from(name);
    if let (Ok(name), Ok(value)) = (name, http::HeaderValue::try_from(value)) {
        headers.append(name, value);
    }
}
