//! ValidateWorkerDeploymentVersionComputeConfig: see the update of the same.

use proto::temporal::api::workflowservice::v1::{
    ValidateWorkerDeploymentVersionComputeConfigRequest,
    ValidateWorkerDeploymentVersionComputeConfigResponse,
};

use super::refuse_scaling_groups;
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    _: Server,
    call: NamespaceCall<ValidateWorkerDeploymentVersionComputeConfigRequest>,
) -> Result<ValidateWorkerDeploymentVersionComputeConfigResponse, WireError> {
    let groups = &call.request.compute_config_scaling_groups;
    if groups.is_empty() {
        return Err(WireError::invalid(
            "No prior compute config found, which means nothing can be removed and something needs to be added to be valid",
        ));
    }
    let groups = groups.iter();
    refuse_scaling_groups(groups.map(|(name, group)| (name, group.scaling_group.as_ref())))?;
    Ok(ValidateWorkerDeploymentVersionComputeConfigResponse {})
}
