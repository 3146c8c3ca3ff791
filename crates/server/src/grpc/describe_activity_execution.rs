//! DescribeActivityExecution: at once, or when something has changed since the answer that a token is from.

use std::sync::Arc;

use engine::activity::{self, Shown};
use engine::execution::{Execution, Kind};
use proto::temporal::api::workflowservice::v1::{
    DescribeActivityExecutionRequest, DescribeActivityExecutionResponse,
};

use super::Server;
use super::call::NamespaceCall;
use super::standalone_activity::{target, waits_until};
use crate::error::WireError;
use crate::shard::When;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeActivityExecutionRequest>,
) -> Result<DescribeActivityExecutionResponse, WireError> {
    let NamespaceCall {
        request,
        metadata,
        namespace,
    } = call;
    let token = request.long_poll_token;
    target(&request.activity_id, "", &server.limits)?;
    if !token.is_empty() && request.run_id.is_empty() {
        return Err(WireError::invalid(
            "run id is required when long poll token is provided",
        ));
    }
    let run_id = target(&request.activity_id, &request.run_id, &server.limits)?;
    let shown = Shown {
        input: request.include_input,
        outcome: request.include_outcome,
        heartbeat_details: request.include_heartbeat_details,
        last_failure: request.include_last_failure,
    };
    let clock = Arc::clone(&server.node.clock);
    let look = move |state: &Execution| {
        let state = state.activity()?;
        Some(activity::describe(state, shown, clock.now()))
    };
    let shards = &server.node.shards;
    let id: Arc<str> = request.activity_id.into();
    let seen = match run_id.filter(|_| !token.is_empty()) {
        None => {
            let seen = shards.read_execution(&namespace, Kind::Activity, id, run_id, look);
            seen.await?
        }
        Some(run) => {
            let when = When::RecordsAfter(activity::watched(&token, run)?);
            let until = waits_until(&server, &metadata);
            let which = (Kind::Activity, id, run_id);
            let seen = shards.read_execution_when(&namespace, which, when, until, look);
            seen.await?.flatten()
        }
    };
    // Nothing to say: a wait that ended without news.
    Ok(seen.unwrap_or_default())
}
