//! ListBatchOperations: the latest first. A page's token is the place of the last job on it.

use prost::Message;
use proto::temporal::api::workflowservice::v1::{
    ListBatchOperationsRequest, ListBatchOperationsResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::batch;
use crate::error::WireError;

const PAGE_SIZE_MAX: usize = 1000;

#[derive(Clone, PartialEq, Message)]
struct Token {
    #[prost(int64, tag = "1")]
    start_time: i64,
    #[prost(string, tag = "2")]
    job_id: String,
}

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ListBatchOperationsRequest>,
) -> Result<ListBatchOperationsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    batch::tidy(&server, &namespace).await;
    let mut jobs = server.batches.list(&namespace);
    if !request.next_page_token.is_empty() {
        let token = Token::decode(request.next_page_token).map_err(WireError::internal)?;
        let place = (token.start_time, token.job_id.as_str());
        jobs.retain(|entry| (entry.job.start_time, entry.job.id()) < place);
    }
    let asked = usize::try_from(request.page_size).unwrap_or_default();
    let size = match asked {
        1..=PAGE_SIZE_MAX => asked,
        _ => PAGE_SIZE_MAX,
    };
    let has_more = jobs.len() > size;
    jobs.truncate(size);
    let last = jobs.last().filter(|_| has_more).map(|entry| Token {
        start_time: entry.job.start_time,
        job_id: entry.job.id().to_owned(),
    });
    let infos = jobs.iter().map(|entry| entry.job.info(&entry.progress().0));
    Ok(ListBatchOperationsResponse {
        operation_info: infos.collect(),
        next_page_token: last
            .map(|token| token.encode_to_vec().into())
            .unwrap_or_default(),
    })
}
