//! ResetStickyTaskQueue: the worker no longer has this run cached.

use engine::workflow::Input;
use proto::temporal::api::workflowservice::v1::{
    ResetStickyTaskQueueRequest, ResetStickyTaskQueueResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ResetStickyTaskQueueRequest>,
) -> Result<ResetStickyTaskQueueResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let execution = validate::execution(request.execution.as_ref())?;
    let input = Input::ResetStickyTaskQueue;
    server
        .node
        .shards
        .step(&namespace, execution.workflow_id, execution.run_id, input)
        .await?;
    Ok(ResetStickyTaskQueueResponse {})
}
