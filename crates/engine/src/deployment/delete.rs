//! DeleteWorkerDeploymentVersion and DeleteWorkerDeployment.

use proto::temporal::api::enums::v1::WorkerDeploymentVersionStatus as Status;

use super::{Deployment, Surroundings};
use crate::rejection::Rejection;

/// The request.
#[derive(Clone, Debug, Default)]
pub struct DeleteVersion {
    /// Of the version.
    pub build_id: String,
    /// Also while workflows are pinned to it.
    pub skip_drainage: bool,
    /// Who asks.
    pub identity: String,
}

impl Deployment {
    /// Forgets a version. One that is not there is as good as deleted.
    ///
    /// # Errors
    /// FAILED_PRECONDITION.
    pub fn delete_version(
        &mut self,
        ask: &DeleteVersion,
        around: Surroundings<'_>,
    ) -> Result<(), Rejection> {
        if self.version(&ask.build_id).is_none() {
            return Ok(());
        }
        self.may_delete(
            &ask.build_id,
            ask.skip_drainage,
            Some(&ask.identity),
            around,
        )?;
        self.versions.retain(|v| v.build_id != ask.build_id);
        self.last_modifier_identity.clone_from(&ask.identity);
        Ok(())
    }

    /// Whether the deployment may be deleted.
    ///
    /// # Errors
    /// FAILED_PRECONDITION.
    pub fn check_deletable(&self) -> Result<(), Rejection> {
        if self.versions.is_empty() {
            return Ok(());
        }
        Err(Rejection::FailedPrecondition(
            "deployment has versions, can't be deleted".into(),
        ))
    }

    /// Deletes the oldest version that may go; false when none may.
    pub(super) fn make_room(&mut self, around: Surroundings<'_>) -> bool {
        let deletable = |v: &super::DeploymentVersion| {
            self.may_delete(&v.build_id, false, None, around).is_ok()
        };
        let Some(index) = self.versions.iter().position(deletable) else {
            return false;
        };
        self.versions.remove(index);
        true
    }

    fn may_delete(
        &self,
        build_id: &str,
        skip_drainage: bool,
        identity: Option<&str>,
        around: Surroundings<'_>,
    ) -> Result<(), Rejection> {
        let Some(version) = self.version(build_id) else {
            return Ok(());
        };
        let name = self.name_of(version);
        let refused = |why: &str| {
            Err(Rejection::FailedPrecondition(format!(
                "version '{name}' cannot be deleted since it {why}"
            )))
        };
        if self.current().as_ref() == Some(&name) || self.ramping().as_ref() == Some(&name) {
            return refused("is current or ramping");
        }
        if let Some(identity) = identity {
            self.check_manager(identity)?;
        }
        if !skip_drainage && version.status() == Status::Draining {
            return refused("is draining");
        }
        if version
            .task_queues
            .iter()
            .any(|q| (around.has_pollers)(&name, q))
        {
            return refused("has active pollers");
        }
        Ok(())
    }
}
