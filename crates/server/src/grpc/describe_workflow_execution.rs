//! DescribeWorkflowExecution.

use proto::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeWorkflowExecutionRequest>,
) -> Result<DescribeWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let execution = validate::execution(request.execution.as_ref())?;
    let now = server.node.clock.now();
    let described = server.node.shards.read(
        &namespace,
        execution.workflow_id,
        execution.run_id,
        move |state| engine::workflow::describe(state, now),
    );
    Ok(described.await?)
}
