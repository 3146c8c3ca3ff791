//! OperatorService: search attributes, deletion of namespaces, clusters.

use std::collections::BTreeMap;

use engine::search_attributes;
use proto::temporal::api::enums::v1::NamespaceState;
use proto::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, AddSearchAttributesResponse, ClusterMetadata,
    DeleteNamespaceRequest, DeleteNamespaceResponse, ListClustersRequest, ListClustersResponse,
    ListSearchAttributesRequest, ListSearchAttributesResponse, RemoveSearchAttributesRequest,
    RemoveSearchAttributesResponse,
};
use uuid::Uuid;

use super::call::Call;
use super::get_cluster_info::{CLUSTER_NAME, HISTORY_SHARD_COUNT};
use super::{Frontend, Server, validate};
use crate::error::WireError;
use crate::namespaces::SYSTEM_NAMESPACE;

pub(super) async fn add_search_attributes(
    server: Server,
    call: Call<AddSearchAttributesRequest>,
) -> Result<AddSearchAttributesResponse, WireError> {
    let AddSearchAttributesRequest {
        search_attributes: wanted,
        namespace,
    } = call.request;
    let namespace = having(&server, &namespace, !wanted.is_empty())?;
    for (name, kind) in &wanted {
        search_attributes::check_definition(name, *kind)
            .map_err(|error| WireError::invalid(error.to_string()))?;
    }
    let add = |known: &mut BTreeMap<String, i32>| {
        for (name, kind) in wanted {
            // One that is there stays as it is: its values have its type.
            known.entry(name).or_insert(kind);
        }
    };
    server
        .namespaces
        .change(namespace, |record| add(&mut record.search_attributes))
        .await?;
    Ok(AddSearchAttributesResponse {})
}

pub(super) async fn remove_search_attributes(
    server: Server,
    call: Call<RemoveSearchAttributesRequest>,
) -> Result<RemoveSearchAttributesResponse, WireError> {
    let RemoveSearchAttributesRequest {
        search_attributes: unwanted,
        namespace,
    } = call.request;
    let namespace = having(&server, &namespace, !unwanted.is_empty())?;
    if let Some(name) = unwanted
        .iter()
        .find(|name| search_attributes::is_reserved(name))
    {
        let text = format!("Unable to remove non-custom search attributes: {name}.");
        return Err(WireError::invalid(text));
    }
    let change = server.namespaces.change(namespace, |record| {
        record
            .search_attributes
            .retain(|name, _| !unwanted.contains(name));
    });
    change.await?;
    Ok(RemoveSearchAttributesResponse {})
}

pub(super) async fn list_search_attributes(
    server: Server,
    call: Call<ListSearchAttributesRequest>,
) -> Result<ListSearchAttributesResponse, WireError> {
    let entry = server.namespace(required(&call.request.namespace)?)?;
    let system = search_attributes::system_attributes();
    Ok(ListSearchAttributesResponse {
        custom_attributes: entry.record.search_attributes.clone(),
        system_attributes: system
            .map(|(name, kind)| (name.to_owned(), kind.to_wire().into()))
            .collect(),
        storage_schema: BTreeMap::new(),
    })
}

/// The namespace of a request that must have some attributes.
fn having<'n>(server: &Frontend, name: &'n str, some: bool) -> Result<&'n str, WireError> {
    if !name.is_empty() {
        server.namespace(name)?;
    }
    if !some {
        return Err(WireError::invalid(
            "SearchAttributes are not set on request.",
        ));
    }
    required(name)
}

fn required(namespace: &str) -> Result<&str, WireError> {
    match namespace {
        "" => Err(WireError::invalid("Namespace is not set on request.")),
        name => Ok(name),
    }
}

/// The namespace is renamed at once, so that its name is free; its runs go in the background.
pub(super) async fn delete_namespace(
    server: Server,
    call: Call<DeleteNamespaceRequest>,
) -> Result<DeleteNamespaceResponse, WireError> {
    let name = name_to_delete(&server, call.request)?;
    if name == SYSTEM_NAMESPACE {
        return Err(WireError::failed_precondition(
            "unable to delete system namespace",
        ));
    }
    let entry = server.namespace(&name)?;
    if let Some(endpoint) = server.node.nexus.endpoints.targeting(entry.namespace.id) {
        return Err(WireError::failed_precondition(format!(
            "cannot delete a namespace that is a target of a Nexus endpoint {}",
            endpoint.name
        )));
    }
    let id = entry.namespace.id.to_string();
    let deleted_namespace = format!("{name}-deleted-{}", id.get(..5).unwrap_or_default());
    let change = server.namespaces.change(&name, |record| {
        record.name.clone_from(&deleted_namespace);
        record.set_state(NamespaceState::Deleted);
    });
    let entry = change.await?;
    let configs = &server.node.task_queue_configs;
    configs.remove_namespace(entry.namespace.id).await?;
    server.node.shards.delete_namespace(&entry.namespace);
    server
        .node
        .deployments
        .forget_namespace(entry.namespace.id)
        .await?;
    Ok(DeleteNamespaceResponse { deleted_namespace })
}

fn name_to_delete(server: &Frontend, request: DeleteNamespaceRequest) -> Result<String, WireError> {
    validate::length(
        &request.namespace,
        &server.limits,
        "Namespace length exceeds limit.",
    )?;
    match (request.namespace, request.namespace_id) {
        (name, id) if name.is_empty() && id.is_empty() => {
            Err(WireError::invalid("Namespace not set on request."))
        }
        (name, id) if id.is_empty() => Ok(name),
        (name, id) if name.is_empty() => {
            let entry = Uuid::parse_str(&id)
                .ok()
                .and_then(|id| server.namespaces.by_id(id));
            entry
                .map(|entry| entry.record.name.clone())
                .ok_or_else(|| WireError::namespace_not_found(&id))
        }
        _ => Err(WireError::invalid(
            "Only one of namespace name or Id should be set on request.",
        )),
    }
}

pub(super) async fn list_clusters(
    server: Server,
    _: Call<ListClustersRequest>,
) -> Result<ListClustersResponse, WireError> {
    let cluster = ClusterMetadata {
        cluster_name: CLUSTER_NAME.to_owned(),
        cluster_id: server.namespaces.cluster_id().to_owned(),
        address: server.address.to_string(),
        http_address: server.http_address.to_string(),
        initial_failover_version: 1,
        history_shard_count: HISTORY_SHARD_COUNT,
        is_connection_enabled: true,
        is_replication_enabled: false,
    };
    Ok(ListClustersResponse {
        clusters: vec![cluster],
        ..Default::default()
    })
}
