//! Requests to a Nexus handler: what they say, how long they may take, and how long to wait before the next. The
//! same for workflows' operations and for standalone ones.

use std::time::Duration;

use bytes::Bytes;
use proto::temporal::api::common::v1::Payload;
use proto::temporal::api::enums::v1::TimeoutType;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure, TimeoutFailureInfo};
use proto::temporal::api::nexus::v1::request::{Capabilities, Variant};
use proto::temporal::api::nexus::v1::{
    CancelOperationRequest, Link, Request, StartOperationRequest,
};

use super::callback::{CallbackToken, SYSTEM_URL, TOKEN_HEADER};
use super::operation::NexusOperation;
use crate::ids::{EventId, Now};
use crate::time::{Timestamp, duration};
use crate::workflow::transition::NexusCall;

/// How long one request may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A request with less time than this is not made.
pub(crate) const REQUEST_TIME_MIN: Duration = Duration::from_millis(1500);
/// Between attempts: doubling from the first to the second.
const BACKOFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3600)];
/// Bytes of a handler's name for an operation.
const TOKEN_MAX: usize = 4096;
/// Bytes of a service's and of an operation's name.
pub const NAME_MAX: usize = 1000;
/// Bytes of all headers.
pub const HEADER_MAX: usize = 8192;
/// Headers that belong to the server.
pub const RESERVED_HEADERS: [&str; 9] = [
    "request-timeout",
    "xdc-redirection-api",
    "xdc-redirection-source-cell",
    "xdc-redirection",
    "caller-name",
    "caller-type",
    "call-initiation",
    "principal-type",
    "principal-name",
];
/// The type of failures of requests that got no answer of the protocol.
pub(crate) const CALL_ERROR: &str = "CallError";

/// Who asks.
pub(crate) struct Caller {
    /// Leads the result back.
    pub(crate) token: CallbackToken,
    /// Leads to the caller.
    pub(crate) link: Link,
}

/// How long to wait after so many attempts, with some jitter.
pub(crate) fn backoff(now: &mut Now, attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts - 1).unwrap_or(0).min(16);
    let base = BACKOFF[0].saturating_mul(1 << exponent).min(BACKOFF[1]);
    base.mul_f64(0.8 + 0.2 * now.fraction())
}

/// A request to start an operation.
pub(crate) fn to_start(
    id: EventId,
    operation: &NexusOperation,
    caller: Caller,
    now: Timestamp,
) -> NexusCall {
    let scheduled = &operation.scheduled;
    let mut header = scheduled.nexus_header.clone();
    if let Some(timeout) = operation_timeout(operation, now) {
        let millis = || format!("{}ms", timeout.as_millis());
        header
            .entry("operation-timeout".to_owned())
            .or_insert_with(millis);
    }
    let request = Request {
        header,
        scheduled_time: Some(now.to_proto()),
        capabilities: Some(Capabilities {
            temporal_failure_responses: true,
        }),
        endpoint: scheduled.endpoint.clone(),
        variant: Some(Variant::StartOperation(StartOperationRequest {
            service: scheduled.service.clone(),
            operation: scheduled.operation.clone(),
            request_id: scheduled.request_id.clone(),
            callback: SYSTEM_URL.to_owned(),
            payload: Some(scheduled.input.clone().unwrap_or_else(nothing)),
            callback_header: [(TOKEN_HEADER.to_owned(), caller.token.encode_header())].into(),
            links: vec![caller.link],
        })),
    };
    let (timeout, _) = time_to_start(operation, now);
    call(id, operation, operation.start.attempt, request, timeout)
}

/// What a handler gets when the caller gives nothing.
fn nothing() -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), Bytes::from_static(b"binary/null"))].into(),
        ..Payload::default()
    }
}

/// A request to cancel an operation that the handler has started.
pub(crate) fn to_cancel(
    id: EventId,
    operation: &NexusOperation,
    attempt: i32,
    now: Timestamp,
) -> NexusCall {
    let scheduled = &operation.scheduled;
    let token = operation.operation_token.to_string();
    let request = Request {
        header: scheduled.nexus_header.clone(),
        scheduled_time: Some(now.to_proto()),
        capabilities: Some(Capabilities::default()),
        endpoint: scheduled.endpoint.clone(),
        variant: Some(Variant::CancelOperation(CancelOperationRequest {
            service: scheduled.service.clone(),
            operation: scheduled.operation.clone(),
            operation_id: token.clone(),
            operation_token: token,
        })),
    };
    let (timeout, _) = time_to_cancel(operation, now);
    call(id, operation, attempt, request, timeout)
}

fn call(
    id: EventId,
    operation: &NexusOperation,
    attempt: i32,
    request: Request,
    timeout: Duration,
) -> NexusCall {
    let scheduled = &operation.scheduled;
    NexusCall {
        scheduled_event_id: id,
        attempt,
        endpoint: scheduled.endpoint.as_str().into(),
        endpoint_id: scheduled.endpoint_id.as_str().into(),
        request,
        timeout,
    }
}

/// How long a request to start may take, and what would have run out.
pub(crate) fn time_to_start(operation: &NexusOperation, now: Timestamp) -> (Duration, TimeoutType) {
    let (until, timeout) = match operation.schedule_to_start_at() {
        Some(at) => (Some(at), TimeoutType::ScheduleToStart),
        None => (
            operation.schedule_to_close_at(),
            TimeoutType::ScheduleToClose,
        ),
    };
    (left(until, now), timeout)
}

/// How long a request to cancel may take, and what would have run out.
pub(crate) fn time_to_cancel(
    operation: &NexusOperation,
    now: Timestamp,
) -> (Duration, TimeoutType) {
    let started = left(operation.start_to_close_at(), now);
    match operation.schedule_to_close_at() {
        Some(at) => (
            left(Some(at), now).min(started),
            TimeoutType::ScheduleToClose,
        ),
        None => (started, TimeoutType::StartToClose),
    }
}

fn left(until: Option<Timestamp>, now: Timestamp) -> Duration {
    until.map_or(REQUEST_TIMEOUT, |at| at.since(now).min(REQUEST_TIMEOUT))
}

/// How long the operation itself may take, as its handler is told.
fn operation_timeout(operation: &NexusOperation, now: Timestamp) -> Option<Duration> {
    let to_close = operation.schedule_to_close_at().map(|at| at.since(now));
    let own = duration(operation.scheduled.start_to_close_timeout.as_ref());
    let own = (!own.is_zero()).then_some(own);
    [to_close, own].into_iter().flatten().min()
}

/// The failure of a request that was not answered as it should be.
pub(crate) fn call_failure(message: &str, retryable: bool) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: CALL_ERROR.to_owned(),
                non_retryable: !retryable,
                ..ApplicationFailureInfo::default()
            },
        )),
        ..Failure::default()
    }
}

/// The failure of an answer whose result is too large to be kept.
pub(crate) fn too_large() -> Failure {
    call_failure("http: response body too large", false)
}

/// The failure of an answer whose token is too long; `None` for one that is not.
pub(crate) fn token_failure(token: &str) -> Option<Failure> {
    let length = token.len();
    (length > TOKEN_MAX).then(|| {
        let text =
            format!("invalid operation token: length exceeds allowed limit ({length}/{TOKEN_MAX})");
        call_failure(&text, false)
    })
}

/// The failure of an operation whose time has run out.
pub(crate) fn timeout_failure(message: &str, timeout: TimeoutType) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: timeout.into(),
            last_heartbeat_details: None,
        })),
        ..Failure::default()
    }
}
