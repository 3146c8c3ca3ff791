//! CreateWorkerDeploymentVersion: before any worker polls for it.

use engine::deployment::Version;
use proto::temporal::api::workflowservice::v1::{
    CreateWorkerDeploymentVersionRequest, CreateWorkerDeploymentVersionResponse,
};

use super::create_worker_deployment::request_id;
use super::{change, check_version, refuse_scaling_groups};
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<CreateWorkerDeploymentVersionRequest>,
) -> Result<CreateWorkerDeploymentVersionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let asked = request.deployment_version.unwrap_or_default();
    if asked.deployment_name.is_empty() {
        return Err(WireError::invalid("deployment name cannot be empty"));
    }
    if asked.build_id.is_empty() {
        return Err(WireError::invalid("build ID cannot be empty"));
    }
    let version = Version::new(&asked.deployment_name, &asked.build_id);
    check_version(&server, &version)?;
    let compute = request.compute_config.unwrap_or_default();
    let groups = compute.scaling_groups.iter();
    refuse_scaling_groups(groups.map(|(name, group)| (name, Some(group))))?;
    let request_id = request_id(request.request_id);
    let name = &version.deployment_name;
    change(&server, namespace.id, name, false, |deployment, around| {
        deployment.create_version(&version.build_id, &request_id, &request.identity, around)
    })
    .await?;
    Ok(CreateWorkerDeploymentVersionResponse {})
}
