//! SetWorkerDeploymentRampingVersion: where a share of the workflows goes.

use engine::deployment::{
    Ramp, SetRampingVersion, UNVERSIONED, Version, check_build_id, check_name,
};
use proto::temporal::api::workflowservice::v1::{
    SetWorkerDeploymentRampingVersionRequest, SetWorkerDeploymentRampingVersionResponse,
};

use super::{change, version_of};
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<SetWorkerDeploymentRampingVersionRequest>,
) -> Result<SetWorkerDeploymentRampingVersionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let ramp = ramp(&request)?;
    if !(0.0..=100.0).contains(&request.percentage) {
        return Err(WireError::invalid(
            "Percentage must be between 0 and 100 (inclusive)",
        ));
    }
    let name = &request.deployment_name;
    check_name(name, server.limits.id_length_max)?;
    let create = request.allow_no_pollers;
    if let (Ramp::To(version), true) = (&ramp, create) {
        check_build_id(&version.build_id, server.limits.id_length_max)?;
    }
    let ask = SetRampingVersion {
        ramp,
        percentage: request.percentage,
        identity: request.identity.clone(),
        ignore_missing_task_queues: request.ignore_missing_task_queues,
        conflict_token: request.conflict_token.to_vec(),
        allow_no_pollers: create,
    };
    let changed = change(&server, namespace.id, name, create, |deployment, around| {
        let before = deployment.set_ramping_version(&ask, around)?;
        Ok((before, deployment.conflict_token.clone()))
    });
    let ((previous_version, previous_percentage), conflict_token) = changed.await?;
    let previous = Version::parse(&previous_version).ok().flatten();
    Ok(SetWorkerDeploymentRampingVersionResponse {
        conflict_token,
        previous_version,
        previous_deployment_version: previous.as_ref().map(Version::to_wire),
        previous_percentage,
    })
}

/// No build and no share is no ramp; no build with a share is a ramp to workers without a version.
fn ramp(request: &SetWorkerDeploymentRampingVersionRequest) -> Result<Ramp, WireError> {
    let name = &request.deployment_name;
    let none = request.percentage == 0.0 && request.build_id.is_empty();
    Ok(
        match (request.version.as_str(), request.build_id.as_str()) {
            ("" | UNVERSIONED, "") if none => Ramp::Unset,
            ("", "") => Ramp::Unversioned,
            ("", build_id) => Ramp::To(Version::new(name, build_id)),
            (text, _) => version_of(name, text)?.map_or(Ramp::Unversioned, Ramp::To),
        },
    )
}
