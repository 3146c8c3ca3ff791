//! CountSchedules.

use proto::temporal::api::workflowservice::v1::count_schedules_response::AggregationGroup;
use proto::temporal::api::workflowservice::v1::{CountSchedulesRequest, CountSchedulesResponse};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::visibility;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<CountSchedulesRequest>,
) -> Result<CountSchedulesResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let store = server.node.store.as_ref();
    let wanted = visibility::schedules(&request.query, &namespace)?;
    let counted = wanted.count(store, namespace.id, visibility::status_name);
    let (count, groups) = counted.await?;
    let groups = groups
        .into_iter()
        .map(|(group_values, count)| AggregationGroup {
            group_values,
            count,
        });
    Ok(CountSchedulesResponse {
        count,
        groups: groups.collect(),
    })
}
