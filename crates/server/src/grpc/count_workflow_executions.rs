//! CountWorkflowExecutions, in all or in groups.

use proto::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, CountWorkflowExecutionsResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::visibility;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<CountWorkflowExecutionsRequest>,
) -> Result<CountWorkflowExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    visibility::count(server.node.store.as_ref(), &request.query, &namespace).await
}
