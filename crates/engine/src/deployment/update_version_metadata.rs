//! UpdateWorkerDeploymentVersionMetadata.

use std::collections::BTreeMap;

use proto::temporal::api::common::v1::Payload;
use proto::temporal::api::deployment::v1::VersionMetadata;

use super::Deployment;
use crate::rejection::Rejection;

impl Deployment {
    /// Sets and removes entries of a version. Gives what is there then.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub fn update_version_metadata(
        &mut self,
        build_id: &str,
        upsert: BTreeMap<String, Payload>,
        remove: &[String],
        identity: &str,
    ) -> Result<VersionMetadata, Rejection> {
        let version = self.version_mut(build_id)?;
        let metadata = version.metadata.get_or_insert_default();
        metadata.entries.extend(upsert);
        for key in remove {
            metadata.entries.remove(key);
        }
        version.last_modifier_identity = identity.to_owned();
        Ok(metadata.clone())
    }
}
