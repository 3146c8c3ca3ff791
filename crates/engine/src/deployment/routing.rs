//! Which version a task goes to: what all deployments of a namespace together say about a task queue,
//! and what a workflow says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::temporal::api::enums::v1::{TaskQueueType, VersioningBehavior as Behavior};

use super::{Deployment, Version};
use crate::time::Timestamp;

/// What a workflow says of the version that its tasks need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Pinned: to its version and no other. Otherwise its queue decides.
    pub behavior: Behavior,
    /// The workflow's own version.
    pub version: Option<Version>,
    /// The first task goes to the ramping version, whatever the percentage.
    pub use_ramping_version: bool,
}

impl Default for Directive {
    fn default() -> Self {
        Self {
            behavior: Behavior::Unspecified,
            version: None,
            use_ramping_version: false,
        }
    }
}

/// Where unpinned tasks of a queue go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// None: to workers without a version.
    pub version: Option<Version>,
    /// Of the routing that says so.
    pub revision_number: i64,
}

/// The routing of a namespace. Read-only once made.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    queues: BTreeMap<i32, BTreeMap<Arc<str>, Queue>>,
}

/// The routing of one queue of one kind.
#[derive(Clone, Debug, Default)]
struct Queue {
    /// All versions whose workers have polled it.
    versions: BTreeSet<Version>,
    current: Side,
    ramping: Side,
    percentage: f32,
}

/// The current or the ramping version of a queue. A version whose workers poll the queue goes before
/// "no version", however new; among equals the newest decides.
#[derive(Clone, Debug, Default, PartialEq)]
struct Side {
    version: Option<Version>,
    since: Option<Timestamp>,
    revision_number: i64,
}

impl Side {
    fn yields_to(&self, version: Option<&Version>, since: Timestamp) -> bool {
        match (&self.version, version) {
            (Some(_), None) => false,
            (None, Some(_)) => true,
            _ => self.since.is_none_or(|known| since > known),
        }
    }
}

impl Routing {
    /// What these deployments say.
    pub fn new<'a>(deployments: impl IntoIterator<Item = &'a Deployment>) -> Self {
        let mut routing = Self::default();
        for deployment in deployments {
            for version in &deployment.versions {
                let name = deployment.name_of(version);
                for queue in &version.task_queues {
                    let of_kind = routing.queues.entry(queue.kind).or_default();
                    let entry = of_kind.entry(queue.name.as_str().into()).or_default();
                    entry.versions.insert(name.clone());
                }
            }
            routing.add_routes(deployment);
        }
        routing
    }

    fn add_routes(&mut self, deployment: &Deployment) {
        let config = deployment.routing_config();
        let time = |time: &Option<proto::Timestamp>| {
            time.as_ref().map_or(Timestamp::MIN, Timestamp::from_proto)
        };
        let current = (
            deployment.current(),
            time(&config.current_version_changed_time),
        );
        let ramping = (
            deployment.ramping(),
            time(&config.ramping_version_percentage_changed_time),
        );
        let is_own = |v: &Version| *v.deployment_name == *deployment.name;
        for queue in self.queues.values_mut().flat_map(BTreeMap::values_mut) {
            if !queue.versions.iter().any(is_own) {
                continue;
            }
            // A version that does not serve this queue says nothing about it.
            let serves = |version: &Option<Version>| {
                version.as_ref().is_none_or(|v| queue.versions.contains(v))
            };
            let (takes_current, takes_ramping) = (serves(&current.0), serves(&ramping.0));
            let side = |(version, since): &(Option<Version>, Timestamp)| Side {
                version: version.clone(),
                since: Some(*since),
                revision_number: config.revision_number,
            };
            if takes_current && queue.current.yields_to(current.0.as_ref(), current.1) {
                queue.current = side(&current);
            }
            if takes_ramping && queue.ramping.yields_to(ramping.0.as_ref(), ramping.1) {
                queue.ramping = side(&ramping);
                queue.percentage = config.ramping_version_percentage;
            }
        }
    }

    fn queue(&self, kind: TaskQueueType, name: &str) -> Option<&Queue> {
        self.queues.get(&(kind as i32))?.get(name)
    }

    /// Whether workers of this version have polled this queue.
    pub fn serves(&self, kind: TaskQueueType, name: &str, version: &Version) -> bool {
        self.queue(kind, name)
            .is_some_and(|queue| queue.versions.contains(version))
    }

    /// All versions whose workers have polled this queue.
    pub fn versions(&self, kind: TaskQueueType, name: &str) -> impl Iterator<Item = &Version> {
        self.queue(kind, name)
            .into_iter()
            .flat_map(|queue| &queue.versions)
    }

    /// The current version of a queue.
    pub fn current(&self, kind: TaskQueueType, name: &str) -> Option<&Version> {
        self.queue(kind, name)?.current.version.as_ref()
    }

    /// The ramping version of a queue, its percentage, and when current or ramping last changed.
    pub fn ramping(
        &self,
        kind: TaskQueueType,
        name: &str,
    ) -> (Option<&Version>, f32, Option<Timestamp>) {
        let Some(queue) = self.queue(kind, name) else {
            return (None, 0.0, None);
        };
        let changed = queue.current.since.max(queue.ramping.since);
        let changed = changed.filter(|at| *at > Timestamp::MIN);
        (queue.ramping.version.as_ref(), queue.percentage, changed)
    }

    /// All queues that any version serves.
    pub fn queues(&self) -> impl Iterator<Item = (TaskQueueType, &Arc<str>)> {
        self.queues.iter().flat_map(|(kind, queues)| {
            let kind = TaskQueueType::try_from(*kind).unwrap_or_default();
            queues.keys().map(move |name| (kind, name))
        })
    }

    /// Where unpinned tasks of a workflow go on this queue.
    pub fn target(
        &self,
        kind: TaskQueueType,
        name: &str,
        workflow_id: &str,
        use_ramping_version: bool,
    ) -> Target {
        let Some(queue) = self.queue(kind, name) else {
            return Target::default();
        };
        let ramps = if use_ramping_version && queue.ramping.version.is_some() {
            true
        } else {
            let percentage = f64::from(queue.percentage);
            percentage >= 100.0 || (percentage > 0.0 && place(workflow_id) <= percentage)
        };
        let side = if ramps {
            &queue.ramping
        } else {
            &queue.current
        };
        Target {
            version: side.version.clone(),
            revision_number: side.revision_number,
        }
    }

    /// Where a task goes: a pinned one to its version, if that serves the queue or the task is the
    /// workflow's own; any other to the queue's target.
    pub fn route(
        &self,
        kind: TaskQueueType,
        name: &str,
        workflow_id: &str,
        directive: &Directive,
    ) -> Option<Version> {
        if directive.behavior == Behavior::Pinned
            && let Some(version) = &directive.version
            && (kind != TaskQueueType::Activity || self.serves(kind, name, version))
        {
            return Some(version.clone());
        }
        self.target(kind, name, workflow_id, directive.use_ramping_version)
            .version
    }
}

/// A workflow's place between 0 and 100, the same whenever asked: those below the ramp's percentage go
/// with it, so that a growing ramp only ever adds workflows.
fn place(workflow_id: &str) -> f64 {
    // FNV-1a, then a finaliser that spreads the last bytes over all bits.
    let mut hash = workflow_id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^= hash >> 16;
    100.0 * f64::from(hash) / (f64::from(u32::MAX) + 1.0)
}
