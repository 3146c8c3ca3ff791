//! ListWorkflowExecutions, and ScanWorkflowExecutions, which is the same without a promise of
//! order.

use proto::temporal::api::workflowservice::v1::{
    ListWorkflowExecutionsRequest, ListWorkflowExecutionsResponse, ScanWorkflowExecutionsRequest,
    ScanWorkflowExecutionsResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::visibility;

pub(super) async fn list(
    server: Server,
    call: NamespaceCall<ListWorkflowExecutionsRequest>,
) -> Result<ListWorkflowExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let (filter, order) = visibility::filter_and_order(&request.query, &namespace)?;
    let store = server.node.store.as_ref();
    let page = visibility::list_in_order(
        store,
        namespace.id,
        &filter,
        &order,
        &request.next_page_token,
        request.page_size,
    );
    let (executions, next_page_token) = page.await?;
    Ok(ListWorkflowExecutionsResponse {
        executions,
        next_page_token,
    })
}

pub(super) async fn scan(
    server: Server,
    call: NamespaceCall<ScanWorkflowExecutionsRequest>,
) -> Result<ScanWorkflowExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let (filter, order) = visibility::filter_and_order(&request.query, &namespace)?;
    let store = server.node.store.as_ref();
    let page = visibility::list_in_order(
        store,
        namespace.id,
        &filter,
        &order,
        &request.next_page_token,
        request.page_size,
    );
    let (executions, next_page_token) = page.await?;
    Ok(ScanWorkflowExecutionsResponse {
        executions,
        next_page_token,
    })
}
