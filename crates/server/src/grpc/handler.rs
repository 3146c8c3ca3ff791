//! From the bytes of a request to its function and back: versions checked, decoded, the namespace
//! found. One kind of handler for each way in which a request says what namespace it is about.

use std::sync::Arc;

use bytes::Bytes;
use engine::rejection::Rejection;
use engine::workflow::token;
use futures_util::future::{BoxFuture, FutureExt, ready};
use prost::Message;
use proto::temporal::api::enums::v1::NamespaceState;
use proto::temporal::api::errordetails::v1::NamespaceInvalidStateFailure;
use proto::temporal::api::workflowservice::v1 as api;
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

/// A method, from an encoded request to a framed answer.
pub(super) type Handler =
    Box<dyn Fn(Server, Metadata, Bytes) -> BoxFuture<'static, Answer> + Send + Sync>;

/// A method that is about no namespace, or finds its own.
pub(super) fn plain<R, A, F, H>(handle: H) -> Handler
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
pub(super) fn named<R, A, F, H>(handle: H) -> Handler
where
    R: Message + Default + NamesNamespace + Send + 'static,
    A: Encode,
    F: Future<Output = Result<A, WireError>> + Send + 'static,
    H: Fn(Server, NamespaceCall<R>) -> F + Copy + Send + Sync + 'static,
{
    in_namespace(find_named, handle)
}

/// A method that opens runs, so its namespace must be registered.
pub(super) fn starting<R, A, F, H>(handle: H) -> Handler
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
pub(super) fn token<R, T, A, F, H>(
    decode: fn(&Bytes) -> Result<(T, Uuid), Rejection>,
    handle: H,
) -> Handler
where
    R: Message + Default + HasToken + Send + 'static,
    T: Send + 'static,
    A: Encode,
    F: Future<Output = Result<A, WireError>> + Send + 'static,
    H: Fn(Server, NamespaceCall<R>, T) -> F + Copy + Send + Sync + 'static,
{
    let prepare = move |server: &Server, metadata: Metadata, message| {
        metadata.check_versions()?;
        let request: R = wire::decode(message)?;
        let named = match request.namespace() {
            "" => None,
            _ => Some(find_named(server, &request)?),
        };
        let (token, id) = decode(request.task_token())?;
        let entry = match named {
            Some(entry) if entry.namespace.id == id => entry,
            Some(_) => {
                return Err(WireError::invalid(
                    "Operation requested with a token from a different namespace.",
                ));
            }
            None => find_by_id(server, id)?,
        };
        Ok::<_, WireError>((request, metadata, entry, token))
    };
    Box::new(move |server, metadata, message| {
        let (request, metadata, entry, token) = match prepare(&server, metadata, message) {
            Ok(prepared) => prepared,
            Err(error) => return Box::pin(ready(Answer::from(error))),
        };
        let call = Call {
            request,
            metadata,
            namespace: entry.namespace.clone(),
        };
        answering(&entry, handle(server, call, token))
    })
}

/// A method that is off, in a namespace that must exist all the same.
pub(super) fn refused(error: WireError) -> Handler {
    /// Every request of a namespace begins with its name.
    #[derive(Clone, PartialEq, Message)]
    struct Named {
        #[prost(string, tag = "1")]
        namespace: String,
    }
    Box::new(move |server, metadata, message| {
        let error = error.clone();
        Box::pin(async move {
            let checked = metadata
                .check_versions()
                .and_then(|()| wire::decode::<Named>(message))
                .and_then(|named| find(&server, &named.namespace));
            match checked {
                Ok(_) => Answer::from(error),
                Err(refused) => Answer::from(refused),
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
    let prepare = move |server: &Server, metadata: &Metadata, message| {
        metadata.check_versions()?;
        let request: R = wire::decode(message)?;
        let entry = find(server, &request)?;
        Ok::<_, WireError>((request, entry))
    };
    Box::new(move |server, metadata, message| {
        let (request, entry) = match prepare(&server, &metadata, message) {
            Ok(prepared) => prepared,
            Err(error) => return Box::pin(ready(Answer::from(error))),
        };
        let call = Call {
            request,
            metadata,
            namespace: entry.namespace.clone(),
        };
        answering(&entry, handle(server, call))
    })
}

/// What a handler finds, as the answer of a call about a namespace.
///
/// Futures of handlers are large, and one inside another is copied each time that it moves outwards: so
/// nothing is wrapped around them but this, and the way to them has no future of its own.
fn answering<A: Encode>(
    entry: &Entry,
    handling: impl Future<Output = Result<A, WireError>> + Send + 'static,
) -> BoxFuture<'static, Answer> {
    let namespace = Some(entry.namespace.name.clone());
    Box::pin(handling.map(|result| Answer {
        namespace,
        result: result.map(|answer| wire::frame(&answer)),
    }))
}

fn find_named<R: NamesNamespace>(server: &Frontend, request: &R) -> Result<Arc<Entry>, WireError> {
    find(server, request.namespace())
}

/// The namespace of this name.
pub(super) fn find(server: &Frontend, name: &str) -> Result<Arc<Entry>, WireError> {
    if name.is_empty() {
        return Err(WireError::invalid("Namespace is empty."));
    }
    server.namespace(name)
}

fn find_by_id(server: &Frontend, id: Uuid) -> Result<Arc<Entry>, WireError> {
    let entry = server
        .namespaces
        .by_id(id)
        .filter(|entry| !entry.is_deleted());
    entry.ok_or_else(|| WireError::namespace_not_found(&id.to_string()))
}

pub(super) fn workflow_token(bytes: &Bytes) -> Result<(token::WorkflowTaskToken, Uuid), Rejection> {
    token::workflow_task(bytes).map(|token| {
        let id = token::id(&token.namespace_id);
        (token, id)
    })
}

pub(super) fn activity_token(bytes: &Bytes) -> Result<(token::ActivityTaskToken, Uuid), Rejection> {
    token::activity_task(bytes).map(|token| {
        let id = token::id(&token.namespace_id);
        (token, id)
    })
}

pub(super) fn query_token(bytes: &Bytes) -> Result<(token::QueryTaskToken, Uuid), Rejection> {
    token::query_task(bytes).map(|token| {
        let id = token::id(&token.namespace_id);
        (token, id)
    })
}

pub(super) fn nexus_token(bytes: &Bytes) -> Result<(token::NexusTaskToken, Uuid), Rejection> {
    token::nexus_task(bytes).map(|token| {
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
    CountSchedulesRequest,
    CreateScheduleRequest,
    DeleteScheduleRequest,
    DescribeScheduleRequest,
    ListScheduleMatchingTimesRequest,
    ListSchedulesRequest,
    PatchScheduleRequest,
    UpdateScheduleRequest,
);

names_namespace!(
    CountWorkersRequest,
    CountWorkflowExecutionsRequest,
    DeleteWorkflowExecutionRequest,
    DescribeBatchOperationRequest,
    DescribeTaskQueueRequest,
    DescribeWorkerRequest,
    DescribeWorkflowExecutionRequest,
    ExecuteMultiOperationRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListArchivedWorkflowExecutionsRequest,
    ListBatchOperationsRequest,
    ListClosedWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsRequest,
    ListTaskQueuePartitionsRequest,
    ListWorkersRequest,
    ListWorkflowExecutionsRequest,
    UpdateWorkflowExecutionOptionsRequest,
    ResetWorkflowExecutionRequest,
    PauseActivityRequest,
    UnpauseActivityRequest,
    ResetActivityRequest,
    UpdateActivityOptionsRequest,
    PauseActivityExecutionRequest,
    UnpauseActivityExecutionRequest,
    ResetActivityExecutionRequest,
    UpdateActivityExecutionOptionsRequest,
    PauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
    PollActivityTaskQueueRequest,
    PollNexusTaskQueueRequest,
    PollWorkflowExecutionTimeSkippingRequest,
    PollWorkflowExecutionUpdateRequest,
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
    StartBatchOperationRequest,
    StartWorkflowExecutionRequest,
    StopBatchOperationRequest,
    TerminateWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
    UpdateTaskQueueConfigRequest,
);

names_namespace!(
    CountActivityExecutionsRequest,
    DeleteActivityExecutionRequest,
    DescribeActivityExecutionRequest,
    ListActivityExecutionsRequest,
    PollActivityExecutionRequest,
    RequestCancelActivityExecutionRequest,
    StartActivityExecutionRequest,
    TerminateActivityExecutionRequest,
);

names_namespace!(
    CountNexusOperationExecutionsRequest,
    DeleteNexusOperationExecutionRequest,
    DescribeNexusOperationExecutionRequest,
    ListNexusOperationExecutionsRequest,
    PollNexusOperationExecutionRequest,
    RequestCancelNexusOperationExecutionRequest,
    StartNexusOperationExecutionRequest,
    TerminateNexusOperationExecutionRequest,
);

names_namespace!(
    CreateWorkerDeploymentRequest,
    CreateWorkerDeploymentVersionRequest,
    DeleteWorkerDeploymentRequest,
    DeleteWorkerDeploymentVersionRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    ListWorkerDeploymentsRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentManagerRequest,
    SetWorkerDeploymentRampingVersionRequest,
    UpdateWorkerDeploymentVersionComputeConfigRequest,
    UpdateWorkerDeploymentVersionMetadataRequest,
    ValidateWorkerDeploymentVersionComputeConfigRequest,
);

has_token!(
    RespondNexusTaskCompletedRequest,
    RespondNexusTaskFailedRequest,
    RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
);
