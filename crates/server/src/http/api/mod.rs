//! The API over HTTP with JSON (behaviour, section 11). A request is turned into the message that
//! its RPC takes, handed to the same table that gRPC calls go through, and the reply is written as
//! JSON. Nothing here is made for one RPC: paths come from the annotations in the API's definition.
//!
//! - [`definition`]: the definition, its annotated paths, and how a request finds one.
//! - [`fields`]: path and query parameters as fields of a message.
//! - [`json`]: messages as JSON; payloads in their short form.
//! - [`format`]: which form of JSON a client sends and wants.
//! - [`headers`]: which headers come along.
//! - [`openapi`]: the definition as documents for tools.

mod definition;
mod fields;
mod format;
mod headers;
mod json;
mod openapi;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use metrics::counter;
use prost::Message;
use prost_reflect::DynamicMessage;
use tonic::Code;

use self::definition::{Definition, Found, Route};
use self::format::Format;
use crate::error::WireError;
use crate::grpc::Frontend;
use crate::wire;

/// Answers a request of the API.
pub(super) async fn serve(frontend: Arc<Frontend>, request: Request<Body>) -> Response<Body> {
    let (_, outbound) = Format::of(&request);
    let answered = match Definition::get() {
        Ok(definition) => answer(&frontend, definition, request).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(text) => response(StatusCode::OK, outbound, text),
        Err(error) => failure(&error, outbound),
    }
}

async fn answer(
    frontend: &Arc<Frontend>,
    definition: &Definition,
    request: Request<Body>,
) -> Result<Vec<u8>, WireError> {
    let (inbound, outbound) = Format::of(&request);
    let (head, body) = request.into_parts();
    let (route, parameters) = match definition.find(&head.method, head.uri.path()) {
        Found::Route(route, parameters) => (route, parameters),
        Found::OtherMethod => return Err(WireError::unimplemented("Method Not Allowed")),
        Found::Nothing => return Err(WireError::new(Code::NotFound, "Not Found")),
    };
    let mut message = if route.has_body {
        let text = whole(body).await?;
        json::read(&text, &route.method.input(), inbound.shorthand).map_err(WireError::invalid)?
    } else {
        let query = head.uri.query().unwrap_or_default();
        fields::from_query(&route.method.input(), query, route.fields())
            .map_err(WireError::invalid)?
    };
    for (field, value) in parameters {
        fields::set(&mut message, field, &value).map_err(WireError::invalid)?;
    }
    let headers = headers::forwarded(&head.headers);
    let encoded = Bytes::from(message.encode_to_vec());
    let (service, method) = route.names();
    let (namespace, reply) = frontend.invoke(service, method, &headers, encoded).await;
    count(route, namespace);
    let reply = DynamicMessage::decode(route.method.output(), reply?);
    let reply = reply.map_err(WireError::internal)?;
    json::write(&reply, outbound).map_err(WireError::internal)
}

fn count(route: &Route, namespace: Option<Arc<str>>) {
    let (service, method) = route.names();
    let namespace = namespace.unwrap_or_else(|| Arc::from("_unknown_"));
    let operation = format!("/{service}/{method}");
    counter!("http_service_requests", "operation" => operation, "namespace" => namespace.to_string())
        .increment(1);
}

/// The body, if it is no larger than a gRPC message may be.
async fn whole(body: Body) -> Result<Bytes, WireError> {
    match Limited::new(body, wire::RECEIVE_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(WireError::invalid("http: request body too large"))
        }
        Err(_) => Err(WireError::new(Code::Cancelled, "context canceled")),
    }
}

fn failure(error: &WireError, format: Format) -> Response<Body> {
    let text = json::write_error(error, format).unwrap_or_else(|cause| {
        tracing::warn!(cause, "an error could not be written as JSON");
        br#"{"code":13,"message":"failed to marshal error message"}"#.to_vec()
    });
    response(status(error.code), format, text)
}

fn response(status: StatusCode, format: Format, text: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.content_type),
    );
    response
}

/// The HTTP code of a gRPC one, as the gateway has it.
fn status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        // What clients are told whose caller has gone.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT),
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The document for tools, in the newer version of its format.
pub(super) async fn openapi_v3() -> Response<Body> {
    document("application/vnd.oai.openapi;version=3.0", openapi::v3)
}

/// The document for tools, in the older version of its format.
pub(super) async fn openapi_v2() -> Response<Body> {
    document("application/vnd.oai.openapi+json;version=2.0", openapi::v2)
}

fn document(content_type: &'static str, write: fn(&Definition) -> String) -> Response<Body> {
    match Definition::get() {
        Ok(definition) => {
            ([(header::CONTENT_TYPE, content_type)], write(definition)).into_response()
        }
        Err(error) => failure(&error, Format::default()),
    }
}
