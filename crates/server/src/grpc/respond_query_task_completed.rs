//! RespondQueryTaskCompleted: a worker's answer to a query that came as a task of its own.

use engine::workflow::token::QueryTaskToken;
use prost::Message;
use proto::temporal::api::enums::v1::QueryResultType;
use proto::temporal::api::workflowservice::v1::{
    RespondQueryTaskCompletedRequest, RespondQueryTaskCompletedResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RespondQueryTaskCompletedRequest>,
    token: QueryTaskToken,
) -> Result<RespondQueryTaskCompletedResponse, WireError> {
    let mut request = call.request;
    let size = request
        .query_result
        .as_ref()
        .map_or(0, Message::encoded_len);
    if let Err(refusal) = validate::blob_size(size, &server.limits) {
        // An answer that is too large is none; the caller hears why.
        request.set_completed_type(QueryResultType::Failed);
        request.query_result = None;
        request.error_message = refusal.message;
    }
    server.node.respond_query(&token, request)?;
    Ok(RespondQueryTaskCompletedResponse {})
}
