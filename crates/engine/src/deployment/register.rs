//! A worker polls a task queue for a version: deployment, version and queue come to exist.

use proto::temporal::api::enums::v1::WorkerDeploymentVersionStatus as Status;

use super::{Deployment, Surroundings, TASK_QUEUES_MAX, TaskQueue};
use crate::rejection::Rejection;

impl Deployment {
    /// Whether a poll of this queue for this version brings nothing new.
    pub fn is_registered(&self, build_id: &str, queue: &TaskQueue) -> bool {
        self.version(build_id).is_some_and(|v| v.has_queue(queue))
    }

    /// Remembers that workers of a version poll a queue.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED.
    pub fn register(
        &mut self,
        build_id: &str,
        queue: TaskQueue,
        around: Surroundings<'_>,
    ) -> Result<(), Rejection> {
        if self.version(build_id).is_none() {
            self.add_version(build_id, Status::Inactive, around)?;
        }
        let version = self.version_mut(build_id)?;
        if version.has_queue(&queue) {
            return Ok(());
        }
        let same_name = |known: &TaskQueue| known.name == queue.name;
        if !version.task_queues.iter().any(same_name) && version.queue_count() >= TASK_QUEUES_MAX {
            return Err(Rejection::WorkerDeploymentLimit(format!(
                "cannot add task queue {} since maximum number of task queues ({TASK_QUEUES_MAX}) \
                 have been registered in deployment",
                queue.name
            )));
        }
        version.task_queues.push(queue);
        if version.status() == Status::Created {
            version.status = Status::Inactive.into();
        }
        Ok(())
    }
}

impl super::DeploymentVersion {
    /// Queues by name: those of several kinds count once.
    fn queue_count(&self) -> usize {
        let mut names: Vec<_> = self.task_queues.iter().map(|q| &q.name).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }
}
