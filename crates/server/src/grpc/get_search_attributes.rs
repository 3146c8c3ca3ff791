//! GetSearchAttributes: all names of all namespaces, which a legacy client asks for without one.

use engine::search_attributes;
use proto::temporal::api::workflowservice::v1::{
    GetSearchAttributesRequest, GetSearchAttributesResponse,
};

use super::Server;
use super::call::Call;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    _: Call<GetSearchAttributesRequest>,
) -> Result<GetSearchAttributesResponse, WireError> {
    let system = search_attributes::system_attributes()
        .map(|(name, kind)| (name.to_owned(), kind.to_wire().into()));
    let all = server.namespaces.all();
    let custom = all
        .iter()
        .flat_map(|entry| entry.record.search_attributes.clone());
    Ok(GetSearchAttributesResponse {
        keys: custom.chain(system).collect(),
    })
}
