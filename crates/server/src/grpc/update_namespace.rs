//! UpdateNamespace.

use engine::time::Timestamp;
use proto::temporal::api::enums::v1::{NamespaceState, ReplicationState};
use proto::temporal::api::workflowservice::v1::{UpdateNamespaceRequest, UpdateNamespaceResponse};

use super::Server;
use super::call::Call;
use super::namespace_view::{check_clusters, config, info, replication, required, retention_s};
use crate::error::WireError;
use crate::namespaces::Record;

/// Worker binaries that a namespace may ban.
const BAD_BINARIES_MAX: usize = 10;

pub(super) async fn handle(
    server: Server,
    call: Call<UpdateNamespaceRequest>,
) -> Result<UpdateNamespaceResponse, WireError> {
    let request = call.request;
    let name = required(&request.namespace)?;
    let entry = server.namespace(name)?;
    if request.promote_namespace {
        return Err(WireError::invalid(format!(
            "global namespace is not enabled on this cluster, cannot update global namespace or \
             promote local namespace: {name}"
        )));
    }
    // Tried on a copy first: a refusal changes nothing.
    let mut changed = entry.record.clone();
    apply(&mut changed, &request, server.node.clock.now())?;
    let entry = server
        .namespaces
        .change(name, |record| *record = changed)
        .await?;
    Ok(UpdateNamespaceResponse {
        namespace_info: Some(info(&entry.record, &server.limits)),
        config: Some(config(&entry.record)),
        replication_config: Some(replication()),
        ..Default::default()
    })
}

fn apply(
    record: &mut Record,
    request: &UpdateNamespaceRequest,
    now: Timestamp,
) -> Result<(), WireError> {
    if let Some(update) = &request.update_info {
        if !update.description.is_empty() {
            record.description.clone_from(&update.description);
        }
        if !update.owner_email.is_empty() {
            record.owner_email.clone_from(&update.owner_email);
        }
        record.data.extend(update.data.clone());
        change_state(record, update.state)?;
    }
    if let Some(config) = &request.config {
        if let Some(retention) = &config.workflow_execution_retention_ttl
            && *retention != proto::Duration::default()
        {
            record.retention_s = retention_s(Some(retention))?;
        }
        for (checksum, given) in config.bad_binaries.iter().flat_map(|bad| &bad.binaries) {
            let mut bad = given.clone();
            bad.create_time = Some(now.to_proto());
            record.bad_binaries.insert(checksum.clone(), bad);
        }
        let count = record.bad_binaries.len();
        if count > BAD_BINARIES_MAX {
            return Err(WireError::invalid(format!(
                "Total resetBinaries cannot exceed the max limit: \
                 current: {count}, max: {BAD_BINARIES_MAX}"
            )));
        }
    }
    if let Some(wanted) = &request.replication_config {
        if wanted.state() == ReplicationState::Handover {
            return Err(WireError::invalid(
                "Handover can only be set for global namespace",
            ));
        }
        check_clusters(&wanted.active_cluster_name, &wanted.clusters)?;
    }
    let checksum = &request.delete_bad_binary;
    if !checksum.is_empty() && record.bad_binaries.remove(checksum).is_none() {
        let text = format!("Bad binary checksum {checksum} doesn't exists.");
        return Err(WireError::invalid(text));
    }
    Ok(())
}

fn change_state(record: &mut Record, wanted: i32) -> Result<(), WireError> {
    match (record.state(), NamespaceState::try_from(wanted)) {
        (_, Ok(NamespaceState::Unspecified)) => Ok(()),
        (now, Ok(wanted)) if now == wanted => Ok(()),
        (NamespaceState::Registered, Ok(wanted @ NamespaceState::Deprecated)) => {
            record.set_state(wanted);
            Ok(())
        }
        _ => Err(WireError::invalid("Invalid namespace state update.")),
    }
}
