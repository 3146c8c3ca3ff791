//! The worker deployment machine: a deployment's versions, which of them is current and which is
//! ramping, and what that means for the tasks of a queue (behaviour, section 6.9). Pure: it is told
//! the time, and whatever it must know of pollers and backlogs.
//!
//! A deployment's state is one small record that is stored whole; one file a verb changes it.
//! [`Routing`] is what all deployments of a namespace together say about its task queues: it is made
//! anew whenever one of them changes, and read by workflows and by matching.

mod create;
mod delete;
mod describe;
mod drainage;
mod record;
mod register;
mod routing;
mod set_current_version;
mod set_manager;
mod set_ramping_version;
mod update_version_metadata;
mod version;

#[cfg(test)]
mod tests;

pub use self::create::{already_exists, check_room};
pub use self::delete::DeleteVersion;
pub use self::drainage::DrainagePace;
pub use self::record::{Deployment, DeploymentVersion, TaskQueue};
pub use self::routing::{Directive, Routing, Target};
pub use self::set_current_version::SetCurrentVersion;
pub use self::set_ramping_version::{Ramp, SetRampingVersion};
pub use self::version::{
    UNVERSIONED, Version, check_build_id, check_name, normalised, validate_override,
    validate_override_form,
};

use crate::rejection::Rejection;
use crate::time::Timestamp;

/// Deployments of a namespace at most (behaviour, section 3.3).
pub const DEPLOYMENTS_MAX: usize = 100;
/// Versions of a deployment at most.
pub const VERSIONS_MAX: usize = 100;
/// Task queues of a version at most.
pub const TASK_QUEUES_MAX: usize = 100;

/// What a verb must know of the world.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The instant at which the verb is taken.
    pub now: Timestamp,
    /// Whether somebody polls this queue for this version.
    pub has_pollers: &'a dyn Fn(&Version, &TaskQueue) -> bool,
    /// Whether this queue has work for this version: a backlog, or tasks that came lately.
    pub has_work: &'a dyn Fn(&Version, &TaskQueue) -> bool,
    /// What the namespace's deployments say now.
    pub routing: &'a Routing,
}

/// A deployment that is not there.
pub fn not_found(name: &str) -> Rejection {
    Rejection::NotFound(format!(
        "no Worker Deployment found with name '{name}'; does your Worker Deployment have pollers?"
    ))
}

/// A version that is not there.
pub fn version_not_found(build_id: &str, name: &str) -> Rejection {
    Rejection::NotFound(format!(
        "build ID '{build_id}' not found in Worker Deployment '{name}'"
    ))
}
