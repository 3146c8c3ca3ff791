//! What workers do: claim tasks and report on them. One file a verb.

pub(crate) mod activity_task;
pub(crate) mod activity_task_canceled;
pub(crate) mod activity_task_completed;
pub(crate) mod activity_task_failed;
pub(crate) mod activity_task_heartbeat;
pub(crate) mod activity_task_started;
pub(crate) mod completion_pages;
pub(crate) mod workflow_task_completed;
pub(crate) mod workflow_task_failed;
pub(crate) mod workflow_task_started;
