//! DescribeWorkerDeployment.

use engine::deployment::{check_name, not_found};
use proto::temporal::api::workflowservice::v1::{
    DescribeWorkerDeploymentRequest, DescribeWorkerDeploymentResponse,
};

use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeWorkerDeploymentRequest>,
) -> Result<DescribeWorkerDeploymentResponse, WireError> {
    let name = &call.request.deployment_name;
    check_name(name, server.limits.id_length_max)?;
    let found = server.node.deployments.get(call.namespace.id, name);
    let found = found.ok_or_else(|| not_found(name))?;
    Ok(DescribeWorkerDeploymentResponse {
        conflict_token: found.conflict_token.clone(),
        worker_deployment_info: Some(found.info()),
    })
}
