//! The name of a version, its two spellings, and what a name may look like.

use std::fmt;
use std::sync::Arc;

use proto::temporal::api::deployment::v1::{
    Deployment as LegacyDeployment, WorkerDeploymentVersion,
};
use proto::temporal::api::enums::v1::VersioningBehavior as Behavior;
use proto::temporal::api::workflow::v1::VersioningOverride;
use proto::temporal::api::workflow::v1::versioning_override::{
    Override, PinnedOverride, PinnedOverrideBehavior,
};

use crate::rejection::Rejection;

/// How the wire calls "no version".
pub const UNVERSIONED: &str = "__unversioned__";
/// Bytes that the reference needs for its own use of a name besides the name.
const NAME_OVERHEAD: usize = "temporal-sys-worker-deployment-version".len() + 2;

/// One version of a worker deployment. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// The deployment's name.
    pub deployment_name: Arc<str>,
    /// The build.
    pub build_id: Arc<str>,
}

impl Version {
    /// A version by its parts.
    pub fn new(deployment_name: &str, build_id: &str) -> Self {
        Self {
            deployment_name: deployment_name.into(),
            build_id: build_id.into(),
        }
    }

    /// From the wire; one without a name or a build is none.
    pub fn from_wire(wire: Option<&WorkerDeploymentVersion>) -> Option<Self> {
        let wire = wire?;
        (!wire.deployment_name.is_empty() && !wire.build_id.is_empty())
            .then(|| Self::new(&wire.deployment_name, &wire.build_id))
    }

    /// As the wire carries it.
    pub fn to_wire(&self) -> WorkerDeploymentVersion {
        WorkerDeploymentVersion {
            build_id: self.build_id.to_string(),
            deployment_name: self.deployment_name.to_string(),
        }
    }

    /// The older spelling, `deployment.build`.
    pub fn dotted(&self) -> String {
        format!("{}.{}", self.deployment_name, self.build_id)
    }

    /// The older spelling, with a word for "no version".
    pub fn dotted_or_unversioned(version: Option<&Self>) -> String {
        version.map_or_else(|| UNVERSIONED.to_owned(), Self::dotted)
    }

    /// Reads either spelling: the delimiter that comes first divides.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text == UNVERSIONED {
            return Ok(None);
        }
        let Some((name, build_id)) = text.split_once(['.', ':']) else {
            return Err(format!(
                "expected delimiter ':' or '.' not found in version string {text}"
            ));
        };
        if name.is_empty() {
            return Err(format!("deployment name is empty in version string {text}"));
        }
        if build_id.is_empty() {
            return Err(format!("build id is empty in version string {text}"));
        }
        Ok(Some(Self::new(name, build_id)))
    }
}

impl fmt::Display for Version {
    /// The newer spelling, `deployment:build`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.deployment_name, self.build_id)
    }
}

/// Checks the name of a deployment.
///
/// # Errors
/// INVALID_ARGUMENT with the documented texts.
pub fn check_name(name: &str, id_length_max: usize) -> Result<(), Rejection> {
    check("WorkerDeploymentName", name, id_length_max)?;
    for delimiter in ['.', ':'] {
        if name.contains(delimiter) {
            return Err(Rejection::invalid(format!(
                "worker deployment name cannot contain '{delimiter}'"
            )));
        }
    }
    no_underscores("WorkerDeploymentName", name)
}

/// Checks a build id.
///
/// # Errors
/// INVALID_ARGUMENT with the documented texts.
pub fn check_build_id(build_id: &str, id_length_max: usize) -> Result<(), Rejection> {
    check("BuildID", build_id, id_length_max)?;
    no_underscores("BuildID", build_id)
}

fn check(field: &str, value: &str, id_length_max: usize) -> Result<(), Rejection> {
    if value.is_empty() {
        return Err(Rejection::invalid(format!("{field} cannot be empty")));
    }
    if value.len() > id_length_max.saturating_sub(NAME_OVERHEAD) / 2 {
        return Err(Rejection::invalid(format!(
            "size of {field} larger than the maximum allowed"
        )));
    }
    Ok(())
}

fn no_underscores(field: &str, value: &str) -> Result<(), Rejection> {
    if value.starts_with("__") {
        return Err(Rejection::invalid(format!(
            "{field} cannot start with '__'"
        )));
    }
    Ok(())
}

/// Checks an override that a request brings.
///
/// # Errors
/// INVALID_ARGUMENT with the documented texts.
pub fn validate_override(
    given: &VersioningOverride,
    id_length_max: usize,
) -> Result<(), Rejection> {
    if let Some(version) = validate_override_form(given)? {
        check_name(&version.deployment_name, id_length_max)?;
        check_build_id(&version.build_id, id_length_max)?;
    }
    Ok(())
}

/// Checks that an override says what to do, and gives the version that it names in the newer form. Of a child's, a
/// command is asked no more than this.
///
/// # Errors
/// INVALID_ARGUMENT with the documented texts.
pub fn validate_override_form(
    given: &VersioningOverride,
) -> Result<Option<&WorkerDeploymentVersion>, Rejection> {
    let invalid = |text: &str| Err(Rejection::invalid(text));
    let version = match &given.r#override {
        Some(Override::AutoUpgrade(true)) => return Ok(None),
        Some(Override::AutoUpgrade(false)) => {
            return invalid("auto-upgrade override must be true");
        }
        Some(Override::Pinned(pinned)) => {
            let Some(version) = &pinned.version else {
                return invalid("must provide version if override is pinned.");
            };
            if pinned.behavior() == PinnedOverrideBehavior::Unspecified {
                return invalid("must specify pinned override behavior if override is pinned.");
            }
            version
        }
        Some(Override::OneTime(one_time)) => match &one_time.target_deployment_version {
            Some(version) => version,
            None => {
                return invalid("must provide target deployment version if override is one-time.");
            }
        },
        None => return validate_older(given).map(|()| None),
    };
    Ok(Some(version))
}

/// An override in the fields that came before.
fn validate_older(given: &VersioningOverride) -> Result<(), Rejection> {
    let invalid = |text: &str| Err(Rejection::invalid(text));
    match given.behavior() {
        Behavior::Pinned if given.deployment.is_some() => {
            let legacy = given.deployment.clone().unwrap_or_default();
            if legacy.series_name.is_empty() {
                return invalid("deployment name cannot be empty");
            }
            if legacy.series_name.contains(['.', ':']) {
                return invalid("deployment name cannot contain '.' or ':'");
            }
            if legacy.build_id.is_empty() {
                return invalid("deployment build ID cannot be empty");
            }
            Ok(())
        }
        Behavior::Pinned if !given.pinned_version.is_empty() => {
            match Version::parse(&given.pinned_version) {
                Ok(_) => Ok(()),
                Err(_) => Err(Rejection::invalid(format!(
                    "invalid version string \"{}\", expected format is \"<deployment_name>.<build_id>\"",
                    given.pinned_version
                ))),
            }
        }
        Behavior::Pinned => invalid(
            "must provide deployment (deprecated) or pinned version if behavior is 'PINNED'",
        ),
        Behavior::AutoUpgrade if given.deployment.is_some() => {
            invalid("only provide deployment if behavior is 'PINNED'")
        }
        Behavior::AutoUpgrade if !given.pinned_version.is_empty() => {
            invalid("only provide pinned version if behavior is 'PINNED'")
        }
        Behavior::AutoUpgrade => Ok(()),
        Behavior::Unspecified if given.behavior != 0 => Err(Rejection::invalid(format!(
            "override behavior {} not recognized",
            given.behavior
        ))),
        Behavior::Unspecified => invalid("override behavior is required"),
    }
}

/// An override in the newest fields alone, whichever it came in.
pub fn normalised(given: &VersioningOverride) -> Option<VersioningOverride> {
    let choice = match (&given.r#override, given.behavior()) {
        (Some(choice), _) => choice.clone(),
        (None, Behavior::AutoUpgrade) => Override::AutoUpgrade(true),
        (None, Behavior::Pinned) => {
            let legacy = |d: &LegacyDeployment| Version::new(&d.series_name, &d.build_id);
            let version = match Version::parse(&given.pinned_version) {
                Ok(Some(version)) => Some(version),
                _ => given.deployment.as_ref().map(legacy),
            };
            Override::Pinned(PinnedOverride {
                behavior: PinnedOverrideBehavior::Pinned.into(),
                version: version.as_ref().map(Version::to_wire),
            })
        }
        (None, Behavior::Unspecified) => return None,
    };
    Some(VersioningOverride {
        r#override: Some(choice),
        ..VersioningOverride::default()
    })
}
