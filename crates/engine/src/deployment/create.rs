//! CreateWorkerDeployment and CreateWorkerDeploymentVersion: without waiting for a poller.

use proto::temporal::api::enums::v1::WorkerDeploymentVersionStatus as Status;

use super::{DEPLOYMENTS_MAX, Deployment, DeploymentVersion, Surroundings, VERSIONS_MAX, Version};
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// Whether a namespace with so many deployments may have another.
///
/// # Errors
/// RESOURCE_EXHAUSTED.
pub fn check_room(deployment_count: usize) -> Result<(), Rejection> {
    if deployment_count < DEPLOYMENTS_MAX {
        return Ok(());
    }
    Err(Rejection::WorkerDeploymentLimit(format!(
        "reached maximum deployments in namespace ({DEPLOYMENTS_MAX})"
    )))
}

/// What a second request for the same deployment hears.
pub fn already_exists(existing: &Deployment) -> Rejection {
    let by_poller = if existing.create_request_id.is_empty() {
        " (auto-created from worker polls)"
    } else {
        ""
    };
    Rejection::AlreadyExists(format!(
        "Worker Deployment with name \"{}\" already exists{by_poller}",
        existing.name
    ))
}

impl Deployment {
    /// A deployment without versions; the request id is empty when a poller asks.
    pub fn create(name: &str, request_id: &str, identity: &str, now: Timestamp) -> Self {
        let mut created = Self {
            name: name.to_owned(),
            create_time: Some(now.to_proto()),
            create_request_id: request_id.to_owned(),
            last_modifier_identity: identity.to_owned(),
            ..Self::default()
        };
        created.routing = Some(created.routing_config());
        created.renew_token(now);
        created
    }

    /// Adds a version that no worker has polled for yet. A repeat of the same request changes nothing.
    ///
    /// # Errors
    /// ALREADY_EXISTS, RESOURCE_EXHAUSTED.
    pub fn create_version(
        &mut self,
        build_id: &str,
        request_id: &str,
        identity: &str,
        around: Surroundings<'_>,
    ) -> Result<(), Rejection> {
        if let Some(existing) = self.version(build_id) {
            if existing.create_request_id == request_id {
                return Ok(());
            }
            let name = Version::new(&self.name, build_id).dotted();
            return Err(Rejection::AlreadyExists(format!(
                "Worker Deployment Version \"{name}\" already exists"
            )));
        }
        let version = self.add_version(build_id, Status::Created, around)?;
        version.create_request_id = request_id.to_owned();
        version.last_modifier_identity = identity.to_owned();
        Ok(())
    }

    /// Adds a version; when there are too many, the oldest that may go makes room.
    pub(super) fn add_version(
        &mut self,
        build_id: &str,
        status: Status,
        around: Surroundings<'_>,
    ) -> Result<&mut DeploymentVersion, Rejection> {
        if self.versions.len() >= VERSIONS_MAX && !self.make_room(around) {
            let name = Version::new(&self.name, build_id).dotted();
            return Err(Rejection::WorkerDeploymentLimit(format!(
                "cannot add version {name} since maximum number of versions ({VERSIONS_MAX}) \
                 have been registered in the deployment"
            )));
        }
        self.versions.push(DeploymentVersion {
            build_id: build_id.to_owned(),
            status: status.into(),
            create_time: Some(around.now.to_proto()),
            ..DeploymentVersion::default()
        });
        self.version_mut(build_id)
    }
}
