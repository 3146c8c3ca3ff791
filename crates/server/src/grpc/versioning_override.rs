//! A choice of worker version for one run: its two forms on the wire, and which are sound (behaviour, section 6.9).

use proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use proto::temporal::api::enums::v1::VersioningBehavior;
use proto::temporal::api::workflow::v1::VersioningOverride;
use proto::temporal::api::workflow::v1::versioning_override::{
    Override, PinnedOverride, PinnedOverrideBehavior,
};

use crate::error::WireError;

/// Refuses an override that does not say what to do.
pub(super) fn check(chosen: Option<&VersioningOverride>) -> Result<(), WireError> {
    let Some(chosen) = chosen else {
        return Ok(());
    };
    match &chosen.r#override {
        Some(Override::AutoUpgrade(true)) => Ok(()),
        Some(Override::AutoUpgrade(false)) => {
            Err(WireError::invalid("auto-upgrade override must be true"))
        }
        Some(Override::Pinned(pinned)) if pinned.version.is_none() => Err(WireError::invalid(
            "must provide version if override is pinned.",
        )),
        Some(Override::Pinned(pinned))
            if pinned.behavior() == PinnedOverrideBehavior::Unspecified =>
        {
            Err(WireError::invalid(
                "must specify pinned override behavior if override is pinned.",
            ))
        }
        Some(Override::Pinned(_)) => Ok(()),
        Some(Override::OneTime(once)) if once.target_deployment_version.is_none() => Err(
            WireError::invalid("must provide target deployment version if override is one-time."),
        ),
        Some(Override::OneTime(_)) => Ok(()),
        None => check_older(chosen),
    }
}

/// The older form: a behaviour, and a version beside it.
fn check_older(chosen: &VersioningOverride) -> Result<(), WireError> {
    let refused = match chosen.behavior() {
        VersioningBehavior::Pinned => {
            let named = chosen.deployment.is_some() || !chosen.pinned_version.is_empty();
            (!named).then_some(
                "must provide deployment (deprecated) or pinned version if behavior is 'PINNED'",
            )
        }
        VersioningBehavior::AutoUpgrade if chosen.deployment.is_some() => {
            Some("only provide deployment if behavior is 'PINNED'")
        }
        VersioningBehavior::AutoUpgrade if !chosen.pinned_version.is_empty() => {
            Some("only provide pinned version if behavior is 'PINNED'")
        }
        VersioningBehavior::AutoUpgrade => None,
        VersioningBehavior::Unspecified => Some("override behavior is required"),
    };
    refused.map_or(Ok(()), |message| Err(WireError::invalid(message)))
}

/// Says in the newer form what was said in the older one.
pub(super) fn normalise(chosen: &mut Option<VersioningOverride>) {
    let Some(given) = chosen else { return };
    if given.r#override.is_some() {
        return;
    }
    given.r#override = match given.behavior() {
        VersioningBehavior::AutoUpgrade => Some(Override::AutoUpgrade(true)),
        VersioningBehavior::Pinned => Some(Override::Pinned(PinnedOverride {
            behavior: PinnedOverrideBehavior::Pinned as i32,
            version: Some(pinned_version(given)),
        })),
        VersioningBehavior::Unspecified => None,
    };
}

/// `deployment.build`, or the two in a message.
fn pinned_version(given: &VersioningOverride) -> WorkerDeploymentVersion {
    let named = given.pinned_version.split_once('.');
    let (deployment_name, build_id) = match (named, &given.deployment) {
        (Some((name, build)), _) => (name.to_owned(), build.to_owned()),
        (None, Some(deployment)) => (deployment.series_name.clone(), deployment.build_id.clone()),
        (None, None) => (String::new(), given.pinned_version.clone()),
    };
    WorkerDeploymentVersion {
        build_id,
        deployment_name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(chosen: &VersioningOverride) -> Option<String> {
        check(Some(chosen)).err().map(|error| error.message)
    }

    fn new(chosen: Override) -> VersioningOverride {
        VersioningOverride {
            r#override: Some(chosen),
            ..VersioningOverride::default()
        }
    }

    fn old(behavior: VersioningBehavior, pinned_version: &str) -> VersioningOverride {
        VersioningOverride {
            behavior: behavior as i32,
            pinned_version: pinned_version.to_owned(),
            ..VersioningOverride::default()
        }
    }

    #[test]
    fn what_is_sound() {
        let version = Some(WorkerDeploymentVersion::default());
        let pinned = |behavior: PinnedOverrideBehavior, version| {
            new(Override::Pinned(PinnedOverride {
                behavior: behavior as i32,
                version,
            }))
        };
        for (chosen, expected) in [
            (new(Override::AutoUpgrade(true)), None),
            (
                new(Override::AutoUpgrade(false)),
                Some("auto-upgrade override must be true"),
            ),
            (
                pinned(PinnedOverrideBehavior::Pinned, version.clone()),
                None,
            ),
            (
                pinned(PinnedOverrideBehavior::Pinned, None),
                Some("must provide version if override is pinned."),
            ),
            (
                pinned(PinnedOverrideBehavior::Unspecified, version),
                Some("must specify pinned override behavior if override is pinned."),
            ),
            (old(VersioningBehavior::AutoUpgrade, ""), None),
            (old(VersioningBehavior::Pinned, "dep.b1"), None),
            (
                old(VersioningBehavior::AutoUpgrade, "dep.b1"),
                Some("only provide pinned version if behavior is 'PINNED'"),
            ),
            (
                old(VersioningBehavior::Unspecified, ""),
                Some("override behavior is required"),
            ),
        ] {
            assert_eq!(refusal(&chosen).as_deref(), expected, "{chosen:?}");
        }
    }

    #[test]
    fn the_older_form_becomes_the_newer() {
        let mut chosen = Some(old(VersioningBehavior::Pinned, "dep.b1"));
        normalise(&mut chosen);
        let Some(Override::Pinned(pinned)) = chosen.and_then(|chosen| chosen.r#override) else {
            panic!("not pinned");
        };
        let version = pinned.version.expect("a version");
        assert_eq!(
            (version.deployment_name.as_str(), version.build_id.as_str()),
            ("dep", "b1")
        );
    }
}
