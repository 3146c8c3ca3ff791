//! ListWorkerDeployments, by name.

use bytes::Bytes;
use proto::temporal::api::workflowservice::v1::{
    ListWorkerDeploymentsRequest, ListWorkerDeploymentsResponse,
};

use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;

/// Deployments on a page at most; also what an unset page size means.
const PAGE_SIZE_MAX: usize = 1000;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<ListWorkerDeploymentsRequest>,
) -> Result<ListWorkerDeploymentsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let all = server.node.deployments.all(namespace.id);
    // The token is the last name of the page before.
    let after = &request.next_page_token;
    let rest: Vec<_> = all
        .values()
        .filter(|deployment| deployment.name.as_bytes() > after.as_ref())
        .collect();
    let size = match usize::try_from(request.page_size) {
        Ok(size) if (1..=PAGE_SIZE_MAX).contains(&size) => size,
        _ => PAGE_SIZE_MAX,
    };
    let page = &rest[..size.min(rest.len())];
    let last = page.last().filter(|_| rest.len() > page.len());
    Ok(ListWorkerDeploymentsResponse {
        next_page_token: last.map_or_else(Bytes::new, |last| last.name.clone().into()),
        worker_deployments: page
            .iter()
            .map(|deployment| deployment.list_entry())
            .collect(),
    })
}
