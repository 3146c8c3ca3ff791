//! ListOpenWorkflowExecutions: the legacy list of open runs.

use proto::temporal::api::workflowservice::v1::list_open_workflow_executions_request::Filters;
use proto::temporal::api::workflowservice::v1::{
    ListOpenWorkflowExecutionsRequest, ListOpenWorkflowExecutionsResponse,
};
use store::{Column, Filter};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::visibility;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ListOpenWorkflowExecutionsRequest>,
) -> Result<ListOpenWorkflowExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let mut all = vec![Filter::IsNull(Column::CloseTime)];
    all.extend(visibility::started_within(
        request.start_time_filter.as_ref(),
        Column::StartTime,
    )?);
    all.extend(match request.filters {
        Some(Filters::ExecutionFilter(f)) => {
            vec![visibility::text_is(Column::WorkflowId, f.workflow_id)]
        }
        Some(Filters::TypeFilter(f)) => vec![visibility::text_is(Column::WorkflowType, f.name)],
        None => Vec::new(),
    });
    let filter = Filter::And(all);
    let store = server.node.store.as_ref();
    let (token, size) = (&request.next_page_token, request.maximum_page_size);
    let (executions, next_page_token) =
        visibility::list(store, namespace.id, &filter, token, size).await?;
    Ok(ListOpenWorkflowExecutionsResponse {
        executions,
        next_page_token,
    })
}
