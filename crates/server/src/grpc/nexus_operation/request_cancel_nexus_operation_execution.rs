//! RequestCancelNexusOperationExecution.

use engine::nexus_operation::Input;
use proto::temporal::api::workflowservice::v1::{
    RequestCancelNexusOperationExecutionRequest, RequestCancelNexusOperationExecutionResponse,
};

use super::changed;
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<RequestCancelNexusOperationExecutionRequest>,
) -> Result<RequestCancelNexusOperationExecutionResponse, WireError> {
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
    let id = request.operation_id.clone();
    let input = Input::RequestCancel(Box::new(request));
    let shards = &server.node.shards;
    shards.step(&namespace, id, run_id, input).await?;
    Ok(RequestCancelNexusOperationExecutionResponse {})
}
