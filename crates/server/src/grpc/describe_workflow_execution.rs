//! DescribeWorkflowExecution.

use engine::Namespace;
use proto::temporal::api::common::v1::callback::Variant;
use proto::temporal::api::enums::v1::{
    CallbackState, NexusOperationCancellationState, PendingNexusOperationState,
};
use proto::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse,
};

use super::call::NamespaceCall;
use super::{Frontend, Server, validate};
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
    let mut described = described.await?;
    show_blocked(&server, &namespace, &mut described);
    Ok(described)
}

/// What waits because its destination is left alone for a while.
fn show_blocked(
    server: &Frontend,
    namespace: &Namespace,
    described: &mut DescribeWorkflowExecutionResponse,
) {
    const REASON: &str = "The circuit breaker is open.";
    let is_open = |to: &str| server.node.nexus.breakers.is_open(namespace.id, to);
    for operation in &mut described.pending_nexus_operations {
        let blocked = is_open(&operation.endpoint);
        if blocked && operation.state() == PendingNexusOperationState::Scheduled {
            operation.set_state(PendingNexusOperationState::Blocked);
            REASON.clone_into(&mut operation.blocked_reason);
        }
        if let Some(cancellation) = &mut operation.cancellation_info
            && blocked
            && cancellation.state() == NexusOperationCancellationState::Scheduled
        {
            cancellation.set_state(NexusOperationCancellationState::Blocked);
            REASON.clone_into(&mut cancellation.blocked_reason);
        }
    }
    for info in &mut described.callbacks {
        let url = match info.callback.as_ref().and_then(|c| c.variant.as_ref()) {
            Some(Variant::Nexus(nexus)) => nexus.url.as_str(),
            _ => continue,
        };
        if info.state == CallbackState::Scheduled as i32 && is_open(url) {
            info.set_state(CallbackState::Blocked);
            REASON.clone_into(&mut info.blocked_reason);
        }
    }
}
