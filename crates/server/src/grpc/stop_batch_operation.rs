//! StopBatchOperation.

use proto::temporal::api::workflowservice::v1::{
    StopBatchOperationRequest, StopBatchOperationResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::batch;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<StopBatchOperationRequest>,
) -> Result<StopBatchOperationResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    if request.job_id.is_empty() {
        return Err(WireError::invalid("JobId is not set on request."));
    }
    if request.reason.is_empty() {
        return Err(WireError::invalid("Reason is not set on request."));
    }
    batch::stop(&server, &namespace, &request.job_id, request.reason).await?;
    Ok(StopBatchOperationResponse {})
}
