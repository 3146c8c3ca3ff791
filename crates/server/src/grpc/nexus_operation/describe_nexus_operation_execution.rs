//! DescribeNexusOperationExecution: at once, or when something has changed since the answer that a token is from.

use std::sync::Arc;

use engine::execution::{Execution, Kind};
use engine::nexus_operation::{self, Shown};
use proto::temporal::api::enums::v1::{
    NexusOperationCancellationState, PendingNexusOperationState,
};
use proto::temporal::api::workflowservice::v1::{
    DescribeNexusOperationExecutionRequest, DescribeNexusOperationExecutionResponse,
};

use super::target;
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;
use crate::grpc::standalone_activity::waits_until;
use crate::shard::When;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeNexusOperationExecutionRequest>,
) -> Result<DescribeNexusOperationExecutionResponse, WireError> {
    let NamespaceCall {
        request,
        metadata,
        namespace,
    } = call;
    let token = request.long_poll_token;
    target(&request.operation_id, "", &server.limits)?;
    if !token.is_empty() && request.run_id.is_empty() {
        return Err(WireError::invalid(
            "run_id is required when long_poll_token is provided",
        ));
    }
    let run_id = target(&request.operation_id, &request.run_id, &server.limits)?;
    let shown = Shown {
        input: request.include_input,
        outcome: request.include_outcome,
    };
    let clock = Arc::clone(&server.node.clock);
    let look = move |state: &Execution| {
        let state = state.nexus_operation()?;
        Some(nexus_operation::describe(state, shown, clock.now()))
    };
    let shards = &server.node.shards;
    let id: Arc<str> = request.operation_id.into();
    let kind = Kind::NexusOperation;
    let seen = match run_id.filter(|_| !token.is_empty()) {
        None => {
            let seen = shards.read_execution(&namespace, kind, id, run_id, look);
            seen.await?
        }
        Some(run) => {
            let when = When::RecordsAfter(nexus_operation::watched(&token, run)?);
            let until = waits_until(&server, &metadata);
            let which = (kind, id, run_id);
            let seen = shards.read_execution_when(&namespace, which, when, until, look);
            seen.await?.flatten()
        }
    };
    // Nothing to say: a wait that ended without news.
    let mut described = seen.unwrap_or_default();
    let breakers = &server.node.nexus.breakers;
    show_blocked(&mut described, |to| breakers.is_open(namespace.id, to));
    Ok(described)
}

/// What waits because its endpoint is left alone for a while.
fn show_blocked(
    described: &mut DescribeNexusOperationExecutionResponse,
    is_open: impl Fn(&str) -> bool,
) {
    const REASON: &str = "The circuit breaker is open.";
    let Some(info) = described
        .info
        .as_mut()
        .filter(|info| is_open(&info.endpoint))
    else {
        return;
    };
    if info.state() == PendingNexusOperationState::Scheduled {
        info.set_state(PendingNexusOperationState::Blocked);
        REASON.clone_into(&mut info.blocked_reason);
    }
    if let Some(cancellation) = &mut info.cancellation_info
        && cancellation.state() == NexusOperationCancellationState::Scheduled
    {
        cancellation.set_state(NexusOperationCancellationState::Blocked);
        REASON.clone_into(&mut cancellation.blocked_reason);
    }
}
