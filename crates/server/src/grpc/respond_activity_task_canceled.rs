//! RespondActivityTaskCanceled and RespondActivityTaskCanceledById.

use engine::workflow::Input;
use engine::workflow::token::ActivityTaskToken;
use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::workflowservice::v1::{
    RespondActivityTaskCanceledByIdRequest, RespondActivityTaskCanceledByIdResponse,
    RespondActivityTaskCanceledRequest, RespondActivityTaskCanceledResponse,
};

use super::activity_target::{Activity, is_too_large};
use super::call::NamespaceCall;
use super::{Frontend, Server, validate};
use crate::error::WireError;

pub(super) async fn by_token(
    server: Server,
    call: NamespaceCall<RespondActivityTaskCanceledRequest>,
    token: ActivityTaskToken,
) -> Result<RespondActivityTaskCanceledResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let activity = Activity::by_token(namespace, token);
    cancel(&server, activity, request.details, request.identity).await?;
    Ok(RespondActivityTaskCanceledResponse {})
}

pub(super) async fn by_id(
    server: Server,
    call: NamespaceCall<RespondActivityTaskCanceledByIdRequest>,
) -> Result<RespondActivityTaskCanceledByIdResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let activity = Activity::by_id(
        namespace,
        request.workflow_id,
        &request.run_id,
        request.activity_id,
    )?;
    cancel(&server, activity, request.details, request.identity).await?;
    Ok(RespondActivityTaskCanceledByIdResponse {})
}

async fn cancel(
    server: &Frontend,
    activity: Activity,
    details: Option<Payloads>,
    identity: String,
) -> Result<(), WireError> {
    validate::identity(&identity, &server.limits)?;
    if is_too_large(details.as_ref(), &server.limits) {
        activity
            .fail(server, "Cancel details exceed size limit.", identity)
            .await?;
        return Ok(());
    }
    activity
        .step(server, |target| {
            Input::ActivityTaskCanceled(target, details, identity)
        })
        .await?;
    Ok(())
}
