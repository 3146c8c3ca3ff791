//! RespondActivityTaskCompleted and RespondActivityTaskCompletedById.

use engine::workflow::Input;
use engine::workflow::input::ActivityCompleted;
use engine::workflow::token::ActivityTaskToken;
use proto::temporal::api::workflowservice::v1::{
    RespondActivityTaskCompletedByIdRequest, RespondActivityTaskCompletedByIdResponse,
    RespondActivityTaskCompletedRequest, RespondActivityTaskCompletedResponse,
};

use super::activity_target::{Activity, is_too_large};
use super::call::NamespaceCall;
use super::{Frontend, Server, validate};
use crate::error::WireError;

pub(super) async fn by_token(
    server: Server,
    call: NamespaceCall<RespondActivityTaskCompletedRequest>,
    token: ActivityTaskToken,
) -> Result<RespondActivityTaskCompletedResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let activity = Activity::by_token(namespace, token);
    let completed = ActivityCompleted {
        result: request.result,
        identity: request.identity,
        worker_version: request.worker_version,
    };
    complete(&server, activity, completed).await?;
    Ok(RespondActivityTaskCompletedResponse {})
}

pub(super) async fn by_id(
    server: Server,
    call: NamespaceCall<RespondActivityTaskCompletedByIdRequest>,
) -> Result<RespondActivityTaskCompletedByIdResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let activity = Activity::by_id(
        namespace,
        request.workflow_id,
        &request.run_id,
        request.activity_id,
    )?;
    let completed = ActivityCompleted {
        result: request.result,
        identity: request.identity,
        worker_version: None,
    };
    complete(&server, activity, completed).await?;
    Ok(RespondActivityTaskCompletedByIdResponse {})
}

async fn complete(
    server: &Frontend,
    activity: Activity,
    completed: ActivityCompleted,
) -> Result<(), WireError> {
    validate::identity(&completed.identity, &server.limits)?;
    if is_too_large(completed.result.as_ref(), &server.limits) {
        activity
            .fail(
                server,
                "Complete result exceeds size limit.",
                completed.identity,
            )
            .await?;
        return Ok(());
    }
    activity
        .step(server, |target| {
            Input::ActivityTaskCompleted(target, Box::new(completed))
        })
        .await?;
    Ok(())
}
