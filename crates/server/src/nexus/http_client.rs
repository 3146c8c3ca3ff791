//! The Nexus protocol spoken to servers elsewhere: endpoints with an external target, and completion callbacks.
//! Whom to trust behind an https address the system says, or the file that `SSL_CERT_FILE` names.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use engine::Namespace;
use engine::nexus::answer::{ended_badly, refused};
use engine::nexus::callback::SYSTEM_URL;
use engine::nexus::failure::{OPERATION_ERROR, from_json, from_nexus, is_retryable, to_json};
use engine::nexus::link;
use engine::workflow::input::{CallbackAnswer, NexusAnswer, NexusOutcome};
use engine::workflow::transition::CallbackCall;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::request::Builder;
use http::uri::Scheme;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proto::temporal::api::common::v1::link::Variant as LinkVariant;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{ApplicationFailureInfo, NexusHandlerFailureInfo};
use proto::temporal::api::nexus::v1::Request;
use proto::temporal::api::nexus::v1::request::Variant;
use proto::temporal::api::nexus::v1::{CancelOperationRequest, StartOperationRequest};
use serde_json::Value;

use super::{json, wire};

/// Bytes of an answer.
const BODY_MAX: usize = 8 << 20;
/// What an address may hold as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const AGENT: &str = "temporalio/server";

/// A client with its connections.
#[derive(Clone)]
pub struct HttpClient {
    plain: Client<HttpConnector, Full<Bytes>>,
    /// Made when an address first asks for it: it reads all that the system trusts.
    secure: Arc<OnceLock<Secure>>,
    /// Where callbacks to this server come in, with `{namespace}` in it.
    callback_url: String,
}

type Secure = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// An answer, read to its end.
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl HttpClient {
    /// A client that gives this address to those who are to call back.
    pub fn new(callback_url: String) -> Self {
        Self {
            plain: Client::builder(TokioExecutor::new()).build_http(),
            secure: Arc::default(),
            callback_url,
        }
    }

    /// Has a handler elsewhere carry out a request.
    pub(super) async fn ask(
        &self,
        caller: &Namespace,
        url: &str,
        request: Request,
        timeout: Duration,
    ) -> NexusAnswer {
        let mut builder = http::Request::builder().method(Method::POST);
        builder = builder.header(USER_AGENT, AGENT);
        builder = builder.header("request-timeout", format!("{}ms", timeout.as_millis()));
        builder = builder.header("temporal-nexus-failure-support", "true");
        for (name, value) in &request.header {
            builder = builder.header(name, value);
        }
        let (built, start) = match request.variant {
            Some(Variant::StartOperation(start)) => {
                (self.start_request(builder, caller, url, start), true)
            }
            Some(Variant::CancelOperation(cancel)) => (cancel_request(builder, url, cancel), false),
            None => return call_failed("nothing is asked"),
        };
        let built = match built {
            Ok(built) => built,
            Err(error) => return call_failed(&error.to_string()),
        };
        match self.send(built, timeout).await {
            Err(cause) => call_failed(&cause),
            Ok(answered) if start => answered.to_start(),
            Ok(answered) => answered.to_cancel(),
        }
    }

    fn start_request(
        &self,
        mut builder: Builder,
        caller: &Namespace,
        url: &str,
        start: StartOperationRequest,
    ) -> http::Result<http::Request<Full<Bytes>>> {
        let callback = if start.callback == SYSTEM_URL {
            let name = utf8_percent_encode(&caller.name, ESCAPED).to_string();
            self.callback_url.replace("{namespace}", &name)
        } else {
            start.callback
        };
        builder = builder.uri(format!(
            "{}?callback={}",
            operation_url(url, &start.service, &start.operation),
            utf8_percent_encode(&callback, ESCAPED)
        ));
        builder = builder.header("nexus-request-id", start.request_id);
        for (name, value) in start.callback_header {
            builder = builder.header(format!("nexus-callback-{name}"), value);
        }
        for link in &start.links {
            builder = builder.header("nexus-link", wire::link_header(link));
        }
        let (content, body) = wire::content(start.payload);
        for (name, value) in content {
            builder = builder.header(format!("content-{name}"), value);
        }
        builder.body(Full::new(body))
    }

    /// Brings a completion to an address elsewhere.
    pub(super) async fn complete(&self, call: CallbackCall) -> CallbackAnswer {
        let request = match completion_request(&call) {
            Ok(request) => request,
            Err(error) => {
                return CallbackAnswer::Refused {
                    failure: Box::new(call_failure(&error.to_string())),
                    retryable: false,
                };
            }
        };
        match self.send(request, call.timeout).await {
            Ok(answered) if answered.status.is_success() => CallbackAnswer::Taken,
            Ok(answered) => {
                let failure = answered.handler_error();
                let retryable = match &failure.failure_info {
                    Some(FailureInfo::NexusHandlerFailureInfo(info)) => {
                        is_retryable(&info.r#type, info.retry_behavior)
                    }
                    _ => true,
                };
                CallbackAnswer::Refused {
                    failure: Box::new(failure),
                    retryable,
                }
            }
            Err(cause) => CallbackAnswer::Refused {
                failure: Box::new(call_failure(&cause)),
                retryable: true,
            },
        }
    }

    async fn send(
        &self,
        request: http::Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<Answered, String> {
        let exchange = async {
            let answer = if request.uri().scheme() == Some(&Scheme::HTTPS) {
                self.secure().await?.request(request)
            } else {
                self.plain.request(request)
            };
            let response: Response<_> = answer.await.map_err(|error| whole_error(&error))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, BODY_MAX).collect().await;
            Ok(Answered {
                status: parts.status,
                headers: parts.headers,
                body: body.map_err(|error| error.to_string())?.to_bytes(),
            })
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or_else(|_| Err("request timed out".to_owned()))
    }

    async fn secure(&self) -> Result<Secure, String> {
        if let Some(client) = self.secure.get() {
            return Ok(client.clone());
        }
        let made = tokio::task::spawn_blocking(secure).await;
        let made = made.map_err(|error| error.to_string())??;
        Ok(self.secure.get_or_init(|| made).clone())
    }
}

/// A client for https addresses. Without anybody to trust there is none, and the next request looks again.
fn secure() -> Result<Secure, String> {
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(|error| format!("nobody is trusted for https: {error}"))?
        .https_only()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    fn json(&self) -> Option<Value> {
        let json = wire::is_json(&self.headers).then(|| serde_json::from_slice(&self.body));
        json?.ok()
    }

    fn to_start(&self) -> NexusAnswer {
        let Some(links) = wire::links(&self.headers) else {
            return call_failed("invalid links header");
        };
        let links = link::from_nexus(&links);
        match self.status {
            StatusCode::OK => match wire::payload(&self.headers, self.body.clone()) {
                Some(payload) => NexusAnswer::Ended {
                    outcome: NexusOutcome::Succeeded(Some(payload)),
                    links,
                },
                None => call_failed("the result cannot be read"),
            },
            StatusCode::CREATED => {
                let info = self.json().unwrap_or_default();
                let token = info["token"].as_str().unwrap_or_default();
                if token.is_empty() || info["state"] != "running" {
                    return call_failed("unexpected operation info in the answer");
                }
                NexusAnswer::Started {
                    token: token.to_owned(),
                    links,
                }
            }
            wire::OPERATION_UNSUCCESSFUL => self.operation_failed(),
            _ => refused(self.handler_error()),
        }
    }

    fn operation_failed(&self) -> NexusAnswer {
        let failure = self.json().as_ref().and_then(from_json).unwrap_or_default();
        let own = failure.metadata.get("type").map_or("", String::as_str) == OPERATION_ERROR;
        let details: Value = serde_json::from_slice(&failure.details).unwrap_or_default();
        let state = match details["state"].as_str() {
            Some(state) if own => state.to_owned(),
            _ => self.header("nexus-operation-state").to_owned(),
        };
        // A wrapper says nothing of its own.
        let wrapper =
            own && failure.metadata.get("unwrap-error").map(String::as_str) == Some("true");
        let failure = match &failure.cause {
            Some(cause) if wrapper => from_nexus(cause, &json::read_failure),
            _ => from_nexus(&failure, &json::read_failure),
        };
        match state.as_str() {
            "failed" => ended_badly(failure, false),
            "canceled" => ended_badly(failure, true),
            _ => call_failed(&format!(
                "unexpected operation state {state:?} in the answer"
            )),
        }
    }

    fn to_cancel(&self) -> NexusAnswer {
        if self.status.is_success() {
            return NexusAnswer::Ended {
                outcome: NexusOutcome::Succeeded(None),
                links: Vec::new(),
            };
        }
        refused(self.handler_error())
    }

    /// The failure of an answer that is none: what it says, or what its status stands for.
    fn handler_error(&self) -> Failure {
        let given = self.json().as_ref().and_then(from_json);
        let given = given.map(|failure| from_nexus(&failure, &json::read_failure));
        if let Some(failure) = &given
            && matches!(
                failure.failure_info,
                Some(FailureInfo::NexusHandlerFailureInfo(_))
            )
        {
            return failure.clone();
        }
        let Some(error_type) = wire::error_type_of(self.status) else {
            return call_failure(&format!("unexpected response status: {}", self.status));
        };
        let retry_behavior = match self.header("nexus-request-retryable") {
            "true" => 1,
            "false" => 2,
            _ => 0,
        };
        // What was said, if anything was, is the cause.
        let message = match &given {
            Some(_) => String::new(),
            None => self.status.to_string(),
        };
        Failure {
            message,
            failure_info: Some(FailureInfo::NexusHandlerFailureInfo(
                NexusHandlerFailureInfo {
                    r#type: error_type.to_owned(),
                    retry_behavior,
                },
            )),
            cause: given.map(Box::new),
            ..Failure::default()
        }
    }
}

fn operation_url(base: &str, service: &str, operation: &str) -> String {
    format!(
        "{}/{}/{}",
        base.trim_end_matches('/'),
        utf8_percent_encode(service, ESCAPED),
        utf8_percent_encode(operation, ESCAPED)
    )
}

fn cancel_request(
    builder: Builder,
    url: &str,
    cancel: CancelOperationRequest,
) -> http::Result<http::Request<Full<Bytes>>> {
    let url = operation_url(url, &cancel.service, &cancel.operation);
    builder
        .uri(format!("{url}/cancel"))
        .header("nexus-operation-token", cancel.operation_token)
        .body(Full::default())
}

fn completion_request(call: &CallbackCall) -> http::Result<http::Request<Full<Bytes>>> {
    let completion = &call.completion;
    let mut builder = http::Request::builder().method(Method::POST).uri(&call.url);
    let state = match &completion.outcome {
        NexusOutcome::Succeeded(_) => "succeeded",
        NexusOutcome::Failed(_) => "failed",
        NexusOutcome::Canceled(_) => "canceled",
    };
    builder = builder.header("nexus-operation-state", state);
    for (name, value) in &call.header {
        builder = builder.header(name, value);
    }
    if !call.header.contains_key("user-agent") {
        builder = builder.header(USER_AGENT, AGENT);
    }
    let times = [
        ("nexus-operation-start-time", completion.start_time),
        ("nexus-operation-close-time", completion.close_time),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            let span = Duration::from_nanos(u64::try_from(time.0).unwrap_or(0));
            let text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + span);
            builder = builder.header(name, text);
        }
    }
    for link in &completion.links {
        let link = match &link.variant {
            Some(LinkVariant::WorkflowEvent(event)) => link::to_nexus(event),
            Some(LinkVariant::Activity(activity)) => link::activity_to_nexus(activity),
            _ => continue,
        };
        builder = builder.header("nexus-link", wire::link_header(&link));
    }
    match &completion.outcome {
        NexusOutcome::Succeeded(payload) => {
            let (content, body) = wire::content(payload.clone());
            for (name, value) in content {
                builder = builder.header(format!("content-{name}"), value);
            }
            builder.body(Full::new(body))
        }
        NexusOutcome::Failed(failure) | NexusOutcome::Canceled(failure) => {
            let body = to_json(&json::to_nexus(failure.clone())).to_string();
            builder = builder.header(CONTENT_TYPE, "application/json");
            builder.body(Full::new(body.into()))
        }
    }
}

/// A call that did not get an answer of the protocol; it is made again.
fn call_failed(message: &str) -> NexusAnswer {
    NexusAnswer::Refused {
        failure: call_failure(message),
        retryable: true,
    }
}

fn call_failure(message: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: "CallError".to_owned(),
                ..ApplicationFailureInfo::default()
            },
        )),
        ..Failure::default()
    }
}

/// An error with its causes.
fn whole_error(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
