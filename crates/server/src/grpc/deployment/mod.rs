//! Worker deployments: one file an RPC, and what they share: versions as requests name them, and a worker's
//! poll for one.

mod create_worker_deployment;
mod create_worker_deployment_version;
mod delete_worker_deployment;
mod delete_worker_deployment_version;
mod describe_worker_deployment;
mod describe_worker_deployment_version;
mod list_worker_deployments;
mod set_worker_deployment_current_version;
mod set_worker_deployment_manager;
mod set_worker_deployment_ramping_version;
mod update_worker_deployment_version_compute_config;
mod update_worker_deployment_version_metadata;
mod validate_worker_deployment_version_compute_config;

use engine::deployment::{
    Deployment, Surroundings, Version, check_build_id, check_name, normalised,
};
use engine::rejection::Rejection;
use engine::workflow::state::versioning::override_target;
use proto::temporal::api::common::v1::{WorkerVersionCapabilities, WorkerVersionStamp};
use proto::temporal::api::compute::v1::ComputeConfigScalingGroup;
use proto::temporal::api::deployment::v1::{WorkerDeploymentOptions, WorkerDeploymentVersion};
use proto::temporal::api::enums::v1::{TaskQueueType, WorkerVersioningMode};
use proto::temporal::api::workflow::v1::VersioningOverride;
use uuid::Uuid;

use super::Frontend;
use super::handler::{Handler, named};
use crate::deployments::ChangeError;
use crate::error::WireError;
use crate::matching::Poll;

/// What is served of worker deployments.
pub(super) fn methods() -> Vec<(&'static str, Handler)> {
    vec![
        (
            "SetWorkerDeploymentCurrentVersion",
            named(set_worker_deployment_current_version::handle),
        ),
        (
            "SetWorkerDeploymentRampingVersion",
            named(set_worker_deployment_ramping_version::handle),
        ),
        (
            "DescribeWorkerDeployment",
            named(describe_worker_deployment::handle),
        ),
        (
            "DescribeWorkerDeploymentVersion",
            named(describe_worker_deployment_version::handle),
        ),
        (
            "ListWorkerDeployments",
            named(list_worker_deployments::handle),
        ),
        (
            "DeleteWorkerDeployment",
            named(delete_worker_deployment::handle),
        ),
        (
            "DeleteWorkerDeploymentVersion",
            named(delete_worker_deployment_version::handle),
        ),
        (
            "UpdateWorkerDeploymentVersionMetadata",
            named(update_worker_deployment_version_metadata::handle),
        ),
        (
            "SetWorkerDeploymentManager",
            named(set_worker_deployment_manager::handle),
        ),
        (
            "CreateWorkerDeployment",
            named(create_worker_deployment::handle),
        ),
        (
            "CreateWorkerDeploymentVersion",
            named(create_worker_deployment_version::handle),
        ),
        (
            "UpdateWorkerDeploymentVersionComputeConfig",
            named(update_worker_deployment_version_compute_config::handle),
        ),
        (
            "ValidateWorkerDeploymentVersionComputeConfig",
            named(validate_worker_deployment_version_compute_config::handle),
        ),
    ]
}

/// A poll of a worker that has a version is for that version alone, and makes the version known. One that
/// brings nothing new costs a look into memory.
pub(super) async fn join(
    server: &Frontend,
    namespace: Uuid,
    poll: &mut Poll,
    options: Option<WorkerDeploymentOptions>,
    capabilities: Option<WorkerVersionCapabilities>,
    kind: TaskQueueType,
) -> Result<(), WireError> {
    let version = polled_version(options.as_ref(), capabilities.as_ref())?;
    poll.build = capabilities
        .as_ref()
        .filter(|says| version.is_none() && !says.build_id.is_empty())
        .map(|says| WorkerVersionStamp {
            build_id: says.build_id.clone(),
            use_versioning: says.use_versioning,
        });
    poll.deployment_options = options;
    poll.version_capabilities = capabilities;
    if let Some(version) = &version
        && !poll.sticky
    {
        let id_length_max = server.limits.id_length_max;
        check_name(&version.deployment_name, id_length_max)?;
        check_build_id(&version.build_id, id_length_max)?;
        let now = server.node.clock.now();
        let matching = &server.node.matching;
        server
            .node
            .deployments
            .register(matching, namespace, version, &poll.task_queue, kind, now)
            .await?;
    }
    poll.version = version;
    Ok(())
}

fn polled_version(
    options: Option<&WorkerDeploymentOptions>,
    capabilities: Option<&WorkerVersionCapabilities>,
) -> Result<Option<Version>, WireError> {
    if let Some(options) = options {
        let (name, build_id) = (&options.deployment_name, &options.build_id);
        if options.worker_versioning_mode() == WorkerVersioningMode::Versioned {
            if name.is_empty() || build_id.is_empty() {
                return Err(WireError::invalid(
                    "Deployment name and build id must be set together.",
                ));
            }
            return Ok(Some(Version::new(name, build_id)));
        }
        return Ok(None);
    }
    let legacy = capabilities.filter(|c| {
        c.use_versioning && !c.deployment_series_name.is_empty() && !c.build_id.is_empty()
    });
    Ok(legacy.map(|c| Version::new(&c.deployment_series_name, &c.build_id)))
}

/// A version that a request names in a field of its own, or in the older text.
pub(super) fn named_version(
    version: Option<&WorkerDeploymentVersion>,
    text: &str,
) -> Result<Version, WireError> {
    let text = match version {
        Some(version) => format!("{}.{}", version.deployment_name, version.build_id),
        None => text.to_owned(),
    };
    match Version::parse(&text) {
        Ok(Some(version)) => Ok(version),
        Ok(None) | Err(_) => Err(WireError::invalid(format!(
            "invalid version string \"{text}\", expected format is \"<deployment_name>.<build_id>\""
        ))),
    }
}

/// Checks both parts of a version's name.
pub(super) fn check_version(server: &Frontend, version: &Version) -> Result<(), WireError> {
    check_name(&version.deployment_name, server.limits.id_length_max)?;
    check_build_id(&version.build_id, server.limits.id_length_max)?;
    Ok(())
}

/// A version that a text names, which must be of this deployment; `None` is no version.
pub(super) fn version_of(name: &str, text: &str) -> Result<Option<Version>, WireError> {
    let version = Version::parse(text)
        .map_err(|error| WireError::invalid(format!("invalid version string: {error}")))?;
    match version {
        Some(version) if *version.deployment_name != *name => Err(WireError::invalid(format!(
            "invalid version string '{text}' does not match deployment name '{name}'"
        ))),
        version => Ok(version),
    }
}

/// Changes a deployment.
pub(super) async fn change<T>(
    server: &Frontend,
    namespace: Uuid,
    name: &str,
    create: bool,
    change: impl FnOnce(&mut Deployment, Surroundings<'_>) -> Result<T, Rejection>,
) -> Result<T, WireError> {
    let now = server.node.clock.now();
    let matching = &server.node.matching;
    let deployments = &server.node.deployments;
    let changed = if create {
        deployments
            .change_or_create(matching, namespace, name, now, change)
            .await
    } else {
        deployments
            .change(matching, namespace, name, now, change)
            .await
    };
    Ok(changed?)
}

/// A workflow was just pinned to a version: one that was thought done, or never used, drains anew.
pub(super) async fn reactivate(
    server: &Frontend,
    namespace: Uuid,
    given: Option<&VersioningOverride>,
) {
    let given = given.and_then(normalised);
    let Some(version) = given.as_ref().and_then(override_target) else {
        return;
    };
    let name = &version.deployment_name;
    let known = server.node.deployments.get(namespace, name);
    let idle = known.is_some_and(|deployment| deployment.is_idle(&version.build_id));
    if !idle {
        return;
    }
    let changed = change(server, namespace, name, false, |deployment, around| {
        deployment.reactivate(&version.build_id, around.now);
        Ok(())
    });
    if let Err(error) = changed.await {
        // The workflow runs all the same; the version only looks done when it is not.
        tracing::warn!(%version, error = error.message, "a version cannot be taken up again");
    }
}

/// No provider of compute is part of this server, so no scaling group can be set up.
pub(super) fn refuse_scaling_groups<'a>(
    groups: impl IntoIterator<Item = (&'a String, Option<&'a ComputeConfigScalingGroup>)>,
) -> Result<(), WireError> {
    let problems: Vec<String> = groups
        .into_iter()
        .map(|(name, group)| {
            let provider = group.and_then(|group| group.provider.as_ref());
            let kind = provider.map_or("", |provider| &provider.r#type);
            if kind == "aws-lambda" {
                format!("{name}: Could not instantiate compute provider with type '{kind}'")
            } else {
                format!("entry {name}: invalid compute provider type '{kind}'")
            }
        })
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(WireError::invalid(problems.join("; ")))
}

impl From<ChangeError> for WireError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Rejected(rejection) => rejection.into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}
