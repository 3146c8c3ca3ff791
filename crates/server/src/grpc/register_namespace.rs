//! RegisterNamespace.

use proto::temporal::api::workflowservice::v1::{
    RegisterNamespaceRequest, RegisterNamespaceResponse,
};

use super::call::Call;
use super::namespace_view::{check_clusters, required, retention_s};
use super::{Server, validate};
use crate::error::WireError;
use crate::namespaces::Record;

pub(super) async fn handle(
    server: Server,
    call: Call<RegisterNamespaceRequest>,
) -> Result<RegisterNamespaceResponse, WireError> {
    let request = call.request;
    required(&request.namespace)?;
    if request.is_global_namespace {
        return Err(WireError::invalid(
            "Cannot register global namespace when not enabled",
        ));
    }
    validate::length(
        &request.namespace,
        &server.limits,
        "Namespace length exceeds limit.",
    )?;
    let retention_s = retention_s(request.workflow_execution_retention_period.as_ref())?;
    check_clusters(&request.active_cluster_name, &request.clusters)?;
    let record = Record {
        name: request.namespace,
        description: request.description,
        owner_email: request.owner_email,
        data: request.data,
        retention_s,
        ..Default::default()
    };
    server.namespaces.register(record).await?;
    Ok(RegisterNamespaceResponse {})
}
