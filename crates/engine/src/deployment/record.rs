//! A deployment as it is stored, and the change of routing that every verb with an effect on it makes.

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::deployment::v1::{RoutingConfig, VersionDrainageInfo, VersionMetadata};
use proto::temporal::api::enums::v1::{
    TaskQueueType, VersionDrainageStatus, WorkerDeploymentVersionStatus as Status,
};

use super::{UNVERSIONED, Version, version_not_found};
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// A worker deployment.
#[derive(Clone, PartialEq, Message)]
pub struct Deployment {
    /// Unique in its namespace.
    #[prost(string, tag = "1")]
    pub name: String,
    /// When it came to exist.
    #[prost(message, optional, tag = "2")]
    pub create_time: Option<proto::Timestamp>,
    /// Current and ramping version, with both spellings of their names.
    #[prost(message, optional, tag = "3")]
    pub routing: Option<RoutingConfig>,
    /// In the order in which they came.
    #[prost(message, repeated, tag = "4")]
    pub versions: Vec<DeploymentVersion>,
    /// Differs after each change of routing or manager; big-endian.
    #[prost(bytes = "bytes", tag = "5")]
    pub conflict_token: Bytes,
    /// The only one who may change the routing, if set.
    #[prost(string, tag = "6")]
    pub manager_identity: String,
    /// Who changed it last.
    #[prost(string, tag = "7")]
    pub last_modifier_identity: String,
    /// The request that created it; empty when a poller did.
    #[prost(string, tag = "8")]
    pub create_request_id: String,
}

/// One version of a deployment.
#[derive(Clone, PartialEq, Message)]
pub struct DeploymentVersion {
    /// Unique in its deployment.
    #[prost(string, tag = "1")]
    pub build_id: String,
    /// As on the wire.
    #[prost(enumeration = "Status", tag = "2")]
    pub status: i32,
    /// When it came to exist.
    #[prost(message, optional, tag = "3")]
    pub create_time: Option<proto::Timestamp>,
    /// When routing last changed for it.
    #[prost(message, optional, tag = "4")]
    pub routing_update_time: Option<proto::Timestamp>,
    /// Set while it is current.
    #[prost(message, optional, tag = "5")]
    pub current_since_time: Option<proto::Timestamp>,
    /// Set while it is ramping.
    #[prost(message, optional, tag = "6")]
    pub ramping_since_time: Option<proto::Timestamp>,
    /// Of the workflows that are not pinned, while it is ramping.
    #[prost(float, tag = "7")]
    pub ramp_percentage: f32,
    /// When it first became current or ramping.
    #[prost(message, optional, tag = "8")]
    pub first_activation_time: Option<proto::Timestamp>,
    /// When it last became current.
    #[prost(message, optional, tag = "9")]
    pub last_current_time: Option<proto::Timestamp>,
    /// When it ceased to be current or ramping, unless it is again.
    #[prost(message, optional, tag = "10")]
    pub last_deactivation_time: Option<proto::Timestamp>,
    /// Set while it drains, and after.
    #[prost(message, optional, tag = "11")]
    pub drainage: Option<VersionDrainageInfo>,
    /// The queues that its workers have polled.
    #[prost(message, repeated, tag = "12")]
    pub task_queues: Vec<TaskQueue>,
    /// The users' own.
    #[prost(message, optional, tag = "13")]
    pub metadata: Option<VersionMetadata>,
    /// Who changed it last.
    #[prost(string, tag = "14")]
    pub last_modifier_identity: String,
    /// The request that created it; empty when a poller did.
    #[prost(string, tag = "15")]
    pub create_request_id: String,
}

/// A task queue of one kind.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TaskQueue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// As on the wire.
    #[prost(enumeration = "TaskQueueType", tag = "2")]
    pub kind: i32,
}

impl Deployment {
    /// The current version.
    pub fn current(&self) -> Option<Version> {
        let routing = self.routing.as_ref()?;
        Version::from_wire(routing.current_deployment_version.as_ref())
    }

    /// The ramping version; none also while "no version" ramps.
    pub fn ramping(&self) -> Option<Version> {
        let routing = self.routing.as_ref()?;
        Version::from_wire(routing.ramping_deployment_version.as_ref())
    }

    /// One of its versions.
    pub fn version(&self, build_id: &str) -> Option<&DeploymentVersion> {
        self.versions.iter().find(|v| v.build_id == build_id)
    }

    pub(super) fn version_mut(
        &mut self,
        build_id: &str,
    ) -> Result<&mut DeploymentVersion, Rejection> {
        let found = self.versions.iter_mut().find(|v| v.build_id == build_id);
        found.ok_or_else(|| version_not_found(build_id, &self.name))
    }

    pub(super) fn routing_config(&self) -> RoutingConfig {
        self.routing.clone().unwrap_or_else(|| RoutingConfig {
            current_version: UNVERSIONED.to_owned(),
            ..RoutingConfig::default()
        })
    }

    pub(super) fn name_of(&self, version: &DeploymentVersion) -> Version {
        Version::new(&self.name, &version.build_id)
    }

    /// A token that differs from all before.
    pub(super) fn renew_token(&mut self, now: Timestamp) {
        let last = <[u8; 8]>::try_from(self.conflict_token.as_ref()).map_or(0, i64::from_be_bytes);
        let next = now.0.max(last.saturating_add(1));
        self.conflict_token = Bytes::copy_from_slice(&next.to_be_bytes());
    }

    pub(super) fn check_token(&self, token: &[u8]) -> Result<(), Rejection> {
        if token.is_empty() || token == self.conflict_token.as_ref() {
            return Ok(());
        }
        Err(Rejection::FailedPrecondition(
            "conflict token mismatch".into(),
        ))
    }

    pub(super) fn check_manager(&self, identity: &str) -> Result<(), Rejection> {
        let manager = &self.manager_identity;
        if manager.is_empty() || manager == identity {
            return Ok(());
        }
        Err(Rejection::FailedPrecondition(format!(
            "ManagerIdentity '{manager}' is set and does not match user identity '{identity}'; \
             to proceed, set your own identity as the ManagerIdentity, remove the ManagerIdentity, \
             or wait for the other client to do so"
        )))
    }

    /// Puts new routing into force: versions become current, ramping or draining by it.
    pub(super) fn take_routing(&mut self, mut routing: RoutingConfig, now: Timestamp) {
        routing.revision_number += 1;
        let current = Version::from_wire(routing.current_deployment_version.as_ref());
        let ramping = Version::from_wire(routing.ramping_deployment_version.as_ref());
        let is = |version: &Option<Version>, build_id: &str| {
            version.as_ref().is_some_and(|v| *v.build_id == *build_id)
        };
        for version in &mut self.versions {
            let was_active =
                version.current_since_time.is_some() || version.ramping_since_time.is_some();
            if is(&current, &version.build_id) {
                let since = routing.current_version_changed_time;
                version.activate(Status::Current, since);
                version.current_since_time = since;
                version.last_current_time = since;
            } else if is(&ramping, &version.build_id) {
                version.activate(
                    Status::Ramping,
                    routing.ramping_version_percentage_changed_time,
                );
                version.ramping_since_time = routing.ramping_version_changed_time;
                version.ramp_percentage = routing.ramping_version_percentage;
            } else if was_active {
                version.drain(now);
            }
        }
        self.routing = Some(routing);
    }
}

impl DeploymentVersion {
    fn activate(&mut self, status: Status, at: Option<proto::Timestamp>) {
        self.status = status.into();
        self.routing_update_time = at;
        self.current_since_time = None;
        self.ramping_since_time = None;
        self.ramp_percentage = 0.0;
        self.first_activation_time = self.first_activation_time.or(at);
        self.last_deactivation_time = None;
        self.drainage = None;
    }

    /// It takes no new workflows any more; those that are pinned to it go on.
    fn drain(&mut self, now: Timestamp) {
        let at = Some(now.to_proto());
        self.status = Status::Draining.into();
        self.routing_update_time = at;
        self.current_since_time = None;
        self.ramping_since_time = None;
        self.ramp_percentage = 0.0;
        self.last_deactivation_time = at;
        self.start_drainage(now);
    }

    pub(super) fn start_drainage(&mut self, now: Timestamp) {
        let at = Some(now.to_proto());
        self.status = Status::Draining.into();
        self.drainage = Some(VersionDrainageInfo {
            status: VersionDrainageStatus::Draining.into(),
            last_changed_time: at,
            last_checked_time: at,
        });
    }

    /// Whether its workers have polled this queue.
    pub fn has_queue(&self, queue: &TaskQueue) -> bool {
        self.task_queues.contains(queue)
    }
}
