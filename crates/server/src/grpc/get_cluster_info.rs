//! GetClusterInfo.

use proto::temporal::api::workflowservice::v1::{GetClusterInfoRequest, GetClusterInfoResponse};

use super::Server;
use super::call::{Call, SERVER_VERSION, SUPPORTED_CLIENTS};
use crate::error::WireError;

/// The name of the only cluster there is.
pub(super) const CLUSTER_NAME: &str = "active";
/// History shards, as the reference counts them. Ours are no fixed number.
pub(super) const HISTORY_SHARD_COUNT: i32 = 1;
/// What the store calls itself.
const STORE: &str = "sqlite";

pub(super) async fn handle(
    server: Server,
    _: Call<GetClusterInfoRequest>,
) -> Result<GetClusterInfoResponse, WireError> {
    let clients = SUPPORTED_CLIENTS.into_iter();
    Ok(GetClusterInfoResponse {
        supported_clients: clients
            .map(|(name, range)| (name.to_owned(), range.to_owned()))
            .collect(),
        server_version: SERVER_VERSION.to_owned(),
        cluster_id: server.namespaces.cluster_id().to_owned(),
        version_info: None,
        cluster_name: CLUSTER_NAME.to_owned(),
        history_shard_count: HISTORY_SHARD_COUNT,
        persistence_store: STORE.to_owned(),
        visibility_store: STORE.to_owned(),
        initial_failover_version: 1,
        failover_version_increment: 10,
    })
}
