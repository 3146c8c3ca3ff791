//! ListScheduleMatchingTimes.

use engine::execution::{Execution, Kind};
use engine::time::Timestamp;
use proto::temporal::api::workflowservice::v1::{
    ListScheduleMatchingTimesRequest, ListScheduleMatchingTimesResponse,
};

use super::call::NamespaceCall;
use super::{Server, schedule};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ListScheduleMatchingTimesRequest>,
) -> Result<ListScheduleMatchingTimesResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let time = |wire: Option<&proto::Timestamp>| wire.map(Timestamp::from_proto);
    let range = time(request.start_time.as_ref()).zip(time(request.end_time.as_ref()));
    let look = move |state: &Execution| {
        let state = state.schedule()?;
        Some(range.map(|(start, end)| engine::schedule::matching_times(state, start, end)))
    };
    let id = schedule::id(&request.schedule_id);
    let shards = &server.node.shards;
    let listed = shards.read_execution(&namespace, Kind::Schedule, id, None, look);
    match listed.await? {
        Some(Some(times)) => Ok(ListScheduleMatchingTimesResponse { start_time: times? }),
        Some(None) => Err(WireError::invalid("missing or invalid query")),
        None => Err(WireError::not_found("schedule not found".to_owned())),
    }
}
