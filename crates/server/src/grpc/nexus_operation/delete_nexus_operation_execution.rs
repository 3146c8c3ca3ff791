//! DeleteNexusOperationExecution: an open one is terminated first.

use engine::execution::Kind;
use proto::temporal::api::workflowservice::v1::{
    DeleteNexusOperationExecutionRequest, DeleteNexusOperationExecutionResponse,
};

use super::target;
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<DeleteNexusOperationExecutionRequest>,
) -> Result<DeleteNexusOperationExecutionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let run_id = target(&request.operation_id, &request.run_id, &server.limits)?;
    let (shards, kind) = (&server.node.shards, Kind::NexusOperation);
    let deleted = shards.delete(&namespace, kind, request.operation_id, run_id);
    deleted.await?;
    Ok(DeleteNexusOperationExecutionResponse {})
}
