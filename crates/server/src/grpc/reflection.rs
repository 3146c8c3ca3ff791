//! Server reflection, v1 and v1alpha: tools read the API's definitions from the server.

use std::sync::OnceLock;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use tonic_reflection::server::{Builder, Error};
use tower_service::Service;

use super::service::{ReplyBody, failure};
use crate::error::WireError;

const V1: &str = "grpc.reflection.v1.ServerReflection";
const V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// Whether a service is one of the two.
pub(super) fn is_reflection(service: &str) -> bool {
    service == V1 || service == V1ALPHA
}

type Ask =
    Box<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<tonic::body::Body>> + Send + Sync>;

/// The two services. Each is made when it is first asked: decoded definitions take megabytes, and
/// most servers are never asked.
#[derive(Default)]
pub(super) struct Reflection {
    v1: OnceLock<Option<Ask>>,
    v1alpha: OnceLock<Option<Ask>>,
}

impl Reflection {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) async fn serve(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let ask = if request.uri().path().contains(V1ALPHA) {
            self.v1alpha
                .get_or_init(|| made(definitions().build_v1alpha().map(ask)))
        } else {
            self.v1
                .get_or_init(|| made(definitions().build_v1().map(ask)))
        };
        match ask {
            Some(ask) => ask(request).await.map(ReplyBody::Other),
            None => failure(&WireError::internal("the API's definitions cannot be read")),
        }
    }
}

fn definitions<'b>() -> Builder<'b> {
    Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        .with_service_name(V1)
        .with_service_name(V1ALPHA)
        .with_service_name("temporal.api.workflowservice.v1.WorkflowService")
        .with_service_name("temporal.api.operatorservice.v1.OperatorService")
        .with_service_name("grpc.health.v1.Health")
}

fn made(ask: Result<Ask, Error>) -> Option<Ask> {
    ask.inspect_err(|error| tracing::error!(%error, "reflection cannot be served"))
        .ok()
}

fn ask<S>(service: S) -> Ask
where
    S: Service<
            Request<Incoming>,
            Response = Response<tonic::body::Body>,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    Box::new(move |request| {
        let mut service = service.clone();
        Box::pin(async move {
            service
                .call(request)
                .await
                .unwrap_or_else(|never| match never {})
        })
    })
}
