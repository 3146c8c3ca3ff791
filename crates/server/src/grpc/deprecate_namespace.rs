//! DeprecateNamespace: no new runs.

use proto::temporal::api::enums::v1::NamespaceState;
use proto::temporal::api::workflowservice::v1::{
    DeprecateNamespaceRequest, DeprecateNamespaceResponse,
};

use super::Server;
use super::call::Call;
use super::namespace_view::required;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: Call<DeprecateNamespaceRequest>,
) -> Result<DeprecateNamespaceResponse, WireError> {
    let name = required(&call.request.namespace)?;
    server.namespace(name)?;
    server
        .namespaces
        .change(name, |record| record.set_state(NamespaceState::Deprecated))
        .await?;
    Ok(DeprecateNamespaceResponse {})
}
