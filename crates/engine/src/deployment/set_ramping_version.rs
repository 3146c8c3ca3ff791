//! SetWorkerDeploymentRampingVersion.

use proto::temporal::api::enums::v1::WorkerDeploymentVersionStatus as Status;

use super::{Deployment, Surroundings, UNVERSIONED, Version, version_not_found};
use crate::rejection::Rejection;

/// What ramps.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Ramp {
    /// Nothing.
    #[default]
    Unset,
    /// Workers without a version.
    Unversioned,
    /// A version.
    To(Version),
}

impl Ramp {
    fn text(&self) -> String {
        match self {
            Self::Unset => String::new(),
            Self::Unversioned => UNVERSIONED.to_owned(),
            Self::To(version) => version.dotted(),
        }
    }
}

/// The request.
#[derive(Clone, Debug, Default)]
pub struct SetRampingVersion {
    /// What is to ramp.
    pub ramp: Ramp,
    /// The share of workflows that go there, 0 to 100.
    pub percentage: f32,
    /// Who asks.
    pub identity: String,
    /// Also when queues of the current version would be left without workers.
    pub ignore_missing_task_queues: bool,
    /// When not empty, the deployment's token must be this one.
    pub conflict_token: Vec<u8>,
    /// Also for a version that no worker has polled for.
    pub allow_no_pollers: bool,
}

impl Deployment {
    /// Chooses the version that takes a share of the workflows. Gives the ramp before: its version
    /// in the older spelling, and its percentage.
    ///
    /// # Errors
    /// NOT_FOUND, FAILED_PRECONDITION, RESOURCE_EXHAUSTED.
    pub fn set_ramping_version(
        &mut self,
        ask: &SetRampingVersion,
        around: Surroundings<'_>,
    ) -> Result<(String, f32), Rejection> {
        let wanted = ask.ramp.text();
        let mut routing = self.routing_config();
        let before = (
            routing.ramping_version.clone(),
            routing.ramping_version_percentage,
        );
        let no_change = before.0 == wanted && before.1 == ask.percentage;
        if no_change && self.last_modifier_identity == ask.identity {
            return Ok(before);
        }
        self.check_token(&ask.conflict_token)?;
        let unversioned_at_zero = wanted == UNVERSIONED && ask.percentage == 0.0;
        if wanted == routing.current_version && !unversioned_at_zero {
            return Err(Rejection::FailedPrecondition(format!(
                "requested ramping version {wanted} is already current"
            )));
        }
        let version = match &ask.ramp {
            Ramp::To(version) => Some(version.clone()),
            Ramp::Unset | Ramp::Unversioned => None,
        };
        let unknown = |version: &&Version| self.version(&version.build_id).is_none();
        let unknown = version.as_ref().filter(unknown);
        if let Some(version) = unknown.filter(|_| !ask.allow_no_pollers) {
            return Err(version_not_found(&version.build_id, &self.name));
        }
        self.check_manager(&ask.identity)?;
        if let Some(version) = unknown {
            self.add_version(&version.build_id, Status::Inactive, around)?;
        }
        if let Some(version) = version.as_ref().filter(|_| before.0 != wanted)
            && !ask.ignore_missing_task_queues
            && self.lacks_queues(version, around)
        {
            return Err(Rejection::FailedPrecondition(format!(
                "proposed ramping version '{version}' is missing active task queues from the \
                 current version; these would become unversioned if it is set as the ramping version"
            )));
        }
        if !no_change {
            let at = Some(around.now.to_proto());
            if before.0 != wanted {
                routing.ramping_version_changed_time = at;
            }
            routing.ramping_version = wanted;
            routing.ramping_deployment_version = version.as_ref().map(Version::to_wire);
            routing.ramping_version_percentage = ask.percentage;
            routing.ramping_version_percentage_changed_time = at;
            self.take_routing(routing, around.now);
        }
        self.renew_token(around.now);
        self.last_modifier_identity.clone_from(&ask.identity);
        Ok(before)
    }
}
