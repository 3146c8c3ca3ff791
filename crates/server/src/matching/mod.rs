//! Matching: ready tasks meet waiting pollers, in memory, per namespace, task queue and kind.
//!
//! The rules are `engine::matching`'s; here is only the waiting. Matching calls nobody: a poll takes a
//! reference from here and claims it at its execution.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// What kind of tasks a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueKind {
    /// Workflow tasks and queries.
    Workflow,
    /// Activity tasks.
    Activity,
}

/// All task queues of this node. Cheap to clone.
#[derive(Clone)]
pub struct Matching {}

/// What DescribeTaskQueue tells.
#[derive(Debug, Clone, Default)]
pub struct QueueDescription {
    /// Those who polled in the last five minutes.
    pub pollers: Vec<PollerInfo>,
    /// Tasks that wait.
    pub backlog_count: i64,
    /// Age of the oldest of them; zero without one.
    pub backlog_age: Duration,
    /// Tasks that came in per second, recently.
    pub add_rate: f32,
    /// Tasks that went out per second, recently.
    pub dispatch_rate: f32,
}

/// A worker that polls.
#[derive(Debug, Clone)]
pub struct PollerInfo {
    /// Its identity.
    pub identity: String,
    /// When it last polled.
    pub last_access_time: SystemTime,
}

impl Matching {
    /// What is known of a queue; all zero for one that nobody has used lately.
    pub fn describe(&self, namespace: Uuid, queue: &str, kind: QueueKind) -> QueueDescription {
        todo!()
    }

    /// Forgets a sticky queue whose worker shuts down: what waits on it goes to the normal queues.
    pub fn unload_sticky(&self, namespace: Uuid, queue: &str) {
        todo!()
    }
}
