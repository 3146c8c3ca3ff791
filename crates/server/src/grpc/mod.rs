//! The gRPC side of the API: one file an RPC.
//!
//! A request goes through [`service`]: its message is read, versions are checked, its namespace is
//! resolved; then the RPC's own file validates it, makes an input of it and shapes the answer. No
//! workflow rule lives here. May depend on everything in this crate but `main`.
//!
//! - [`handler`]: decodes, resolves the namespace, calls the function.
//! - [`table`]: which method is served by which function.
//! - [`service`]: from an HTTP request to a handler and back.
//! - [`listener`]: the port.
//! - [`validate`]: checks that several RPCs share.

// Clients still send what the API marks as deprecated, and tools still read it.
#![allow(deprecated)]

mod call;
mod handler;
mod listener;
mod service;
mod table;
#[cfg(test)]
mod tests;
mod validate;
mod versions;

mod activity_operator;
mod activity_target;
mod deployment;
mod health;
mod history_page;
mod namespace_view;
mod nexus_operation;
mod reflection;
mod schedule;
mod standalone_activity;
mod task_view;

mod count_activity_executions;
mod count_schedules;
mod count_workflow_executions;
mod create_schedule;
mod delete_activity_execution;
mod delete_schedule;
mod delete_workflow_execution;
mod deprecate_namespace;
mod describe_activity_execution;
mod describe_batch_operation;
mod describe_namespace;
mod describe_schedule;
mod describe_task_queue;
mod describe_workflow_execution;
mod execute_multi_operation;
mod get_cluster_info;
mod get_search_attributes;
mod get_system_info;
mod get_workflow_execution_history;
mod get_workflow_execution_history_reverse;
mod list_activity_executions;
mod list_archived_workflow_executions;
mod list_batch_operations;
mod list_closed_workflow_executions;
mod list_namespaces;
mod list_open_workflow_executions;
mod list_schedule_matching_times;
mod list_schedules;
mod list_task_queue_partitions;
mod list_workers;
mod list_workflow_executions;
mod nexus_endpoints;
mod operator;
mod operator_methods;
mod patch_schedule;
mod pause_activity;
mod pause_activity_execution;
mod pause_workflow_execution;
mod poll_activity_execution;
mod poll_activity_task_queue;
mod poll_nexus_task_queue;
mod poll_workflow_execution_time_skipping;
mod poll_workflow_execution_update;
mod poll_workflow_task_queue;
mod query_workflow;
mod record_activity_task_heartbeat;
mod record_worker_heartbeat;
mod register_namespace;
mod request_cancel_activity_execution;
mod request_cancel_workflow_execution;
mod reset_activity;
mod reset_activity_execution;
mod reset_sticky_task_queue;
mod reset_workflow_execution;
mod respond_activity_task_canceled;
mod respond_activity_task_completed;
mod respond_activity_task_failed;
mod respond_nexus_task_completed;
mod respond_nexus_task_failed;
mod respond_query_task_completed;
mod respond_workflow_task_completed;
mod respond_workflow_task_failed;
mod shutdown_worker;
mod signal_with_start_workflow_execution;
mod signal_workflow_execution;
mod start_activity_execution;
mod start_batch_operation;
mod start_workflow_execution;
mod stop_batch_operation;
mod terminate_activity_execution;
mod terminate_workflow_execution;
mod test_service;
mod time_skipping;
mod unpause_activity;
mod unpause_activity_execution;
mod unpause_workflow_execution;
mod update_activity_execution_options;
mod update_activity_options;
mod update_namespace;
mod update_schedule;
mod update_task_queue_config;
mod update_workflow_execution;
mod update_workflow_execution_options;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::limits::Limits;
use tokio::sync::watch;

pub use call::SERVER_VERSION;
pub use listener::serve;

use crate::batch::Batches;
use crate::error::WireError;
use crate::namespaces::{Entry, Namespaces};
use crate::node::Node;
use crate::time_skipping::TimeSkipping;

/// Everything that handlers use.
pub struct Frontend {
    /// Executions and task queues.
    pub node: Arc<Node>,
    /// The registry.
    pub namespaces: Arc<Namespaces>,
    /// The limits of requests.
    pub limits: Limits,
    /// How long a history read waits for news (`history.longPollExpirationInterval`).
    pub history_wait: Duration,
    /// Where the API is served.
    pub address: SocketAddr,
    /// Where HTTP is served.
    pub http_address: SocketAddr,
    /// Turns true when the server stops.
    pub stopping: watch::Receiver<bool>,
    pub(crate) batches: Batches,
    /// The clock, if it is one that tests may lock and unlock.
    pub time_skipping: Option<Arc<TimeSkipping>>,
    table: table::Table,
    counters: service::Counters,
    reflection: reflection::Reflection,
    worker_heartbeats: record_worker_heartbeat::WorkerHeartbeats,
}

/// What a handler gets of the server.
type Server = Arc<Frontend>;

impl Frontend {
    /// The namespace of this name.
    pub(crate) fn namespace(&self, name: &str) -> Result<Arc<Entry>, WireError> {
        validate::length(name, &self.limits, "Namespace length exceeds limit.")?;
        let found = self.namespaces.by_name(name);
        found.ok_or_else(|| WireError::namespace_not_found(name))
    }

    /// Puts a frontend before a node.
    pub fn new(
        node: Arc<Node>,
        namespaces: Arc<Namespaces>,
        limits: Limits,
        history_wait: Duration,
        address: SocketAddr,
        http_address: SocketAddr,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            node,
            namespaces,
            limits,
            history_wait,
            address,
            http_address,
            stopping,
            batches: Batches::default(),
            time_skipping: None,
            table: table::Table::new(),
            counters: service::Counters::default(),
            reflection: reflection::Reflection::new(),
            worker_heartbeats: record_worker_heartbeat::WorkerHeartbeats::default(),
        }
    }
}
