//! ListNamespaces, in pages by name.

use proto::temporal::api::workflowservice::v1::{ListNamespacesRequest, ListNamespacesResponse};

use super::Server;
use super::call::Call;
use super::namespace_view::describe;
use crate::error::WireError;

/// Namespaces on a page at most.
const PAGE_SIZE_MAX: usize = 1000;

pub(super) async fn handle(
    server: Server,
    call: Call<ListNamespacesRequest>,
) -> Result<ListNamespacesResponse, WireError> {
    let request = call.request;
    let size = usize::try_from(request.page_size)
        .ok()
        .filter(|size| *size > 0);
    let size = size.map_or(PAGE_SIZE_MAX, |size| size.min(PAGE_SIZE_MAX));
    // The token is the last name of the page before.
    let after = String::from_utf8(request.next_page_token.to_vec())
        .map_err(|_| WireError::invalid("Invalid NextPageToken."))?;
    let all = server.namespaces.all();
    let rest: Vec<_> = all
        .iter()
        .filter(|entry| entry.record.name > after)
        .collect();
    let page = &rest[..size.min(rest.len())];
    let last = page.last().filter(|_| rest.len() > page.len());
    Ok(ListNamespacesResponse {
        namespaces: page
            .iter()
            .map(|entry| describe(&entry.record, &server.limits))
            .collect(),
        next_page_token: last
            .map(|entry| entry.record.name.clone().into_bytes().into())
            .unwrap_or_default(),
    })
}
