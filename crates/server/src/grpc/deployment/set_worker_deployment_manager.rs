//! SetWorkerDeploymentManager.

use engine::deployment::check_name;
use proto::temporal::api::workflowservice::v1::set_worker_deployment_manager_request::NewManagerIdentity;
use proto::temporal::api::workflowservice::v1::{
    SetWorkerDeploymentManagerRequest, SetWorkerDeploymentManagerResponse,
};

use super::change;
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<SetWorkerDeploymentManagerRequest>,
) -> Result<SetWorkerDeploymentManagerResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    if request.identity.is_empty() {
        return Err(WireError::invalid("Identity is required"));
    }
    let name = &request.deployment_name;
    check_name(name, server.limits.id_length_max)?;
    let manager = match request.new_manager_identity {
        Some(NewManagerIdentity::Self_(true)) => request.identity.clone(),
        Some(NewManagerIdentity::ManagerIdentity(manager)) => manager,
        Some(NewManagerIdentity::Self_(false)) | None => String::new(),
    };
    let now = server.node.clock.now();
    let token = &request.conflict_token;
    let changed = change(&server, namespace.id, name, false, |deployment, _| {
        let before = deployment.set_manager(&manager, &request.identity, token, now)?;
        Ok((before, deployment.conflict_token.clone()))
    });
    let (previous_manager_identity, conflict_token) = changed.await?;
    Ok(SetWorkerDeploymentManagerResponse {
        conflict_token,
        previous_manager_identity,
    })
}
