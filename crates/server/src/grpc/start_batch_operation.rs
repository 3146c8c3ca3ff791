//! StartBatchOperation.

use proto::temporal::api::workflowservice::v1::{
    StartBatchOperationRequest, StartBatchOperationResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::batch;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<StartBatchOperationRequest>,
) -> Result<StartBatchOperationResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    if !request.job_id.is_empty() {
        validate::workflow_id(&request.job_id, &server.limits)?;
    }
    batch::start(&server, &namespace, request).await?;
    Ok(StartBatchOperationResponse {})
}
