//! ListArchivedWorkflowExecutions: nothing is archived here.

use proto::temporal::api::workflowservice::v1::{
    ListArchivedWorkflowExecutionsRequest, ListArchivedWorkflowExecutionsResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;

pub(super) async fn handle(
    _: Server,
    _: NamespaceCall<ListArchivedWorkflowExecutionsRequest>,
) -> Result<ListArchivedWorkflowExecutionsResponse, WireError> {
    Err(WireError::invalid(
        "Cluster is not configured for visibility archival.",
    ))
}
