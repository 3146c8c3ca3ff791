//! The one table from what went wrong to what the wire says: code, message, detail message
//! (behaviour, section 3.6).

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use engine::rejection::Rejection;
use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use prost::{Message, Name};
use proto::temporal::api::enums::v1::{ResourceExhaustedCause, ResourceExhaustedScope};
use proto::temporal::api::errordetails::v1 as details;
use store::StoreError;
use tonic::Code;

use crate::shard::CallError;

/// Bytes of a message; longer ones are cut.
const MESSAGE_MAX: usize = 4000;

/// A refusal or a failure as the wire carries it.
#[derive(Debug, Clone, PartialEq)]
pub struct WireError {
    /// The status.
    pub code: Code,
    /// The text.
    pub message: String,
    /// The detail message, if this error has one.
    pub details: Option<proto::Any>,
}

impl WireError {
    /// An error without a detail message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
        }
    }

    /// INVALID_ARGUMENT.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// FAILED_PRECONDITION.
    pub fn failed_precondition(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    /// UNIMPLEMENTED.
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, message)
    }

    /// NOT_FOUND with its detail message.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message).with(&details::NotFoundFailure::default())
    }

    /// UNAVAILABLE.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    /// The caller's time is over.
    pub fn deadline_exceeded() -> Self {
        Self::new(Code::DeadlineExceeded, "context deadline exceeded")
    }

    /// An unexpected error: the caller gets a number that leads to the line in the log.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let cause = cause.to_string();
        let mut hasher = DefaultHasher::new();
        cause.hash(&mut hasher);
        // Eight digits are enough to find a line.
        let hash = hasher.finish() as u32;
        tracing::error!(hash = format!("{hash:08x}"), cause, "unexpected error");
        Self::new(
            Code::Unknown,
            format!("something went wrong, please retry ({hash:08x})"),
        )
    }

    /// A namespace that is not there, by name or by id.
    pub fn namespace_not_found(namespace: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("Namespace {namespace} is not found."),
        )
        .with(&details::NamespaceNotFoundFailure {
            namespace: namespace.to_owned(),
        })
    }

    /// With this detail message.
    #[must_use]
    pub fn with<M: Message + Name>(mut self, detail: &M) -> Self {
        self.details = Some(proto::Any {
            type_url: format!("type.googleapis.com/{}", M::full_name()),
            value: detail.encode_to_vec(),
        });
        self
    }

    fn exhausted(message: String, cause: ResourceExhaustedCause) -> Self {
        Self::new(Code::ResourceExhausted, message).with(&details::ResourceExhaustedFailure {
            cause: cause.into(),
            scope: ResourceExhaustedScope::Namespace.into(),
        })
    }

    /// The trailers of a response that failed so.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert("grpc-status", HeaderValue::from(self.code as i32));
        let message = cut(&self.message);
        if let Ok(value) = header_value(message) {
            headers.insert("grpc-message", value);
        }
        let Some(detail) = &self.details else { return };
        let status = proto::google::rpc::Status {
            code: self.code as i32,
            message: message.to_owned(),
            details: vec![detail.clone()],
        };
        let encoded = STANDARD_NO_PAD.encode(status.encode_to_vec());
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(encoded)) {
            headers.insert("grpc-status-details-bin", value);
        }
    }
}

/// As much of a text as fits, at a border between characters.
fn cut(message: &str) -> &str {
    if message.len() <= MESSAGE_MAX {
        return message;
    }
    let end = (0..=MESSAGE_MAX)
        .rev()
        .find(|at| message.is_char_boundary(*at))
        .unwrap_or(0);
    &message[..end]
}

/// What gRPC escapes in a status message: all but printable ASCII, and the percent sign.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

fn header_value(message: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let escaped: String = percent_encode(message.as_bytes(), ESCAPED).collect();
    HeaderValue::from_maybe_shared(Bytes::from(escaped))
}

impl From<Rejection> for WireError {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            Rejection::InvalidArgument(_) => Self::invalid(message),
            Rejection::FailedPrecondition(_) => Self::failed_precondition(message),
            Rejection::PermissionDenied(_) => Self::new(Code::PermissionDenied, message)
                .with(&details::PermissionDeniedFailure::default()),
            Rejection::Unimplemented(_) => Self::unimplemented(message),
            Rejection::WorkerDeploymentLimit(_) => {
                Self::exhausted(message, ResourceExhaustedCause::WorkerDeploymentLimits)
            }
            Rejection::Internal(_) => Self::internal(message),
            Rejection::NotFound(_)
            | Rejection::WorkflowNotFound { .. }
            | Rejection::RunNotFound { .. }
            | Rejection::ChainNotFound
            | Rejection::AlreadyCompleted
            | Rejection::WorkflowTaskNotFound
            | Rejection::WorkflowTaskHeartbeatTimeout
            | Rejection::ActivityTaskNotFound
            | Rejection::ActivityNotFound { .. }
            | Rejection::UpdateAborted
            | Rejection::UpdateNotFound { .. }
            | Rejection::StandaloneActivityNotFound { .. }
            | Rejection::NexusOperationNotFound { .. }
            | Rejection::TaskGone => Self::not_found(message),
            Rejection::AlreadyExists(_) => Self::new(Code::AlreadyExists, message),
            Rejection::UpdateWithStart(of_update) => (*of_update).into(),
            Rejection::AlreadyStarted {
                start_request_id,
                run_id,
                first_execution_run_id,
                ..
            } => Self::new(Code::AlreadyExists, message).with(
                &details::WorkflowExecutionAlreadyStartedFailure {
                    start_request_id,
                    run_id: run_id.to_string(),
                    first_execution_run_id,
                },
            ),
            Rejection::ActivityAlreadyStarted {
                start_request_id,
                run_id,
            } => Self::new(Code::AlreadyExists, message).with(
                &details::ActivityExecutionAlreadyStartedFailure {
                    start_request_id,
                    run_id: run_id.to_string(),
                },
            ),
            Rejection::NexusOperationAlreadyStarted {
                start_request_id,
                run_id,
            } => Self::new(Code::AlreadyExists, message).with(
                &details::NexusOperationExecutionAlreadyStartedFailure {
                    start_request_id,
                    run_id: run_id.to_string(),
                },
            ),
            Rejection::ScheduleExists { .. } => Self::new(Code::AlreadyExists, message)
                .with(&details::WorkflowExecutionAlreadyStartedFailure::default()),
            Rejection::QueryFailed { failure, .. } => {
                Self::invalid(message).with(&details::QueryFailedFailure {
                    failure: failure.map(|failure| *failure),
                })
            }
            Rejection::WorkflowNotReady(_) => {
                Self::failed_precondition(message).with(&details::WorkflowNotReadyFailure {})
            }
            Rejection::CompletionPagesLost(_) => Self::new(Code::Aborted, message)
                .with(&details::WorkflowTaskCompletionBufferLostFailure::default()),
            Rejection::BusyWorkflow(_) => {
                Self::exhausted(message, ResourceExhaustedCause::BusyWorkflow)
            }
            Rejection::ConcurrentLimit(_) => {
                Self::exhausted(message, ResourceExhaustedCause::ConcurrentLimit)
            }
            Rejection::NamespaceNotFound { namespace } => Self::namespace_not_found(&namespace),
        }
    }
}

impl From<CallError> for WireError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Rejected(rejection) => rejection.into(),
            CallError::Unavailable(message) => Self::unavailable(message),
            CallError::DeadlineExceeded => Self::deadline_exceeded(),
        }
    }
}

impl From<StoreError> for WireError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } | StoreError::Fenced { .. } | StoreError::Closed => {
                tracing::warn!(%error, "the store refused");
                Self::unavailable(error.to_string())
            }
            StoreError::InvalidFilter { cause } => Self::invalid(format!("invalid query: {cause}")),
            other => Self::internal(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn status(error: &WireError) -> (String, String, Option<String>) {
        let mut headers = HeaderMap::new();
        error.write_headers(&mut headers);
        let text = |name: &str| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let details = text("grpc-status-details-bin").map(|encoded| {
            let bytes = STANDARD_NO_PAD.decode(encoded).unwrap();
            let status = proto::google::rpc::Status::decode(bytes.as_slice()).unwrap();
            assert_eq!(status.code, error.code as i32);
            assert_eq!(status.message, cut(&error.message));
            status.details[0].type_url.clone()
        });
        (
            text("grpc-status").unwrap(),
            text("grpc-message").unwrap(),
            details,
        )
    }

    #[test]
    fn each_rejection_has_its_code_and_detail() {
        let detail = |name: &str| {
            Some(format!(
                "type.googleapis.com/temporal.api.errordetails.v1.{name}"
            ))
        };
        let run_id = Uuid::from_u128(7);
        let table = [
            (Rejection::invalid("x"), "3", "x", None),
            (Rejection::FailedPrecondition("x".into()), "9", "x", None),
            (Rejection::Unimplemented("x".into()), "12", "x", None),
            (
                Rejection::PermissionDenied("x".into()),
                "7",
                "x",
                detail("PermissionDeniedFailure"),
            ),
            (
                Rejection::CompletionPagesLost("x".into()),
                "10",
                "x",
                detail("WorkflowTaskCompletionBufferLostFailure"),
            ),
            (
                Rejection::AlreadyCompleted,
                "5",
                "workflow execution already completed",
                detail("NotFoundFailure"),
            ),
            (
                Rejection::WorkflowNotFound {
                    workflow_id: "w".into(),
                },
                "5",
                "workflow not found for ID: w",
                detail("NotFoundFailure"),
            ),
            (
                Rejection::AlreadyStarted {
                    message: "m".into(),
                    start_request_id: "r".into(),
                    run_id,
                    first_execution_run_id: "f".into(),
                },
                "6",
                "m",
                detail("WorkflowExecutionAlreadyStartedFailure"),
            ),
            (
                Rejection::ActivityAlreadyStarted {
                    start_request_id: "r".into(),
                    run_id,
                },
                "6",
                "activity execution already started",
                detail("ActivityExecutionAlreadyStartedFailure"),
            ),
            (
                Rejection::NexusOperationAlreadyStarted {
                    start_request_id: "r".into(),
                    run_id: Uuid::nil(),
                },
                "6",
                "nexus operation execution already started: request_id=r, \
                 run_id=00000000-0000-0000-0000-000000000000",
                detail("NexusOperationExecutionAlreadyStartedFailure"),
            ),
            (
                Rejection::NexusOperationNotFound {
                    operation_id: "o".into(),
                },
                "5",
                "operation not found for ID: o",
                detail("NotFoundFailure"),
            ),
            (
                Rejection::QueryFailed {
                    message: "m".into(),
                    failure: None,
                },
                "3",
                "m",
                detail("QueryFailedFailure"),
            ),
            (
                Rejection::WorkflowNotReady("m".into()),
                "9",
                "m",
                detail("WorkflowNotReadyFailure"),
            ),
            (
                Rejection::BusyWorkflow("m".into()),
                "8",
                "m",
                detail("ResourceExhaustedFailure"),
            ),
            (
                Rejection::ConcurrentLimit("m".into()),
                "8",
                "m",
                detail("ResourceExhaustedFailure"),
            ),
            (
                Rejection::NamespaceNotFound {
                    namespace: "n".into(),
                },
                "5",
                "Namespace n is not found.",
                detail("NamespaceNotFoundFailure"),
            ),
        ];
        for (rejection, code, message, detail) in table {
            let error = WireError::from(rejection);
            assert_eq!(
                status(&error),
                (code.to_owned(), message.to_owned(), detail)
            );
        }
    }

    #[test]
    fn internal_errors_show_a_number_only() {
        let error = WireError::from(Rejection::Internal("secret".into()));
        assert_eq!(error.code, Code::Unknown);
        assert!(
            error
                .message
                .starts_with("something went wrong, please retry (")
        );
        assert!(!error.message.contains("secret"));
        assert_eq!(error, WireError::from(Rejection::Internal("secret".into())));
    }

    #[test]
    fn messages_are_escaped_and_cut() {
        let (_, message, _) = status(&WireError::invalid("50% of\nä"));
        assert_eq!(message, "50%25 of%0A%C3%A4");
        let long = WireError::invalid("ä".repeat(3000));
        assert_eq!(status(&long).1.len(), 3 * MESSAGE_MAX);
    }
}
