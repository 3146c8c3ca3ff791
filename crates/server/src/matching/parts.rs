//! Which part of a queue a task is in: each version of worker has its own.

use std::sync::Arc;

use engine::deployment::{Directive, Routing, Version};
use engine::matching::Stats;

use super::{QueueDescription, QueueKind, Task};

impl QueueDescription {
    /// What DescribeTaskQueue tells of several parts of a queue together.
    pub(super) fn add(&mut self, other: Self) {
        self.pollers.extend(other.pollers);
        add_stats(&mut self.stats, &other.stats);
        for (key, stats) in &other.stats_by_priority {
            add_stats(self.stats_by_priority.entry(*key).or_default(), stats);
        }
        self.rate_limit = self.rate_limit.or(other.rate_limit);
    }
}

fn add_stats(all: &mut Stats, other: &Stats) {
    all.backlog_count += other.backlog_count;
    all.backlog_age = all.backlog_age.max(other.backlog_age);
    all.add_rate += other.add_rate;
    all.dispatch_rate += other.dispatch_rate;
    all.rate_limiting_active |= other.rate_limiting_active;
}

/// The version of worker that a task goes to.
pub(super) fn routed(
    routing: &Routing,
    kind: QueueKind,
    name: &str,
    task: &Task,
) -> Option<Version> {
    let unversioned = Directive::default();
    match task {
        Task::Execution(task) => {
            let directive = task.directive.as_deref().unwrap_or(&unversioned);
            routing.route(
                kind.task_queue_type(),
                name,
                &task.key.workflow_id,
                directive,
            )
        }
        Task::Query(query) => {
            let query = query.upgrade()?;
            routing.route(
                kind.task_queue_type(),
                name,
                &query.key.workflow_id,
                &query.directive,
            )
        }
        // Of no workflow: each task is on its own, and a ramp takes its share of them.
        Task::Nexus(task) => {
            let id = task.upgrade()?.id.to_string();
            routing.route(kind.task_queue_type(), name, &id, &unversioned)
        }
    }
}

/// Most tasks have nothing to say.
pub(super) fn stored(directive: Directive) -> Option<Arc<Directive>> {
    (directive != Directive::default()).then(|| Arc::new(directive))
}
