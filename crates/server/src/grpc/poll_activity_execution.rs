//! PollActivityExecution: waits for the outcome of a standalone activity.

use engine::activity;
use engine::execution::{Execution, Kind};
use proto::temporal::api::workflowservice::v1::{
    PollActivityExecutionRequest, PollActivityExecutionResponse,
};

use super::Server;
use super::call::NamespaceCall;
use super::standalone_activity::{target, waits_until};
use crate::error::WireError;
use crate::shard::When;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PollActivityExecutionRequest>,
) -> Result<PollActivityExecutionResponse, WireError> {
    let NamespaceCall {
        request,
        metadata,
        namespace,
    } = call;
    let run_id = target(&request.activity_id, &request.run_id, &server.limits)?;
    let until = waits_until(&server, &metadata);
    let which = (Kind::Activity, request.activity_id.into(), run_id);
    let look = |state: &Execution| {
        let state = state.activity()?;
        Some(PollActivityExecutionResponse {
            run_id: state.run_id.to_string(),
            outcome: activity::outcome(state),
        })
    };
    let shards = &server.node.shards;
    let seen = shards.read_execution_when(&namespace, which, When::Closed, until, look);
    // Nothing to say: it is still open, and the client asks again.
    Ok(seen.await?.flatten().unwrap_or_default())
}
