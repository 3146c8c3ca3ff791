//! The dispatch table: which method is served by which function, and what the others answer.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use engine::rejection::Rejection;
use engine::workflow::token;
use futures_util::future::BoxFuture;
use prost::Message;
use proto::temporal::api::enums::v1::NamespaceState;
use proto::temporal::api::errordetails::v1::NamespaceInvalidStateFailure;
use proto::temporal::api::workflowservice::v1 as api;
use tonic::Code;
use uuid::Uuid;

use super::call::{Call, Metadata, NamespaceCall};
use super::{Frontend, Server};
use crate::error::WireError;
use crate::namespaces::Entry;
use crate::wire::{self, Encode};

/// A framed answer, and the namespace that the call was about.
pub(super) struct Answer {
    pub(super) namespace: Option<Arc<str>>,
    pub(super) result: Result<Bytes, WireError>,
}

impl From<WireError> for Answer {
    fn from(error: WireError) -> Self {
        Self {
            namespace: None,
            result: Err(error),
        }
    }
}

type Handler = Box<dyn Fn(Server, Metadata, Bytes) -> BoxFuture<'static, Answer> + Send + Sync>;

/// A method of the API.
pub(super) struct Method {
    /// As in the API's definition.
    pub(super) name: &'static str,
    /// As metrics name it.
    pub(super) operation: Arc<str>,
    /// Whether it does what it is for, for the page of the documentation.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by the check of that page")
    )]
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
        for (name, handler) in workflow_service() {
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
        name,
        operation: format!("{prefix}{name}").into(),
        served,
        handler,
    }
}

/// What is served of WorkflowService.
fn workflow_service() -> Vec<(&'static str, Handler)> {
    use super::{
        count_workflow_executions, delete_workflow_execution, deprecate_namespace,
        describe_namespace, describe_task_queue, describe_workflow_execution, get_cluster_info,
        get_search_attributes, get_system_info, get_workflow_execution_history,
        get_workflow_execution_history_reverse, list_closed_workflow_executions, list_namespaces,
        list_open_workflow_executions, list_task_queue_partitions, list_workers,
        list_workflow_executions, poll_activity_task_queue, poll_nexus_task_queue,
        poll_workflow_task_queue, query_workflow, record_activity_task_heartbeat,
        record_worker_heartbeat, register_namespace, request_cancel_workflow_execution,
        reset_sticky_task_queue, respond_activity_task_canceled, respond_activity_task_completed,
        respond_activity_task_failed, respond_query_task_completed,
        respond_workflow_task_completed, respond_workflow_task_failed, shutdown_worker,
        signal_with_start_workflow_execution, signal_workflow_execution, start_workflow_execution,
        terminate_workflow_execution, update_namespace,
    };
    vec![
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
        ("ShutdownWorker", named(shutdown_worker::handle)),
        (
            "RecordWorkerHeartbeat",
            named(record_worker_heartbeat::handle),
        ),
        ("ListWorkers", named(list_workers::list)),
        ("CountWorkers", named(list_workers::count)),
        ("DescribeWorker", named(list_workers::describe)),
    ]
}

/// What is served of OperatorService.
fn operator_service() -> Vec<(&'static str, Handler)> {
    use super::operator;
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
    ]
}

/// What a method answers that is not served: those that the reference has switched off answer as it
/// does, so that clients which try them go on; the others give their name.
fn unserved(name: &'static str) -> Handler {
    let (code, message) = match name {
        "UpdateWorkerBuildIdCompatibility" | "GetWorkerBuildIdCompatibility" => (
            Code::PermissionDenied,
            "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace."
                .into(),
        ),
        "UpdateWorkerVersioningRules"
        | "GetWorkerVersioningRules"
        | "GetWorkerTaskReachability" => (
            Code::PermissionDenied,
            "Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace."
                .into(),
        ),
        "DescribeDeployment"
        | "ListDeployments"
        | "GetDeploymentReachability"
        | "GetCurrentDeployment"
        | "SetCurrentDeployment" => (
            Code::Unimplemented,
            "Deployments are deprecated and no longer supported, use Worker Deployments instead"
                .into(),
        ),
        "CreateWorkflowRule"
        | "DescribeWorkflowRule"
        | "DeleteWorkflowRule"
        | "ListWorkflowRules"
        | "TriggerWorkflowRule" => (Code::Unimplemented, format!("method {name} not supported")),
        "FetchWorkerConfig" | "UpdateWorkerConfig" => (
            Code::Unimplemented,
            format!("{name} command is not enabled."),
        ),
        "ListArchivedWorkflowExecutions" => (
            Code::InvalidArgument,
            "Cluster is not configured for visibility archival.".into(),
        ),
        _ if name.contains("NexusOperation") => (
            Code::Unimplemented,
            format!("{name}: Standalone Nexus operation is disabled"),
        ),
        _ => (
            Code::Unimplemented,
            format!("{name} is not served by this version of Steadfast"),
        ),
    };
    Box::new(move |_, _, _| {
        let error = WireError::new(code, message.clone());
        Box::pin(async move { Answer::from(error) })
    })
}

/// A method that is about no namespace, or finds its own.
fn plain<R, A, F, H>(handle: H) -> Handler
where
    R: Message + Default + Send + 'static,
    A: Encode,
    F: Future<Output = Result<A, WireError>> + Send + 'static,
    H: Fn(Server, Call<R>) -> F + Copy + Send + Sync + 'static,
{
    Box::new(move |server, metadata, message| {
        Box::pin(async move {
            let result = async {
                metadata.check_versions()?;
                let call = Call {
                    request: wire::decode(message)?,
                    metadata,
                    namespace: (),
                };
                handle(server, call).await
            };
            Answer {
                namespace: None,
                result: result.await.map(|answer| wire::frame(&answer)),
            }
        })
    })
}

/// A method in a namespace that may be deprecated.
fn named<R, A, F, H>(handle: H) -> Handler
where
    R: Message + Default + NamesNamespace + Send + 'static,
    A: Encode,
    F: Future<Output = Result<A, WireError>> + Send + 'static,
    H: Fn(Server, NamespaceCall<R>) -> F + Copy + Send + Sync + 'static,
{
    in_namespace(find_named, handle)
}

/// A method that opens runs, so its namespace must be registered.
fn starting<R, A, F, H>(handle: H) -> Handler
where
    R: Message + Default + NamesNamespace + Send + 'static,
    A: Encode,
    F: Future<Output = Result<A, WireError>> + Send + 'static,
    H: Fn(Server, NamespaceCall<R>) -> F + Copy + Send + Sync + 'static,
{
    in_namespace(
        |server, request: &R| {
            let entry = find_named(server, request)?;
            if entry.is_registered() {
                return Ok(entry);
            }
            let state = entry.record.state();
            Err(WireError::failed_precondition(format!(
                "Namespace has invalid state: {}. Must be Registered.",
                super::namespace_view::state_name(state)
            ))
            .with(&NamespaceInvalidStateFailure {
                namespace: entry.record.name.clone(),
                state: state.into(),
                allowed_states: vec![NamespaceState::Registered.into()],
            }))
        },
        handle,
    )
}

/// A method with a task token, which also says the namespace. The handler gets the decoded token.
fn token<R, T, A, F, H>(decode: fn(&Bytes) -> Result<(T, Uuid), Rejection>, handle: H) -> Handler
where
    R: Message + Default + HasToken + Send + 'static,
    T: Send + 'static,
    A: Encode,
    F: Future<Output = Result<A, WireError>> + Send + 'static,
    H: Fn(Server, NamespaceCall<R>, T) -> F + Copy + Send + Sync + 'static,
{
    Box::new(move |server, metadata, message| {
        Box::pin(async move {
            let mut namespace = None;
            let result = async {
                metadata.check_versions()?;
                let request: R = wire::decode(message)?;
                let named = match request.namespace() {
                    "" => None,
                    _ => Some(find_named(&server, &request)?),
                };
                let (token, id) = decode(request.task_token())?;
                let entry = match named {
                    Some(entry) if entry.namespace.id == id => entry,
                    Some(_) => {
                        return Err(WireError::invalid(
                            "Operation requested with a token from a different namespace.",
                        ));
                    }
                    None => find_by_id(&server, id)?,
                };
                namespace = Some(entry.namespace.name.clone());
                let call = Call {
                    request,
                    metadata,
                    namespace: entry.namespace.clone(),
                };
                handle(server, call, token).await
            }
            .await;
            Answer {
                namespace,
                result: result.map(|answer| wire::frame(&answer)),
            }
        })
    })
}

fn in_namespace<R, A, F, H>(
    find: impl Fn(&Frontend, &R) -> Result<Arc<Entry>, WireError> + Copy + Send + Sync + 'static,
    handle: H,
) -> Handler
where
    R: Message + Default + Send + 'static,
    A: Encode,
    F: Future<Output = Result<A, WireError>> + Send + 'static,
    H: Fn(Server, NamespaceCall<R>) -> F + Copy + Send + Sync + 'static,
{
    Box::new(move |server, metadata, message| {
        Box::pin(async move {
            let mut namespace = None;
            let result = async {
                metadata.check_versions()?;
                let request: R = wire::decode(message)?;
                let entry = find(&server, &request)?;
                namespace = Some(entry.namespace.name.clone());
                let call = Call {
                    request,
                    metadata,
                    namespace: entry.namespace.clone(),
                };
                handle(server, call).await
            }
            .await;
            Answer {
                namespace,
                result: result.map(|answer| wire::frame(&answer)),
            }
        })
    })
}

fn find_named<R: NamesNamespace>(server: &Frontend, request: &R) -> Result<Arc<Entry>, WireError> {
    find(server, request.namespace())
}

/// The namespace of this name.
pub(super) fn find(server: &Frontend, name: &str) -> Result<Arc<Entry>, WireError> {
    if name.is_empty() {
        return Err(WireError::invalid("Namespace is empty."));
    }
    server
        .namespaces
        .by_name(name)
        .ok_or_else(|| WireError::namespace_not_found(name))
}

fn find_by_id(server: &Frontend, id: Uuid) -> Result<Arc<Entry>, WireError> {
    let entry = server
        .namespaces
        .by_id(id)
        .filter(|entry| !entry.is_deleted());
    entry.ok_or_else(|| WireError::namespace_not_found(&id.to_string()))
}

fn workflow_token(bytes: &Bytes) -> Result<(token::WorkflowTaskToken, Uuid), Rejection> {
    token::workflow_task(bytes).map(|token| {
        let id = token::id(&token.namespace_id);
        (token, id)
    })
}

fn activity_token(bytes: &Bytes) -> Result<(token::ActivityTaskToken, Uuid), Rejection> {
    token::activity_task(bytes).map(|token| {
        let id = token::id(&token.namespace_id);
        (token, id)
    })
}

fn query_token(bytes: &Bytes) -> Result<(token::QueryTaskToken, Uuid), Rejection> {
    token::query_task(bytes).map(|token| {
        let id = token::id(&token.namespace_id);
        (token, id)
    })
}

/// A request with the name of its namespace.
pub(super) trait NamesNamespace {
    fn namespace(&self) -> &str;
}

/// A request with a task token.
pub(super) trait HasToken: NamesNamespace {
    fn task_token(&self) -> &Bytes;
}

macro_rules! names_namespace {
    ($($request:ident),* $(,)?) => {
        $(impl NamesNamespace for api::$request {
            fn namespace(&self) -> &str {
                &self.namespace
            }
        })*
    };
}

macro_rules! has_token {
    ($($request:ident),* $(,)?) => {
        names_namespace!($($request),*);
        $(impl HasToken for api::$request {
            fn task_token(&self) -> &Bytes {
                &self.task_token
            }
        })*
    };
}

names_namespace!(
    CountWorkersRequest,
    CountWorkflowExecutionsRequest,
    DeleteWorkflowExecutionRequest,
    DescribeTaskQueueRequest,
    DescribeWorkerRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListClosedWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsRequest,
    ListTaskQueuePartitionsRequest,
    ListWorkersRequest,
    ListWorkflowExecutionsRequest,
    PollActivityTaskQueueRequest,
    PollNexusTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    QueryWorkflowRequest,
    RecordActivityTaskHeartbeatByIdRequest,
    RecordWorkerHeartbeatRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetStickyTaskQueueRequest,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskFailedByIdRequest,
    ScanWorkflowExecutionsRequest,
    ShutdownWorkerRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
);

has_token!(
    RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
);

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

    /// The table of the documentation says what the dispatch table says.
    #[test]
    fn the_documented_coverage_is_the_real_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api-coverage.md");
        let table = Table::new();
        let mut expected = String::new();
        for (service, names, methods) in [
            (
                "WorkflowService",
                proto::WORKFLOW_SERVICE_METHODS,
                &table.workflow,
            ),
            (
                "OperatorService",
                proto::OPERATOR_SERVICE_METHODS,
                &table.operator,
            ),
        ] {
            let served = methods.values().filter(|method| method.served).count();
            expected += &format!(
                "\n## {service}: {served} of {} served\n\n| RPC | state |\n|---|---|\n",
                names.len()
            );
            for name in names {
                let state = if methods[name].served {
                    "served"
                } else {
                    "not served"
                };
                expected += &format!("| {name} | {state} |\n");
            }
        }
        let document = std::fs::read_to_string(path).unwrap();
        let (head, body) = document.split_once("<!-- generated -->\n").unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, format!("{head}<!-- generated -->\n{expected}")).unwrap();
            return;
        }
        assert_eq!(
            body, expected,
            "run this test with UPDATE_DOCS=1 and read the difference"
        );
    }
}
