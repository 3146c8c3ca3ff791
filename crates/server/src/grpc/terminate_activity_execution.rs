//! TerminateActivityExecution.

use engine::activity::{Input, Terminate};
use proto::temporal::api::workflowservice::v1::{
    TerminateActivityExecutionRequest, TerminateActivityExecutionResponse,
};

use super::Server;
use super::call::NamespaceCall;
use super::standalone_activity::{changed, reason};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<TerminateActivityExecutionRequest>,
) -> Result<TerminateActivityExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let run_id = changed(
        &request.activity_id,
        &request.run_id,
        &mut request.request_id,
        &request.identity,
        &server.limits,
    )?;
    reason(&request.reason, &server.limits)?;
    let input = Input::Terminate(Terminate {
        reason: request.reason,
        identity: request.identity,
        request_id: request.request_id,
    });
    let shards = &server.node.shards;
    shards
        .step(&namespace, request.activity_id, run_id, input)
        .await?;
    Ok(TerminateActivityExecutionResponse {})
}
