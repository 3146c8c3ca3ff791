//! UpdateWorkerDeploymentVersionMetadata.

use proto::temporal::api::workflowservice::v1::{
    UpdateWorkerDeploymentVersionMetadataRequest, UpdateWorkerDeploymentVersionMetadataResponse,
};

use super::{change, check_version, named_version};
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<UpdateWorkerDeploymentVersionMetadataRequest>,
) -> Result<UpdateWorkerDeploymentVersionMetadataResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    if request.upsert_entries.is_empty() && request.remove_entries.is_empty() {
        return Err(WireError::invalid(
            "At least one of remove_entries or upsert_entries must be provided",
        ));
    }
    let version = named_version(request.deployment_version.as_ref(), &request.version)?;
    check_version(&server, &version)?;
    let name = &version.deployment_name;
    let changed = change(&server, namespace.id, name, false, |deployment, _| {
        deployment.update_version_metadata(
            &version.build_id,
            request.upsert_entries,
            &request.remove_entries,
            &request.identity,
        )
    });
    Ok(UpdateWorkerDeploymentVersionMetadataResponse {
        metadata: Some(changed.await?),
    })
}
