//! DeleteWorkerDeployment.

use engine::deployment::check_name;
use proto::temporal::api::workflowservice::v1::{
    DeleteWorkerDeploymentRequest, DeleteWorkerDeploymentResponse,
};

use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<DeleteWorkerDeploymentRequest>,
) -> Result<DeleteWorkerDeploymentResponse, WireError> {
    let name = &call.request.deployment_name;
    check_name(name, server.limits.id_length_max)?;
    server
        .node
        .deployments
        .delete(call.namespace.id, name)
        .await?;
    Ok(DeleteWorkerDeploymentResponse {})
}
