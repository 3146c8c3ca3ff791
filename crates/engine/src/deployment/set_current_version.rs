//! SetWorkerDeploymentCurrentVersion.

use proto::temporal::api::enums::v1::WorkerDeploymentVersionStatus as Status;

use super::{Deployment, Surroundings, UNVERSIONED, Version, version_not_found};
use crate::rejection::Rejection;

/// The request.
#[derive(Clone, Debug, Default)]
pub struct SetCurrentVersion {
    /// None: no version.
    pub version: Option<Version>,
    /// Who asks.
    pub identity: String,
    /// Also when queues of the version before would be left without workers.
    pub ignore_missing_task_queues: bool,
    /// When not empty, the deployment's token must be this one.
    pub conflict_token: Vec<u8>,
    /// Also for a version that no worker has polled for.
    pub allow_no_pollers: bool,
}

impl Deployment {
    /// Chooses the version of new workflows, and of those that move with the deployment. Gives the
    /// version before, in the older spelling.
    ///
    /// # Errors
    /// NOT_FOUND, FAILED_PRECONDITION, RESOURCE_EXHAUSTED.
    pub fn set_current_version(
        &mut self,
        ask: &SetCurrentVersion,
        around: Surroundings<'_>,
    ) -> Result<String, Rejection> {
        let wanted = Version::dotted_or_unversioned(ask.version.as_ref());
        let mut routing = self.routing_config();
        let before = routing.current_version.clone();
        if before == wanted && self.last_modifier_identity == ask.identity {
            return Ok(wanted);
        }
        self.check_token(&ask.conflict_token)?;
        let unknown = |version: &&Version| self.version(&version.build_id).is_none();
        let unknown = ask.version.as_ref().filter(unknown);
        if let Some(version) = unknown.filter(|_| !ask.allow_no_pollers) {
            return Err(version_not_found(&version.build_id, &self.name));
        }
        self.check_manager(&ask.identity)?;
        if let Some(version) = unknown {
            self.add_version(&version.build_id, Status::Inactive, around)?;
        }
        if let Some(version) = &ask.version
            && !ask.ignore_missing_task_queues
            && self.lacks_queues(version, around)
        {
            return Err(Rejection::FailedPrecondition(format!(
                "proposed current version '{version}' is missing active task queues from the \
                 current version; these would become unversioned if it is set as the current version"
            )));
        }
        if before != wanted {
            let at = Some(around.now.to_proto());
            if routing.ramping_version == wanted {
                routing.ramping_version.clear();
                routing.ramping_deployment_version = None;
                routing.ramping_version_percentage = 0.0;
                routing.ramping_version_changed_time = at;
                routing.ramping_version_percentage_changed_time = at;
            }
            routing.current_version = wanted;
            routing.current_deployment_version = ask.version.as_ref().map(Version::to_wire);
            routing.current_version_changed_time = at;
            self.take_routing(routing, around.now);
        }
        self.renew_token(around.now);
        self.last_modifier_identity.clone_from(&ask.identity);
        Ok(before)
    }

    /// Whether the current version has queues with work that a proposed one has not, and that have
    /// not moved to another deployment.
    pub(super) fn lacks_queues(&self, proposed: &Version, around: Surroundings<'_>) -> bool {
        let Some(current) = self.current().filter(|current| current != proposed) else {
            return false;
        };
        let proposed = self.version(&proposed.build_id);
        let queues = self.version(&current.build_id).map(|v| &v.task_queues);
        queues.into_iter().flatten().any(|queue| {
            !proposed.is_some_and(|version| version.has_queue(queue))
                && around.routing.current(queue.kind(), &queue.name) == Some(&current)
                && (around.has_work)(&current, queue)
        })
    }

    /// Whether the deployment routes anything at all.
    pub fn is_routed(&self) -> bool {
        let routing = self.routing_config();
        routing.current_version != UNVERSIONED || !routing.ramping_version.is_empty()
    }
}
