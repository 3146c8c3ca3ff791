//! Drainage: a version that takes no new workflows is looked at from time to time until no open
//! workflow is pinned to it.

use std::time::Duration;

use proto::temporal::api::enums::v1::{
    VersionDrainageStatus as Drainage, WorkerDeploymentVersionStatus as Status,
};

use super::{Deployment, DeploymentVersion, Version};
use crate::time::Timestamp;

/// How long to wait between looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainagePace {
    /// Before the first: workflows that were just started must be in the lists by then.
    pub grace: Duration,
    /// Between later ones.
    pub interval: Duration,
}

impl Default for DrainagePace {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(3 * 60),
            interval: Duration::from_secs(3 * 60),
        }
    }
}

impl Deployment {
    /// The versions that drain, with the instant of the next look at each.
    pub fn draining(&self, pace: DrainagePace) -> Vec<(Version, Timestamp)> {
        let due = |version: &DeploymentVersion| {
            let info = version.drainage.as_ref()?;
            if info.status() != Drainage::Draining {
                return None;
            }
            let checked = Timestamp::from_proto(info.last_checked_time.as_ref()?);
            let first = info.last_checked_time == info.last_changed_time;
            let wait = if first { pace.grace } else { pace.interval };
            Some((self.name_of(version), checked.after(wait)))
        };
        self.versions.iter().filter_map(due).collect()
    }

    /// So many open workflows are pinned to a version. One that no longer drains is left alone.
    pub fn drainage_checked(&mut self, build_id: &str, pinned_count: i64, now: Timestamp) {
        let Ok(version) = self.version_mut(build_id) else {
            return;
        };
        let Some(info) = &mut version.drainage else {
            return;
        };
        if info.status() != Drainage::Draining {
            return;
        }
        info.last_checked_time = Some(now.to_proto());
        if pinned_count == 0 {
            info.status = Drainage::Drained.into();
            info.last_changed_time = Some(now.to_proto());
            version.status = Status::Drained.into();
        }
    }

    /// Whether a version is thought done.
    pub fn is_drained(&self, build_id: &str) -> bool {
        let status = self.version(build_id).map(DeploymentVersion::status);
        status == Some(Status::Drained)
    }

    /// Whether a version was thought done, or was never used.
    pub fn is_idle(&self, build_id: &str) -> bool {
        let status = self.version(build_id).map(DeploymentVersion::status);
        matches!(status, Some(Status::Drained | Status::Inactive))
    }

    /// A workflow was pinned to a version that was thought done, or was never used: it drains anew.
    /// False when there is nothing to do.
    pub fn reactivate(&mut self, build_id: &str, now: Timestamp) -> bool {
        if !self.is_idle(build_id) {
            return false;
        }
        if let Ok(version) = self.version_mut(build_id) {
            version.start_drainage(now);
        }
        true
    }
}
