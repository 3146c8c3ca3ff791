//! SetWorkerDeploymentCurrentVersion: where new workflows go.

use engine::deployment::{SetCurrentVersion, Version, check_build_id, check_name};
use proto::temporal::api::workflowservice::v1::{
    SetWorkerDeploymentCurrentVersionRequest, SetWorkerDeploymentCurrentVersionResponse,
};

use super::{change, version_of};
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<SetWorkerDeploymentCurrentVersionRequest>,
) -> Result<SetWorkerDeploymentCurrentVersionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let name = &request.deployment_name;
    if name.is_empty() {
        return Err(WireError::invalid("deployment name cannot be empty"));
    }
    let version = match (request.version.as_str(), request.build_id.as_str()) {
        ("", "") => None,
        ("", build_id) => Some(Version::new(name, build_id)),
        (text, _) => version_of(name, text)?,
    };
    check_name(name, server.limits.id_length_max)?;
    let create = request.allow_no_pollers;
    if let Some(version) = version.as_ref().filter(|_| create) {
        check_build_id(&version.build_id, server.limits.id_length_max)?;
    }
    let ask = SetCurrentVersion {
        version,
        identity: request.identity.clone(),
        ignore_missing_task_queues: request.ignore_missing_task_queues,
        conflict_token: request.conflict_token.to_vec(),
        allow_no_pollers: create,
    };
    let changed = change(&server, namespace.id, name, create, |deployment, around| {
        let before = deployment.set_current_version(&ask, around)?;
        Ok((before, deployment.conflict_token.clone()))
    });
    let (previous_version, conflict_token) = changed.await?;
    let previous = Version::parse(&previous_version).ok().flatten();
    Ok(SetWorkerDeploymentCurrentVersionResponse {
        conflict_token,
        previous_version,
        previous_deployment_version: previous.as_ref().map(Version::to_wire),
    })
}
