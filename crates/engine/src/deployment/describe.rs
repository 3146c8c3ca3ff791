//! Deployments and versions as the wire shows them.

use proto::temporal::api::deployment::v1::worker_deployment_info::WorkerDeploymentVersionSummary;
use proto::temporal::api::deployment::v1::worker_deployment_version_info::VersionTaskQueueInfo;
use proto::temporal::api::deployment::v1::{WorkerDeploymentInfo, WorkerDeploymentVersionInfo};
use proto::temporal::api::enums::v1::RoutingConfigUpdateState;
use proto::temporal::api::workflowservice::v1::list_worker_deployments_response::WorkerDeploymentSummary;

use super::{Deployment, DeploymentVersion};

impl Deployment {
    /// DescribeWorkerDeployment; the newest version first.
    pub fn info(&self) -> WorkerDeploymentInfo {
        WorkerDeploymentInfo {
            name: self.name.clone(),
            version_summaries: self
                .versions
                .iter()
                .rev()
                .map(|v| self.summary(v))
                .collect(),
            create_time: self.create_time,
            routing_config: Some(self.routing_config()),
            last_modifier_identity: self.last_modifier_identity.clone(),
            manager_identity: self.manager_identity.clone(),
            routing_config_update_state: RoutingConfigUpdateState::Completed.into(),
        }
    }

    /// ListWorkerDeployments.
    pub fn list_entry(&self) -> WorkerDeploymentSummary {
        let shown = |build_id: &str| self.version(build_id).map(|v| self.summary(v));
        WorkerDeploymentSummary {
            name: self.name.clone(),
            create_time: self.create_time,
            routing_config: Some(self.routing_config()),
            latest_version_summary: self.versions.last().map(|v| self.summary(v)),
            current_version_summary: self.current().and_then(|v| shown(&v.build_id)),
            ramping_version_summary: self.ramping().and_then(|v| shown(&v.build_id)),
        }
    }

    /// DescribeWorkerDeploymentVersion.
    pub fn version_info(&self, version: &DeploymentVersion) -> WorkerDeploymentVersionInfo {
        let name = self.name_of(version);
        let queues = version
            .task_queues
            .iter()
            .map(|queue| VersionTaskQueueInfo {
                name: queue.name.clone(),
                r#type: queue.kind,
            });
        WorkerDeploymentVersionInfo {
            version: name.dotted(),
            status: version.status,
            deployment_version: Some(name.to_wire()),
            create_time: version.create_time,
            routing_changed_time: version.routing_update_time,
            current_since_time: version.current_since_time,
            ramping_since_time: version.ramping_since_time,
            ramp_percentage: version.ramp_percentage,
            task_queue_infos: queues.collect(),
            drainage_info: version.drainage,
            metadata: version.metadata.clone(),
            last_modifier_identity: version.last_modifier_identity.clone(),
            ..WorkerDeploymentVersionInfo::default()
        }
    }

    fn summary(&self, version: &DeploymentVersion) -> WorkerDeploymentVersionSummary {
        let name = self.name_of(version);
        WorkerDeploymentVersionSummary {
            version: name.dotted(),
            status: version.status,
            deployment_version: Some(name.to_wire()),
            create_time: version.create_time,
            drainage_status: version.drainage.map_or(0, |info| info.status),
            drainage_info: version.drainage,
            current_since_time: version.current_since_time,
            ramping_since_time: version.ramping_since_time,
            routing_update_time: version.routing_update_time,
            first_activation_time: version.first_activation_time,
            last_current_time: version.last_current_time,
            last_deactivation_time: version.last_deactivation_time,
            ..WorkerDeploymentVersionSummary::default()
        }
    }
}
