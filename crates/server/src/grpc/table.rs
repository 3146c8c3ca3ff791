//! The dispatch table: which method is served by which function, and what the others answer.

use std::collections::HashMap;
use std::sync::Arc;

use proto::temporal::api::errordetails::v1::PermissionDeniedFailure;
use tonic::Code;

use super::deployment;
use super::handler::{
    Answer, Handler, activity_token, named, nexus_token, plain, query_token, refused, starting,
    token, workflow_token,
};
use crate::error::WireError;

/// A method of the API.
pub(super) struct Method {
    /// As metrics name it.
    pub(super) operation: Arc<str>,
    /// Whether it does what it is for, for the page of the documentation.
    pub(super) served: bool,
    pub(super) handler: Handler,
}

/// All methods of both services.
pub(super) struct Table {
    workflow: HashMap<&'static str, Method>,
    operator: HashMap<&'static str, Method>,
}

impl Table {
    pub(super) fn workflow(&self, name: &str) -> Option<&Method> {
        self.workflow.get(name)
    }

    pub(super) fn operator(&self, name: &str) -> Option<&Method> {
        self.operator.get(name)
    }

    pub(super) fn new() -> Self {
        let mut table = Self {
            workflow: HashMap::new(),
            operator: HashMap::new(),
        };
        for name in proto::WORKFLOW_SERVICE_METHODS {
            table
                .workflow
                .insert(name, method(name, "", false, unserved(name)));
        }
        for name in proto::OPERATOR_SERVICE_METHODS {
            table
                .operator
                .insert(name, method(name, "Operator", false, unserved(name)));
        }
        let methods = workflow_service().into_iter().chain(deployment::methods());
        for (name, handler) in methods.chain(super::operator_methods::methods()) {
            table.workflow.insert(name, method(name, "", true, handler));
        }
        for (name, handler) in schedules() {
            table.workflow.insert(name, method(name, "", true, handler));
        }
        for (name, handler) in operator_service() {
            table
                .operator
                .insert(name, method(name, "Operator", true, handler));
        }
        table
    }
}

fn method(name: &'static str, prefix: &str, served: bool, handler: Handler) -> Method {
    Method {
        operation: format!("{prefix}{name}").into(),
        served,
        handler,
    }
}

/// What is served of schedules.
fn schedules() -> Vec<(&'static str, Handler)> {
    use super::{
        count_schedules, create_schedule, delete_schedule, describe_schedule,
        list_schedule_matching_times, list_schedules, patch_schedule, update_schedule,
    };
    vec![
        ("CreateSchedule", named(create_schedule::handle)),
        ("DescribeSchedule", named(describe_schedule::handle)),
        ("UpdateSchedule", named(update_schedule::handle)),
        ("PatchSchedule", named(patch_schedule::handle)),
        (
            "ListScheduleMatchingTimes",
            named(list_schedule_matching_times::handle),
        ),
        ("DeleteSchedule", named(delete_schedule::handle)),
        ("ListSchedules", named(list_schedules::handle)),
        ("CountSchedules", named(count_schedules::handle)),
    ]
}

/// What is served of WorkflowService.
fn workflow_service() -> Vec<(&'static str, Handler)> {
    use super::{
        count_workflow_executions, delete_workflow_execution, deprecate_namespace,
        describe_batch_operation, describe_namespace, describe_task_queue,
        describe_workflow_execution, execute_multi_operation, get_cluster_info,
        get_search_attributes, get_system_info, get_workflow_execution_history,
        get_workflow_execution_history_reverse, list_batch_operations,
        list_closed_workflow_executions, list_namespaces, list_open_workflow_executions,
        list_task_queue_partitions, list_workers, list_workflow_executions,
        poll_activity_task_queue, poll_nexus_task_queue, poll_workflow_execution_time_skipping,
        poll_workflow_execution_update, poll_workflow_task_queue, query_workflow,
        record_activity_task_heartbeat, record_worker_heartbeat, register_namespace,
        request_cancel_workflow_execution, reset_sticky_task_queue, respond_activity_task_canceled,
        respond_activity_task_completed, respond_activity_task_failed,
        respond_nexus_task_completed, respond_nexus_task_failed, respond_query_task_completed,
        respond_workflow_task_completed, respond_workflow_task_failed, shutdown_worker,
        signal_with_start_workflow_execution, signal_workflow_execution, start_batch_operation,
        start_workflow_execution, stop_batch_operation, terminate_workflow_execution,
        update_namespace, update_workflow_execution,
    };
    let mut served = vec![
        ("RegisterNamespace", plain(register_namespace::handle)),
        ("DescribeNamespace", plain(describe_namespace::handle)),
        ("ListNamespaces", plain(list_namespaces::handle)),
        ("UpdateNamespace", plain(update_namespace::handle)),
        ("DeprecateNamespace", plain(deprecate_namespace::handle)),
        ("GetClusterInfo", plain(get_cluster_info::handle)),
        ("GetSystemInfo", plain(get_system_info::handle)),
        ("GetSearchAttributes", plain(get_search_attributes::handle)),
        (
            "StartWorkflowExecution",
            starting(start_workflow_execution::handle),
        ),
        (
            "SignalWithStartWorkflowExecution",
            starting(signal_with_start_workflow_execution::handle),
        ),
        (
            "SignalWorkflowExecution",
            named(signal_workflow_execution::handle),
        ),
        (
            "RequestCancelWorkflowExecution",
            named(request_cancel_workflow_execution::handle),
        ),
        (
            "TerminateWorkflowExecution",
            named(terminate_workflow_execution::handle),
        ),
        (
            "UpdateTaskQueueConfig",
            named(super::update_task_queue_config::handle),
        ),
        (
            "ListArchivedWorkflowExecutions",
            named(super::list_archived_workflow_executions::handle),
        ),
        (
            "DeleteWorkflowExecution",
            named(delete_workflow_execution::handle),
        ),
        (
            "GetWorkflowExecutionHistory",
            named(get_workflow_execution_history::handle),
        ),
        (
            "GetWorkflowExecutionHistoryReverse",
            named(get_workflow_execution_history_reverse::handle),
        ),
        (
            "DescribeWorkflowExecution",
            named(describe_workflow_execution::handle),
        ),
        ("QueryWorkflow", named(query_workflow::handle)),
        (
            "UpdateWorkflowExecution",
            named(update_workflow_execution::handle),
        ),
        (
            "PollWorkflowExecutionUpdate",
            named(poll_workflow_execution_update::handle),
        ),
        (
            "PollWorkflowExecutionTimeSkipping",
            named(poll_workflow_execution_time_skipping::handle),
        ),
        (
            "ExecuteMultiOperation",
            named(execute_multi_operation::handle),
        ),
        (
            "ResetStickyTaskQueue",
            named(reset_sticky_task_queue::handle),
        ),
        (
            "PollWorkflowTaskQueue",
            named(poll_workflow_task_queue::handle),
        ),
        (
            "PollActivityTaskQueue",
            named(poll_activity_task_queue::handle),
        ),
        ("PollNexusTaskQueue", named(poll_nexus_task_queue::handle)),
        (
            "RespondNexusTaskCompleted",
            token(nexus_token, respond_nexus_task_completed::handle),
        ),
        (
            "RespondNexusTaskFailed",
            token(nexus_token, respond_nexus_task_failed::handle),
        ),
        (
            "RespondWorkflowTaskCompleted",
            token(workflow_token, respond_workflow_task_completed::handle),
        ),
        (
            "RespondWorkflowTaskFailed",
            token(workflow_token, respond_workflow_task_failed::handle),
        ),
        (
            "RespondQueryTaskCompleted",
            token(query_token, respond_query_task_completed::handle),
        ),
        (
            "RespondActivityTaskCompleted",
            token(activity_token, respond_activity_task_completed::by_token),
        ),
        (
            "RespondActivityTaskCompletedById",
            named(respond_activity_task_completed::by_id),
        ),
        (
            "RespondActivityTaskFailed",
            token(activity_token, respond_activity_task_failed::by_token),
        ),
        (
            "RespondActivityTaskFailedById",
            named(respond_activity_task_failed::by_id),
        ),
        (
            "RespondActivityTaskCanceled",
            token(activity_token, respond_activity_task_canceled::by_token),
        ),
        (
            "RespondActivityTaskCanceledById",
            named(respond_activity_task_canceled::by_id),
        ),
        (
            "RecordActivityTaskHeartbeat",
            token(activity_token, record_activity_task_heartbeat::by_token),
        ),
        (
            "RecordActivityTaskHeartbeatById",
            named(record_activity_task_heartbeat::by_id),
        ),
        (
            "ListWorkflowExecutions",
            named(list_workflow_executions::list),
        ),
        (
            "ScanWorkflowExecutions",
            named(list_workflow_executions::scan),
        ),
        (
            "ListOpenWorkflowExecutions",
            named(list_open_workflow_executions::handle),
        ),
        (
            "ListClosedWorkflowExecutions",
            named(list_closed_workflow_executions::handle),
        ),
        (
            "CountWorkflowExecutions",
            named(count_workflow_executions::handle),
        ),
        ("DescribeTaskQueue", named(describe_task_queue::handle)),
        (
            "ListTaskQueuePartitions",
            named(list_task_queue_partitions::handle),
        ),
        ("StartBatchOperation", named(start_batch_operation::handle)),
        ("StopBatchOperation", named(stop_batch_operation::handle)),
        (
            "DescribeBatchOperation",
            named(describe_batch_operation::handle),
        ),
        ("ListBatchOperations", named(list_batch_operations::handle)),
        ("ShutdownWorker", named(shutdown_worker::handle)),
        (
            "RecordWorkerHeartbeat",
            named(record_worker_heartbeat::handle),
        ),
        ("ListWorkers", named(list_workers::list)),
        ("CountWorkers", named(list_workers::count)),
        ("DescribeWorker", named(list_workers::describe)),
    ];
    served.extend(standalone_activities());
    served.extend(standalone_nexus_operations());
    served
}

/// What is served of standalone activities.
fn standalone_activities() -> Vec<(&'static str, Handler)> {
    use super::{
        count_activity_executions, delete_activity_execution, describe_activity_execution,
        list_activity_executions, poll_activity_execution, request_cancel_activity_execution,
        start_activity_execution, terminate_activity_execution,
    };
    vec![
        (
            "StartActivityExecution",
            starting(start_activity_execution::handle),
        ),
        (
            "DescribeActivityExecution",
            named(describe_activity_execution::handle),
        ),
        (
            "PollActivityExecution",
            named(poll_activity_execution::handle),
        ),
        (
            "ListActivityExecutions",
            named(list_activity_executions::handle),
        ),
        (
            "CountActivityExecutions",
            named(count_activity_executions::handle),
        ),
        (
            "RequestCancelActivityExecution",
            named(request_cancel_activity_execution::handle),
        ),
        (
            "TerminateActivityExecution",
            named(terminate_activity_execution::handle),
        ),
        (
            "DeleteActivityExecution",
            named(delete_activity_execution::handle),
        ),
    ]
}

/// What is served of standalone Nexus operations.
fn standalone_nexus_operations() -> Vec<(&'static str, Handler)> {
    use super::nexus_operation::{
        count_nexus_operation_executions, delete_nexus_operation_execution,
        describe_nexus_operation_execution, list_nexus_operation_executions,
        poll_nexus_operation_execution, request_cancel_nexus_operation_execution,
        start_nexus_operation_execution, terminate_nexus_operation_execution,
    };
    vec![
        (
            "StartNexusOperationExecution",
            starting(start_nexus_operation_execution::handle),
        ),
        (
            "DescribeNexusOperationExecution",
            named(describe_nexus_operation_execution::handle),
        ),
        (
            "PollNexusOperationExecution",
            named(poll_nexus_operation_execution::handle),
        ),
        (
            "ListNexusOperationExecutions",
            named(list_nexus_operation_executions::handle),
        ),
        (
            "CountNexusOperationExecutions",
            named(count_nexus_operation_executions::handle),
        ),
        (
            "RequestCancelNexusOperationExecution",
            named(request_cancel_nexus_operation_execution::handle),
        ),
        (
            "TerminateNexusOperationExecution",
            named(terminate_nexus_operation_execution::handle),
        ),
        (
            "DeleteNexusOperationExecution",
            named(delete_nexus_operation_execution::handle),
        ),
    ]
}

/// What is served of OperatorService.
fn operator_service() -> Vec<(&'static str, Handler)> {
    use super::{nexus_endpoints, operator};
    vec![
        (
            "AddSearchAttributes",
            plain(operator::add_search_attributes),
        ),
        (
            "RemoveSearchAttributes",
            plain(operator::remove_search_attributes),
        ),
        (
            "ListSearchAttributes",
            plain(operator::list_search_attributes),
        ),
        ("DeleteNamespace", plain(operator::delete_namespace)),
        ("ListClusters", plain(operator::list_clusters)),
        ("CreateNexusEndpoint", plain(nexus_endpoints::create)),
        ("UpdateNexusEndpoint", plain(nexus_endpoints::update)),
        ("DeleteNexusEndpoint", plain(nexus_endpoints::delete)),
        ("GetNexusEndpoint", plain(nexus_endpoints::get)),
        ("ListNexusEndpoints", plain(nexus_endpoints::list)),
    ]
}

/// What a method answers that is not served: those that the reference has switched off answer as it
/// does, so that clients which try them go on; the others give their name.
fn unserved(name: &'static str) -> Handler {
    let deprecated = |version: &str| {
        WireError::new(
            Code::PermissionDenied,
            format!("Worker versioning {version}, deprecated) is disabled on this namespace."),
        )
        .with(&PermissionDeniedFailure::default())
    };
    let unimplemented = |message: String| WireError::new(Code::Unimplemented, message);
    let error = match name {
        "UpdateWorkerBuildIdCompatibility" | "GetWorkerBuildIdCompatibility" => {
            deprecated("v0.1 (Version Set-based")
        }
        "UpdateWorkerVersioningRules"
        | "GetWorkerVersioningRules"
        | "GetWorkerTaskReachability" => deprecated("v0.2 (Rules-based"),
        "DescribeDeployment"
        | "ListDeployments"
        | "GetDeploymentReachability"
        | "GetCurrentDeployment"
        | "SetCurrentDeployment" => unimplemented(
            "Deployments are deprecated and no longer supported, use Worker Deployments instead"
                .into(),
        ),
        "CreateWorkflowRule"
        | "DescribeWorkflowRule"
        | "DeleteWorkflowRule"
        | "ListWorkflowRules"
        | "TriggerWorkflowRule" => unimplemented(format!("method {name} not supported")),
        "FetchWorkerConfig" | "UpdateWorkerConfig" => {
            unimplemented(format!("{name} command is not enabled."))
        }
        _ => {
            let message = format!("{name} is not served by this version of Steadfast");
            let error = unimplemented(message);
            return Box::new(move |_, _, _| {
                let error = error.clone();
                Box::pin(async move { Answer::from(error) })
            });
        }
    };
    refused(error)
}

#[cfg(test)]
mod coverage;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_method_of_the_api_is_in_the_table() {
        let table = Table::new();
        let known: BTreeSet<_> = table.workflow.keys().copied().collect();
        assert_eq!(
            known,
            proto::WORKFLOW_SERVICE_METHODS.iter().copied().collect()
        );
        let known: BTreeSet<_> = table.operator.keys().copied().collect();
        assert_eq!(
            known,
            proto::OPERATOR_SERVICE_METHODS.iter().copied().collect()
        );
    }
}
