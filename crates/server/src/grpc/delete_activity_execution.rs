//! DeleteActivityExecution: an open one is terminated first.

use engine::execution::Kind;
use proto::temporal::api::workflowservice::v1::{
    DeleteActivityExecutionRequest, DeleteActivityExecutionResponse,
};

use super::Server;
use super::call::NamespaceCall;
use super::standalone_activity::target;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DeleteActivityExecutionRequest>,
) -> Result<DeleteActivityExecutionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let run_id = target(&request.activity_id, &request.run_id, &server.limits)?;
    let shards = &server.node.shards;
    shards
        .delete(&namespace, Kind::Activity, request.activity_id, run_id)
        .await?;
    Ok(DeleteActivityExecutionResponse {})
}
