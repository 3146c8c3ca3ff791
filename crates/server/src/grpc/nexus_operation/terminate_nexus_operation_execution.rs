//! TerminateNexusOperationExecution.

use engine::nexus_operation::{Input, Terminate};
use proto::temporal::api::workflowservice::v1::{
    TerminateNexusOperationExecutionRequest, TerminateNexusOperationExecutionResponse,
};

use super::changed;
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<TerminateNexusOperationExecutionRequest>,
) -> Result<TerminateNexusOperationExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let run_id = changed(
        &request.operation_id,
        &request.run_id,
        &mut request.request_id,
        (&request.identity, &request.reason),
        &server.limits,
    )?;
    let input = Input::Terminate(Terminate {
        reason: request.reason,
        identity: request.identity,
        request_id: request.request_id,
    });
    let shards = &server.node.shards;
    shards
        .step(&namespace, request.operation_id, run_id, input)
        .await?;
    Ok(TerminateNexusOperationExecutionResponse {})
}
