//! RespondNexusTaskCompleted: a worker's answer to a request to a Nexus handler.

use engine::rejection::Rejection;
use engine::workflow::token::{NexusTaskToken, id};
use proto::temporal::api::nexus::v1::response::Variant;
use proto::temporal::api::nexus::v1::start_operation_response::Variant as Started;
use proto::temporal::api::nexus::v1::{Failure, Response};
use proto::temporal::api::workflowservice::v1::{
    RespondNexusTaskCompletedRequest, RespondNexusTaskCompletedResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::nexus::Answer;

/// Bytes of an operation's token.
const OPERATION_TOKEN_MAX: usize = 4096;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RespondNexusTaskCompletedRequest>,
    token: NexusTaskToken,
) -> Result<RespondNexusTaskCompletedResponse, WireError> {
    let mut response = call.request.response.unwrap_or_default();
    check(&mut response)?;
    let task_id = id(&token.task_id);
    server
        .node
        .nexus
        .tasks
        .answer(task_id, Answer::Response(response))?;
    Ok(RespondNexusTaskCompletedResponse {})
}

fn check(response: &mut Response) -> Result<(), Rejection> {
    let Some(Variant::StartOperation(started)) = &mut response.variant else {
        return Ok(());
    };
    match &mut started.variant {
        Some(Started::AsyncSuccess(started)) => {
            // Older workers give an id.
            if started.operation_token.is_empty() {
                started.operation_token = std::mem::take(&mut started.operation_id);
            }
            match started.operation_token.len() {
                0 => Err(Rejection::invalid("missing opration token in response")),
                length if length > OPERATION_TOKEN_MAX => Err(Rejection::invalid(format!(
                    "operation token length exceeds allowed limit \
                     ({length}/{OPERATION_TOKEN_MAX})"
                ))),
                _ => Ok(()),
            }
        }
        Some(Started::OperationError(error)) => check_details(error.failure.as_ref()),
        Some(Started::SyncSuccess(_) | Started::Failure(_)) | None => Ok(()),
    }
}

/// What goes on as JSON must be JSON.
pub(super) fn check_details(failure: Option<&Failure>) -> Result<(), Rejection> {
    let details = failure.map(|failure| &failure.details);
    let sound = details.is_none_or(|details| {
        details.is_empty() || serde_json::from_slice::<serde_json::Value>(details).is_ok()
    });
    if sound {
        return Ok(());
    }
    Err(Rejection::invalid(
        "failure details must be JSON serializable",
    ))
}
