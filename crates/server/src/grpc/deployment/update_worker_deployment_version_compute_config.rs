//! UpdateWorkerDeploymentVersionComputeConfig: no provider of compute is part of this server, so there is
//! nothing to set up, and nothing to remove.

use engine::deployment::version_not_found;
use proto::temporal::api::workflowservice::v1::{
    UpdateWorkerDeploymentVersionComputeConfigRequest,
    UpdateWorkerDeploymentVersionComputeConfigResponse,
};

use super::refuse_scaling_groups;
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<UpdateWorkerDeploymentVersionComputeConfigRequest>,
) -> Result<UpdateWorkerDeploymentVersionComputeConfigResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let asked = request.deployment_version.unwrap_or_default();
    let (name, build_id) = (&asked.deployment_name, &asked.build_id);
    if name.is_empty() {
        return Err(WireError::invalid("deployment name cannot be empty"));
    }
    if build_id.is_empty() {
        return Err(WireError::invalid("build ID cannot be empty"));
    }
    let found = server.node.deployments.get(namespace.id, name);
    if found.is_none_or(|deployment| deployment.version(build_id).is_none()) {
        return Err(version_not_found(build_id, name).into());
    }
    let groups = request.compute_config_scaling_groups.iter();
    refuse_scaling_groups(groups.map(|(name, group)| (name, group.scaling_group.as_ref())))?;
    Ok(UpdateWorkerDeploymentVersionComputeConfigResponse {})
}
