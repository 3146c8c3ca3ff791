//! PollNexusOperationExecution: waits until a standalone operation has started, or for its outcome.

use std::sync::Arc;

use engine::execution::{Execution, Kind};
use engine::nexus_operation;
use proto::temporal::api::enums::v1::NexusOperationWaitStage as Stage;
use proto::temporal::api::workflowservice::v1::{
    PollNexusOperationExecutionRequest, PollNexusOperationExecutionResponse,
};

use super::target;
use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;
use crate::grpc::standalone_activity::waits_until;
use crate::shard::When;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<PollNexusOperationExecutionRequest>,
) -> Result<PollNexusOperationExecutionResponse, WireError> {
    let NamespaceCall {
        request,
        metadata,
        namespace,
    } = call;
    let until_started = match Stage::try_from(request.wait_stage) {
        Ok(Stage::Unspecified | Stage::Closed) => false,
        Ok(Stage::Started) => true,
        Err(_) => {
            let stage = request.wait_stage;
            return Err(WireError::invalid(format!(
                "unsupported wait_stage: {stage}"
            )));
        }
    };
    let mut run_id = target(&request.operation_id, &request.run_id, &server.limits)?;
    let until = waits_until(&server, &metadata);
    let id: Arc<str> = request.operation_id.into();
    let shards = &server.node.shards;
    let mut when = if until_started {
        When::RecordsAfter(0)
    } else {
        When::Closed
    };
    loop {
        let look = |state: &Execution| {
            let state = state.nexus_operation()?;
            let reached = state.is_started().then(|| nexus_operation::poll(state));
            Some((state.run_id, state.core.seq, reached))
        };
        let which = (Kind::NexusOperation, Arc::clone(&id), run_id);
        let seen = shards.read_execution_when(&namespace, which, when, until, look);
        match seen.await?.flatten() {
            Some((_, _, Some(reached))) => return Ok(reached),
            // Every change may be the one.
            Some((run, records, None)) => {
                run_id = Some(run);
                when = When::RecordsAfter(records);
            }
            // Nothing to say: the client asks again.
            None => return Ok(PollNexusOperationExecutionResponse::default()),
        }
    }
}
