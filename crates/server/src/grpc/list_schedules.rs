//! ListSchedules.

use engine::schedule::{self, WORKFLOW_ID_PREFIX};
use proto::temporal::api::schedule::v1::ScheduleListEntry;
use proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use proto::temporal::api::workflowservice::v1::{ListSchedulesRequest, ListSchedulesResponse};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::visibility;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ListSchedulesRequest>,
) -> Result<ListSchedulesResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let filter = visibility::schedules(&request.query, &namespace)?.filter;
    let page = visibility::list(
        server.node.store.as_ref(),
        namespace.id,
        &filter,
        &request.next_page_token,
        request.maximum_page_size,
    );
    let (rows, next_page_token) = page.await?;
    Ok(ListSchedulesResponse {
        schedules: rows.into_iter().map(entry).collect(),
        next_page_token,
    })
}

fn entry(row: WorkflowExecutionInfo) -> ScheduleListEntry {
    let id = row.execution.unwrap_or_default().workflow_id;
    let memo = row.memo.unwrap_or_default();
    ScheduleListEntry {
        schedule_id: id
            .strip_prefix(WORKFLOW_ID_PREFIX)
            .unwrap_or(&id)
            .to_owned(),
        info: schedule::list_info(&memo),
        memo: Some(schedule::shown_memo(memo)),
        search_attributes: row
            .search_attributes
            .and_then(schedule::shown_search_attributes),
    }
}
