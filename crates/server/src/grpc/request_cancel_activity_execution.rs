//! RequestCancelActivityExecution.

use engine::activity::Input;
use proto::temporal::api::workflowservice::v1::{
    RequestCancelActivityExecutionRequest, RequestCancelActivityExecutionResponse,
};

use super::Server;
use super::call::NamespaceCall;
use super::standalone_activity::{changed, reason};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RequestCancelActivityExecutionRequest>,
) -> Result<RequestCancelActivityExecutionResponse, WireError> {
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
    let id = request.activity_id.clone();
    let input = Input::RequestCancel(Box::new(request));
    let shards = &server.node.shards;
    shards.step(&namespace, id, run_id, input).await?;
    Ok(RequestCancelActivityExecutionResponse {})
}
