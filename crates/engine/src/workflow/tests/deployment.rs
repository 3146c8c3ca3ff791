//! Worker deployments in a story: `deployment registers version=d:b1 queue=q`, `deployment current version=d:b1`,
//! `deployment ramps version=d:b2 percentage=100`. An empty `d:` is no version. They take effect at once and
//! are told to nobody: a run learns of them when its next task is claimed.

use proto::temporal::api::enums::v1::{TaskQueueType, VersioningBehavior};
use proto::temporal::api::workflow::v1::VersioningOverride;
use proto::temporal::api::workflow::v1::versioning_override::{
    Override, PinnedOverride, PinnedOverrideBehavior,
};
use proto::temporal::api::workflowservice::v1::RespondWorkflowTaskCompletedRequest;
use proto::temporal::api::{
    deployment::v1::WorkerDeploymentOptions, enums::v1::WorkerVersioningMode,
};

use super::requests;
use super::script::{Played, Script};
use super::words::Words;
use crate::deployment::{
    Deployment, Ramp, Routing, SetCurrentVersion, SetRampingVersion, Surroundings, TaskQueue,
    Version,
};

impl Words {
    /// The version of a key: `d:b1`.
    pub(super) fn version(&mut self, key: &str) -> Option<Version> {
        let text = self.text(key)?;
        let (name, build_id) = text.split_once(':').expect("a version has a build");
        (!build_id.is_empty()).then(|| Version::new(name, build_id))
    }
}

/// `pinned=d:b1` or `auto-upgrade`.
pub(super) fn version_override(words: &mut Words) -> Option<VersioningOverride> {
    let choice = if words.flag("auto-upgrade") {
        Override::AutoUpgrade(true)
    } else {
        Override::Pinned(PinnedOverride {
            behavior: PinnedOverrideBehavior::Pinned.into(),
            version: Some(words.version("pinned")?.to_wire()),
        })
    };
    Some(VersioningOverride {
        r#override: Some(choice),
        ..VersioningOverride::default()
    })
}

/// `version=d:b1 behavior=Pinned` of a worker that completes a task.
pub(super) fn say_version(
    version: Option<&Version>,
    words: &mut Words,
    request: &mut RespondWorkflowTaskCompletedRequest,
) {
    if let Some(behavior) = words.text("behavior") {
        let name = requests::shouting("VERSIONING_BEHAVIOR_", &behavior);
        let behavior = VersioningBehavior::from_str_name(&name).expect("a behavior");
        request.versioning_behavior = behavior.into();
    }
    request.deployment_options = version.map(|version| WorkerDeploymentOptions {
        deployment_name: version.deployment_name.to_string(),
        build_id: version.build_id.to_string(),
        worker_versioning_mode: WorkerVersioningMode::Versioned.into(),
    });
}

impl Script {
    pub(super) fn deployment(&mut self, words: &mut Words) -> Played {
        let what = words.verb()?;
        let version = words.version("version");
        let name = version
            .as_ref()
            .map_or("d", |v| &v.deployment_name)
            .to_owned();
        let now = self.world.now;
        let routing = Routing::new(self.world.deployments.values());
        let never = |_: &Version, _: &TaskQueue| false;
        let around = Surroundings {
            now,
            has_pollers: &never,
            has_work: &never,
            routing: &routing,
        };
        let new = || Deployment::create(&name, "", "", now);
        let mut deployment = self
            .world
            .deployments
            .get(&name)
            .cloned()
            .unwrap_or_else(new);
        let outcome = match what.as_str() {
            "registers" => {
                let version = version.ok_or("a version is missing")?;
                let kind = match words.text_or("kind", "workflow").as_str() {
                    "activity" => TaskQueueType::Activity,
                    _ => TaskQueueType::Workflow,
                };
                let queue = TaskQueue {
                    name: words.text_or("queue", "q"),
                    kind: kind.into(),
                };
                deployment.register(&version.build_id, queue, around)
            }
            "current" => {
                let ask = SetCurrentVersion {
                    version,
                    allow_no_pollers: true,
                    ..SetCurrentVersion::default()
                };
                deployment.set_current_version(&ask, around).map(drop)
            }
            "ramps" => {
                let ask = SetRampingVersion {
                    ramp: version.map_or(Ramp::Unset, Ramp::To),
                    percentage: words.number("percentage").unwrap_or(0) as f32,
                    allow_no_pollers: true,
                    ..SetRampingVersion::default()
                };
                deployment.set_ramping_version(&ask, around).map(drop)
            }
            _ => return Err(format!("no verb deployment {what}").into()),
        };
        outcome.map_err(|rejection| rejection.to_string())?;
        self.world.deployments.insert(name, deployment);
        self.world.routing = Routing::new(self.world.deployments.values());
        Ok(String::new())
    }
}
