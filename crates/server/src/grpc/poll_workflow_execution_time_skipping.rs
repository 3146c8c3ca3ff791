//! PollWorkflowExecutionTimeSkipping: waits for the end of a run's fast-forward.

use engine::time::Timestamp;
use engine::workflow::poll_fast_forward;
use engine::workflow::state::State;
use proto::temporal::api::enums::v1::FastForwardPollingResult as Polled;
use proto::temporal::api::workflowservice::v1::{
    PollWorkflowExecutionTimeSkippingRequest, PollWorkflowExecutionTimeSkippingResponse,
};

use super::call::NamespaceCall;
use super::standalone_activity::waits_until;
use super::{Server, time_skipping, validate};
use crate::error::WireError;
use crate::shard::When;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PollWorkflowExecutionTimeSkippingRequest>,
) -> Result<PollWorkflowExecutionTimeSkippingResponse, WireError> {
    let NamespaceCall {
        request,
        metadata,
        namespace,
    } = call;
    let execution = validate::execution(request.workflow_execution.as_ref())?;
    time_skipping::check_enabled(&server.limits)?;
    let id = request.fast_forward_id;
    time_skipping::check_id(&id)?;
    let until = waits_until(&server, &metadata);
    let shards = &server.node.shards;
    let workflow_id = execution.workflow_id;
    let look = |since: Option<Timestamp>| {
        let id = id.clone();
        move |state: &State| {
            let poll = poll_fast_forward(state, &id, since);
            (poll, state.run_id, state.core.seq)
        }
    };
    let first = shards.read(
        &namespace,
        workflow_id.as_str(),
        execution.run_id,
        look(None),
    );
    let (mut poll, mut run_id, mut seq) = first.await?;
    let since = poll
        .info
        .as_ref()
        .and_then(|info| info.target_time.as_ref());
    let since = since.map(Timestamp::from_proto);
    while poll.result == Polled::PollTimeout {
        let seen = if poll.goes_on {
            // The chain has another run by now, which has inherited the fast-forward.
            let seen = shards.read(&namespace, workflow_id.as_str(), None, look(since));
            Some(seen.await?)
        } else {
            let when = When::RecordsAfter(seq);
            let which = workflow_id.as_str();
            let seen = shards.read_when(&namespace, which, Some(run_id), when, until, look(since));
            seen.await?
        };
        let Some(seen) = seen else { break };
        (poll, run_id, seq) = seen;
    }
    Ok(PollWorkflowExecutionTimeSkippingResponse {
        fast_forward_polling_result: poll.result.into(),
        failed_reason: poll.failed_reason.to_owned(),
        fast_forward_info: poll.info,
    })
}
