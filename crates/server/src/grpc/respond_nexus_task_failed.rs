//! RespondNexusTaskFailed: a worker refuses a request to a Nexus handler.

use engine::workflow::token::{NexusTaskToken, id};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::workflowservice::v1::{
    RespondNexusTaskFailedRequest, RespondNexusTaskFailedResponse,
};

use super::Server;
use super::call::NamespaceCall;
use super::respond_nexus_task_completed::check_details;
use crate::error::WireError;
use crate::nexus::Answer;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RespondNexusTaskFailedRequest>,
    token: NexusTaskToken,
) -> Result<RespondNexusTaskFailedResponse, WireError> {
    let request = call.request;
    let answer = match (request.error, request.failure) {
        (None, None) => {
            return Err(WireError::invalid("request must contain error or failure"));
        }
        (Some(error), _) => {
            check_details(error.failure.as_ref())?;
            Answer::HandlerError(error)
        }
        (None, Some(failure)) => match failure.failure_info {
            Some(FailureInfo::NexusHandlerFailureInfo(_)) => Answer::Failed(failure),
            _ => {
                return Err(WireError::invalid(
                    "request Failure must contain error or failure with NexusHandlerFailureInfo",
                ));
            }
        },
    };
    server.node.nexus.tasks.answer(id(&token.task_id), answer)?;
    Ok(RespondNexusTaskFailedResponse {})
}
