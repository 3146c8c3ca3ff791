//! SetWorkerDeploymentManager: the only one who may change the routing.

use super::Deployment;
use crate::rejection::Rejection;
use crate::time::Timestamp;

impl Deployment {
    /// Sets the manager, or with an empty name removes it. Gives the one before.
    ///
    /// # Errors
    /// FAILED_PRECONDITION.
    pub fn set_manager(
        &mut self,
        manager: &str,
        identity: &str,
        conflict_token: &[u8],
        now: Timestamp,
    ) -> Result<String, Rejection> {
        if self.manager_identity == manager && self.last_modifier_identity == identity {
            return Ok(manager.to_owned());
        }
        self.check_token(conflict_token)?;
        let before = std::mem::replace(&mut self.manager_identity, manager.to_owned());
        self.last_modifier_identity = identity.to_owned();
        self.renew_token(now);
        Ok(before)
    }
}
