//! ListClosedWorkflowExecutions: the legacy list of closed runs.

use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::workflowservice::v1::list_closed_workflow_executions_request::Filters;
use proto::temporal::api::workflowservice::v1::{
    ListClosedWorkflowExecutionsRequest, ListClosedWorkflowExecutionsResponse,
};
use store::{Column, Filter};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::visibility;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ListClosedWorkflowExecutionsRequest>,
) -> Result<ListClosedWorkflowExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let is_open = Filter::IsNull(Column::CloseTime);
    let mut all = vec![Filter::Not(Box::new(is_open))];
    all.extend(visibility::started_within(
        request.start_time_filter.as_ref(),
        Column::CloseTime,
    )?);
    all.extend(match request.filters {
        Some(Filters::ExecutionFilter(f)) => {
            vec![visibility::text_is(Column::WorkflowId, f.workflow_id)]
        }
        Some(Filters::TypeFilter(f)) => vec![visibility::text_is(Column::WorkflowType, f.name)],
        Some(Filters::StatusFilter(f)) => match f.status() {
            _ if WorkflowExecutionStatus::try_from(f.status).is_err() => {
                return Err(WireError::invalid(format!(
                    "invalid query: invalid expression: invalid ExecutionStatus value '{}'",
                    f.status
                )));
            }
            WorkflowExecutionStatus::Unspecified | WorkflowExecutionStatus::Running => {
                return Err(WireError::invalid(
                    "StatusFilter must be specified and must be not Running.",
                ));
            }
            status => vec![visibility::status_is(status)],
        },
        None => Vec::new(),
    });
    let filter = Filter::And(all);
    let store = server.node.store.as_ref();
    let (token, size) = (&request.next_page_token, request.maximum_page_size);
    let (executions, next_page_token) =
        visibility::list(store, namespace.id, &filter, token, size).await?;
    Ok(ListClosedWorkflowExecutionsResponse {
        executions,
        next_page_token,
    })
}
