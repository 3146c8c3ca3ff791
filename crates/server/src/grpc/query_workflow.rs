//! QueryWorkflow.

use std::time::Duration;

use prost::Message;
use proto::temporal::api::workflowservice::v1::{QueryWorkflowRequest, QueryWorkflowResponse};
use tokio::time::Instant;
use tonic::Code;

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;
use crate::shard::CallError;

/// How long a query waits for a client that gives no deadline.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<QueryWorkflowRequest>,
) -> Result<QueryWorkflowResponse, WireError> {
    let NamespaceCall {
        request,
        namespace,
        metadata,
    } = call;
    validate::execution(request.execution.as_ref())?;
    let Some(query) = &request.query else {
        return Err(WireError::invalid("WorkflowQuery is not set on request."));
    };
    if query.query_type.is_empty() {
        return Err(WireError::invalid("QueryType is not set on request."));
    }
    let size = query.query_args.as_ref().map_or(0, Message::encoded_len);
    validate::blob_size(size, &server.limits)?;
    let deadline = metadata
        .deadline
        .unwrap_or_else(|| Instant::now() + WAIT_DEFAULT);
    match server.node.query(&namespace, request, deadline).await {
        Err(CallError::DeadlineExceeded) => Err(WireError::new(
            Code::DeadlineExceeded,
            "query timed out before a worker could process it",
        )),
        answer => Ok(answer?),
    }
}
