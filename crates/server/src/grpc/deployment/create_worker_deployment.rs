//! CreateWorkerDeployment: before any worker polls for it.

use engine::deployment::check_name;
use proto::temporal::api::workflowservice::v1::{
    CreateWorkerDeploymentRequest, CreateWorkerDeploymentResponse,
};
use uuid::Uuid;

use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<CreateWorkerDeploymentRequest>,
) -> Result<CreateWorkerDeploymentResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let name = &request.deployment_name;
    if name.is_empty() {
        return Err(WireError::invalid("deployment name cannot be empty"));
    }
    check_name(name, server.limits.id_length_max)?;
    let request_id = request_id(request.request_id);
    let now = server.node.clock.now();
    let created =
        server
            .node
            .deployments
            .create(namespace.id, name, &request_id, &request.identity, now);
    Ok(CreateWorkerDeploymentResponse {
        conflict_token: created.await?.conflict_token.clone(),
    })
}

/// A request without an id is no repeat of any other.
pub(super) fn request_id(given: String) -> String {
    if given.is_empty() {
        return Uuid::new_v4().to_string();
    }
    given
}
