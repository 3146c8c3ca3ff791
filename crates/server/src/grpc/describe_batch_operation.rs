//! DescribeBatchOperation.

use proto::temporal::api::workflowservice::v1::{
    DescribeBatchOperationRequest, DescribeBatchOperationResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::batch;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeBatchOperationRequest>,
) -> Result<DescribeBatchOperationResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    if request.job_id.is_empty() {
        return Err(WireError::invalid("JobId is not set on request."));
    }
    batch::tidy(&server, &namespace).await;
    let entry = server.batches.find(&namespace, &request.job_id)?;
    let (progress, live) = entry.progress();
    Ok(entry.job.describe(&progress, &live))
}
