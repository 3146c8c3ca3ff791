//! DescribeNamespace, by name or by id.

use proto::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeNamespaceResponse,
};
use uuid::Uuid;

use super::Server;
use super::call::Call;
use super::namespace_view::{describe, required};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: Call<DescribeNamespaceRequest>,
) -> Result<DescribeNamespaceResponse, WireError> {
    let DescribeNamespaceRequest { namespace, id, .. } = call.request;
    let entry = match (namespace.as_str(), id.as_str()) {
        (name, "") => Some(server.namespace(required(name)?)?),
        ("", id) => Uuid::parse_str(id)
            .ok()
            .and_then(|id| server.namespaces.by_id(id)),
        _ => {
            return Err(WireError::invalid(
                "GetNamespace operation failed.  Both ID and Name specified in request.",
            ));
        }
    };
    let entry = entry.ok_or_else(|| WireError::namespace_not_found(&id))?;
    Ok(describe(&entry.record, &server.limits))
}
