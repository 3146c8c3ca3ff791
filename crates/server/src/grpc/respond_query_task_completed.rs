//! RespondQueryTaskCompleted: a worker's answer to a query that came as a task of its own.

use engine::workflow::token::QueryTaskToken;
use proto::temporal::api::workflowservice::v1::{
    RespondQueryTaskCompletedRequest, RespondQueryTaskCompletedResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RespondQueryTaskCompletedRequest>,
    token: QueryTaskToken,
) -> Result<RespondQueryTaskCompletedResponse, WireError> {
    server.node.respond_query(&token, call.request)?;
    Ok(RespondQueryTaskCompletedResponse {})
}
