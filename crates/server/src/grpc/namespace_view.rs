//! How a namespace looks on the wire.

use engine::limits::Limits;
use engine::time::wire;
use proto::temporal::api::enums::v1::{ArchivalState, NamespaceState, ReplicationState};
use proto::temporal::api::namespace::v1::{
    BadBinaries, NamespaceConfig, NamespaceInfo, namespace_info,
};
use proto::temporal::api::replication::v1::{ClusterReplicationConfig, NamespaceReplicationConfig};
use proto::temporal::api::workflowservice::v1::DescribeNamespaceResponse;
use uuid::Uuid;

use super::get_cluster_info::CLUSTER_NAME;
use crate::error::WireError;
use crate::namespaces::{ChangeError, Record};

/// The shortest retention.
const RETENTION_MIN: std::time::Duration = std::time::Duration::from_secs(3600);

/// A state as messages name it.
pub(super) fn state_name(state: NamespaceState) -> &'static str {
    match state {
        NamespaceState::Unspecified => "Unspecified",
        NamespaceState::Registered => "Registered",
        NamespaceState::Deprecated => "Deprecated",
        NamespaceState::Deleted => "Deleted",
    }
}

pub(super) fn info(record: &Record, limits: &Limits) -> NamespaceInfo {
    let size = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    NamespaceInfo {
        name: record.name.clone(),
        state: record.state,
        description: record.description.clone(),
        owner_email: record.owner_email.clone(),
        data: record.data.clone(),
        id: Uuid::from_slice(&record.id).unwrap_or_default().to_string(),
        // What is not served is not claimed: clients look here before they use it.
        capabilities: Some(namespace_info::Capabilities {
            eager_workflow_start: true,
            sync_update: true,
            async_update: true,
            worker_heartbeats: true,
            workflow_pause: true,
            reported_problems_search_attribute: true,
            poller_autoscaling: true,
            workflow_update_callbacks: true,
            standalone_activities: true,
            standalone_activity_start_delay: true,
            standalone_activity_batch_operations: true,
            standalone_activity_operator_commands: true,
            standalone_nexus_operation: true,
            worker_poll_complete_on_shutdown: true,
            workflow_task_completion_pagination: limits.completion_pages_enabled,
            ..Default::default()
        }),
        limits: Some(namespace_info::Limits {
            blob_size_limit_error: size(limits.blob_size_error),
            memo_size_limit_error: size(limits.memo_size_error),
            workflow_task_completion_size_limit_error: size(limits.completion_size_max),
        }),
        supports_schedules: true,
    }
}

pub(super) fn config(record: &Record) -> NamespaceConfig {
    // There is no second set of names: each attribute stands for itself.
    let aliases = record
        .search_attributes
        .keys()
        .map(|name| (name.clone(), name.clone()));
    NamespaceConfig {
        workflow_execution_retention_ttl: Some(wire(std::time::Duration::from_secs(
            record.retention_s,
        ))),
        bad_binaries: Some(BadBinaries {
            binaries: record.bad_binaries.clone(),
        }),
        history_archival_state: ArchivalState::Disabled.into(),
        visibility_archival_state: ArchivalState::Disabled.into(),
        custom_search_attribute_aliases: aliases.collect(),
        ..Default::default()
    }
}

pub(super) fn replication() -> NamespaceReplicationConfig {
    NamespaceReplicationConfig {
        active_cluster_name: CLUSTER_NAME.to_owned(),
        clusters: vec![ClusterReplicationConfig {
            cluster_name: CLUSTER_NAME.to_owned(),
            ..Default::default()
        }],
        state: ReplicationState::Normal.into(),
    }
}

/// Whether a namespace may be where a request wants it: there is one cluster, and all namespaces are local to it.
pub(super) fn check_clusters<'a>(
    active: &'a str,
    clusters: impl IntoIterator<Item = &'a ClusterReplicationConfig>,
) -> Result<(), WireError> {
    let clusters: Vec<&str> = clusters
        .into_iter()
        .map(|cluster| cluster.cluster_name.as_str())
        .collect();
    let mut named = clusters
        .iter()
        .chain((!active.is_empty()).then_some(&active));
    if let Some(name) = named.find(|name| **name != CLUSTER_NAME) {
        return Err(WireError::invalid(format!("Invalid cluster name: {name}")));
    }
    if clusters.len() > 1 {
        return Err(WireError::invalid("Invalid local namespace clusters"));
    }
    Ok(())
}

/// The whole description.
pub(super) fn describe(record: &Record, limits: &Limits) -> DescribeNamespaceResponse {
    DescribeNamespaceResponse {
        namespace_info: Some(info(record, limits)),
        config: Some(config(record)),
        replication_config: Some(replication()),
        ..Default::default()
    }
}

/// A retention that was asked for, in seconds.
pub(super) fn retention_s(asked: Option<&proto::Duration>) -> Result<u64, WireError> {
    let refused = || WireError::invalid("A valid retention period is not set on request.");
    let retention = engine::retry::timeouts::capped(asked).map_err(|_| refused())?;
    if retention < RETENTION_MIN {
        Err(refused())
    } else {
        Ok(retention.as_secs())
    }
}

/// The name of a namespace that a request is about.
pub(super) fn required(name: &str) -> Result<&str, WireError> {
    if name.is_empty() {
        Err(WireError::invalid("Namespace not set on request."))
    } else {
        Ok(name)
    }
}

impl From<ChangeError> for WireError {
    fn from(error: ChangeError) -> Self {
        use proto::temporal::api::errordetails::v1::NamespaceAlreadyExistsFailure;
        let message = error.to_string();
        match error {
            ChangeError::AlreadyExists(_) => Self::new(tonic::Code::AlreadyExists, message)
                .with(&NamespaceAlreadyExistsFailure {}),
            ChangeError::NotFound(name) => Self::namespace_not_found(&name),
            ChangeError::Store(error) => error.into(),
        }
    }
}
