//! DescribeSchedule.

use engine::execution::{Execution, Kind};
use proto::temporal::api::workflowservice::v1::{
    DescribeScheduleRequest, DescribeScheduleResponse,
};

use super::call::NamespaceCall;
use super::{Server, schedule};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeScheduleRequest>,
) -> Result<DescribeScheduleResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let now = server.node.clock.now();
    let look = move |state: &Execution| {
        let state = state.schedule()?;
        Some(engine::schedule::describe(state, now))
    };
    let id = schedule::id(&request.schedule_id);
    let shards = &server.node.shards;
    let described = shards.read_execution(&namespace, Kind::Schedule, id, None, look);
    match described.await? {
        Some(described) => Ok(described?),
        None => Err(WireError::not_found("schedule not found".to_owned())),
    }
}
