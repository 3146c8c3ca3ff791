//! DeleteWorkerDeploymentVersion.

use engine::deployment::{DeleteVersion, check_name};
use proto::temporal::api::workflowservice::v1::{
    DeleteWorkerDeploymentVersionRequest, DeleteWorkerDeploymentVersionResponse,
};

use super::{change, named_version};
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<DeleteWorkerDeploymentVersionRequest>,
) -> Result<DeleteWorkerDeploymentVersionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let version = named_version(request.deployment_version.as_ref(), &request.version)?;
    check_name(&version.deployment_name, server.limits.id_length_max)?;
    let ask = DeleteVersion {
        build_id: version.build_id.to_string(),
        skip_drainage: request.skip_drainage,
        identity: request.identity,
    };
    let name = &version.deployment_name;
    change(&server, namespace.id, name, false, |deployment, around| {
        deployment.delete_version(&ask, around)
    })
    .await?;
    Ok(DeleteWorkerDeploymentVersionResponse {})
}
