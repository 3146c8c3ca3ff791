//! grpc.health.v1: clients ask for the service's name before they go on.

use http::{Request, Response};
use hyper::body::Incoming;
use proto::grpc::health::v1::health_check_response::ServingStatus;
use proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use tonic::Code;

use super::service::{ReplyBody, failure, success, watch};
use crate::error::WireError;
use crate::wire;

const SERVICES: [&str; 3] = [
    "",
    "temporal.api.workflowservice.v1.WorkflowService",
    "temporal.api.operatorservice.v1.OperatorService",
];

/// Check and Watch. A server that stops ends its connections, so what is served is always healthy.
pub(super) async fn serve(method: String, request: Request<Incoming>) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    let read = wire::read(body, wire::encoding(&head.headers)).await;
    let asked = match read.and_then(wire::decode::<HealthCheckRequest>) {
        Ok(request) => request.service,
        Err(error) => return failure(&error),
    };
    let known = SERVICES.contains(&asked.as_str());
    let framed = |status: ServingStatus| {
        wire::frame(&HealthCheckResponse {
            status: status.into(),
        })
    };
    match (method.as_str(), known) {
        ("Check", true) => success(framed(ServingStatus::Serving)),
        ("Check", false) => failure(&WireError::new(Code::NotFound, "unknown service")),
        ("Watch", true) => watch(framed(ServingStatus::Serving)),
        ("Watch", false) => watch(framed(ServingStatus::ServiceUnknown)),
        _ => failure(&WireError::unimplemented(format!(
            "unknown method {method} for service grpc.health.v1.Health"
        ))),
    }
}
