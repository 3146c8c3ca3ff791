//! A run's version as a snapshot keeps it.

use prost::Message;
use proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use proto::temporal::api::enums::v1::{
    ContinueAsNewVersioningBehavior as ContinuedBehavior, VersioningBehavior as Behavior,
};
use proto::temporal::api::workflow::v1::VersioningOverride;

use crate::deployment::Version;
use crate::workflow::record::VersionTransition;
use crate::workflow::state::versioning::{Transition, Versioning};

/// [`Versioning`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct VersioningFields {
    #[prost(enumeration = "Behavior", tag = "1")]
    behavior: i32,
    #[prost(message, optional, tag = "2")]
    version: Option<WorkerDeploymentVersion>,
    #[prost(message, optional, tag = "3")]
    version_override: Option<VersioningOverride>,
    #[prost(message, optional, tag = "4")]
    transition: Option<VersionTransition>,
    #[prost(int64, tag = "5")]
    revision_number: i64,
    #[prost(string, tag = "6")]
    deployment_name: String,
    #[prost(message, repeated, tag = "7")]
    used: Vec<WorkerDeploymentVersion>,
    #[prost(enumeration = "ContinuedBehavior", tag = "8")]
    continued_behavior: i32,
    #[prost(int64, tag = "9")]
    declined_revision: i64,
}

impl VersioningFields {
    pub(super) fn of(versioning: &Versioning) -> Self {
        Self {
            behavior: versioning.behavior.into(),
            version: versioning.version.as_ref().map(Version::to_wire),
            version_override: versioning.version_override.clone(),
            transition: versioning.transition.as_ref().map(|t| VersionTransition {
                version: t.version.as_ref().map(Version::to_wire),
                revision_number: t.revision_number,
            }),
            revision_number: versioning.revision_number,
            deployment_name: versioning.deployment_name.to_string(),
            used: versioning.used.iter().map(Version::to_wire).collect(),
            continued_behavior: versioning.continued_behavior.into(),
            declined_revision: versioning.declined_revision,
        }
    }

    pub(super) fn into_versioning(self) -> Versioning {
        let (behavior, continued_behavior) = (self.behavior(), self.continued_behavior());
        let transition = |t: VersionTransition| Transition {
            version: Version::from_wire(t.version.as_ref()),
            revision_number: t.revision_number,
        };
        Versioning {
            behavior,
            version: Version::from_wire(self.version.as_ref()),
            version_override: self.version_override,
            transition: self.transition.map(transition),
            revision_number: self.revision_number,
            deployment_name: self.deployment_name.into(),
            used: self
                .used
                .iter()
                .filter_map(|version| Version::from_wire(Some(version)))
                .collect(),
            continued_behavior,
            declined_revision: self.declined_revision,
        }
    }
}
