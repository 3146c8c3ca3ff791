//! From an HTTP request to a handler and back: routing by name, headers, metrics, the deadline.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, RwLock};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use metrics::{Counter, Histogram, Label, counter, histogram};
use tonic::Code;

use super::call::Metadata;
use super::handler::Answer;
use super::table::Method;
use super::test_service::{self, TEST_SERVICE};
use super::{Frontend, Server, health};
use crate::error::WireError;
use crate::wire;

const WORKFLOW_SERVICE: &str = "temporal.api.workflowservice.v1.WorkflowService";
const OPERATOR_SERVICE: &str = "temporal.api.operatorservice.v1.OperatorService";
const HEALTH_SERVICE: &str = "grpc.health.v1.Health";

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Answers one request. All that can go wrong is in the answer.
pub(super) async fn serve(server: Server, request: Request<Incoming>) -> Response<ReplyBody> {
    let path = request.uri().path();
    let Some((service, method)) = path
        .strip_prefix('/')
        .and_then(|path| path.rsplit_once('/'))
    else {
        let text = format!("malformed method name: \"{path}\"");
        return failure(&WireError::unimplemented(text));
    };
    if super::reflection::is_reflection(service) {
        return Box::pin(server.reflection.serve(request)).await;
    }
    if service == TEST_SERVICE
        && let Some(clock) = &server.time_skipping
    {
        let call = test_service::serve(clock.clone(), method.to_owned(), request);
        return Box::pin(call).await;
    }
    let found = match service {
        WORKFLOW_SERVICE => server.table.workflow(method),
        OPERATOR_SERVICE => server.table.operator(method),
        HEALTH_SERVICE => return Box::pin(health::serve(method.to_owned(), request)).await,
        _ => {
            return failure(&WireError::unimplemented(format!(
                "unknown service {service}"
            )));
        }
    };
    let Some(found) = found else {
        let text = format!("unknown method {method} for service {service}");
        return failure(&WireError::unimplemented(text));
    };
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let encoding = wire::encoding(&head.headers);
    let metadata = Metadata::read(&head.headers, tokio::time::Instant::now());
    let message = wire::read(body, encoding).await;
    let answer = answer(&server, found, metadata, message).await;
    match counted(&server, found, started, answer).1 {
        // As the request came: so does the reference.
        Ok(framed) if encoding == Some("gzip") => {
            let mut response = success(wire::compressed(framed));
            let gzip = HeaderValue::from_static("gzip");
            response
                .headers_mut()
                .insert(wire::GRPC_ENCODING.clone(), gzip);
            response
        }
        Ok(framed) => success(framed),
        Err(error) => failure(&error),
    }
}

impl Frontend {
    /// Answers a call that came in by another door than the gRPC port: the same handlers, the same counters.
    /// Gives the namespace that it was about, and the encoded reply.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        service: &str,
        method: &str,
        headers: &HeaderMap,
        message: Bytes,
    ) -> (Option<Arc<str>>, Result<Bytes, WireError>) {
        let found = match service {
            WORKFLOW_SERVICE => self.table.workflow(method),
            OPERATOR_SERVICE => self.table.operator(method),
            _ => None,
        };
        let Some(found) = found else {
            let text = format!("unknown method {method} for service {service}");
            return (None, Err(WireError::unimplemented(text)));
        };
        let started = Instant::now();
        let metadata = Metadata::read(headers, tokio::time::Instant::now());
        let answer = answer(self, found, metadata, Ok(message)).await;
        let (namespace, result) = counted(self, found, started, answer);
        (namespace, result.map(wire::unframe))
    }
}

impl Frontend {
    /// Whether a method of WorkflowService does what it is for.
    pub(crate) fn serves(&self, method: &str) -> bool {
        self.table
            .workflow(method)
            .is_some_and(|method| method.served)
    }
}

/// Calls the handler, for as long as the client waits.
async fn answer(
    server: &Server,
    method: &Method,
    metadata: Metadata,
    message: Result<Bytes, WireError>,
) -> Answer {
    let message = match message {
        Ok(message) => message,
        Err(error) => return Answer::from(error),
    };
    let deadline = metadata.deadline;
    let handling = (method.handler)(server.clone(), metadata, message);
    match deadline {
        None => handling.await,
        Some(deadline) => match tokio::time::timeout_at(deadline, handling).await {
            Ok(answer) => answer,
            Err(_) => Answer::from(WireError::deadline_exceeded()),
        },
    }
}

/// Counts an answer.
fn counted(
    server: &Frontend,
    method: &Method,
    started: Instant,
    answer: Answer,
) -> (Option<Arc<str>>, Result<Bytes, WireError>) {
    let unknown = || Arc::from("_unknown_");
    let namespace = answer.namespace.clone().unwrap_or_else(unknown);
    let counted = server.counters.of(&method.operation, &namespace);
    counted.requests.increment(1);
    counted.latency.record(started.elapsed());
    if let Err(error) = &answer.result {
        server
            .counters
            .error(&method.operation, &namespace, &counted, error.code);
    }
    (answer.namespace, answer.result)
}

/// The counters of one operation in one namespace.
pub(super) struct Counted {
    requests: Counter,
    errors: Counter,
    latency: Histogram,
}

/// Operation and namespace.
type CounterKey = (Arc<str>, Arc<str>);

/// Metrics by operation and namespace, looked up once per request.
#[derive(Default)]
pub(super) struct Counters {
    known: RwLock<HashMap<CounterKey, Arc<Counted>>>,
}

fn labels(operation: &Arc<str>, namespace: &Arc<str>) -> Vec<Label> {
    // Names with characters of their own would be a different series in the users' dashboards.
    let namespace: String = namespace
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    vec![
        Label::from_static_parts("service_name", "frontend"),
        Label::new("operation", operation.to_string()),
        Label::new("namespace", namespace),
    ]
}

impl Counters {
    fn of(&self, operation: &Arc<str>, namespace: &Arc<str>) -> Arc<Counted> {
        let key = (operation.clone(), namespace.clone());
        // A panic while the lock is held cannot leave the map half changed.
        let known = self
            .known
            .read()
            .unwrap_or_else(|e| e.into_inner())
            .get(&key)
            .cloned();
        if let Some(known) = known {
            return known;
        }
        let labels = labels(operation, namespace);
        let counted = Arc::new(Counted {
            requests: counter!("service_requests", labels.clone()),
            errors: counter!("service_errors", labels.clone()),
            latency: histogram!("service_latency", labels),
        });
        let mut all = self.known.write().unwrap_or_else(|e| e.into_inner());
        all.entry(key).or_insert(counted).clone()
    }

    fn error(&self, operation: &Arc<str>, namespace: &Arc<str>, counted: &Counted, code: Code) {
        counted.errors.increment(1);
        let mut labels = labels(operation, namespace);
        if code == Code::ResourceExhausted {
            counter!("service_errors_resource_exhausted", labels.clone()).increment(1);
        }
        labels.push(Label::new("error_type", format!("{code:?}")));
        counter!("service_error_with_type", labels).increment(1);
    }
}

/// The body of an answer.
pub(super) enum ReplyBody {
    /// A message and the trailers behind it.
    Unary(Option<Bytes>, Option<HeaderMap>),
    /// A message, and then nothing until the client goes: a watch of something that never changes.
    Watch(Option<Bytes>),
    /// Another service's.
    Other(tonic::body::Body),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        match &mut *self {
            Self::Unary(data, trailers) => Poll::Ready(
                data.take()
                    .map(Frame::data)
                    .or_else(|| trailers.take().map(Frame::trailers))
                    .map(Ok),
            ),
            Self::Watch(data) => match data.take() {
                Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
                None => Poll::Pending,
            },
            Self::Other(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Unary(data, trailers) => data.is_none() && trailers.is_none(),
            Self::Watch(_) => false,
            Self::Other(body) => body.is_end_stream(),
        }
    }
}

fn response(body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

/// An answer with a message.
pub(super) fn success(framed: Bytes) -> Response<ReplyBody> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS.clone(), HeaderValue::from_static("0"));
    response(ReplyBody::Unary(Some(framed), Some(trailers)))
}

/// An answer that stays open behind its one message.
pub(super) fn watch(framed: Bytes) -> Response<ReplyBody> {
    response(ReplyBody::Watch(Some(framed)))
}

/// An answer with an error.
pub(super) fn failure(error: &WireError) -> Response<ReplyBody> {
    let mut response = response(ReplyBody::Unary(None, None));
    error.write_headers(response.headers_mut());
    response
}
