//! RespondActivityTaskFailed and RespondActivityTaskFailedById.

use engine::workflow::Input;
use engine::workflow::input::ActivityFailed;
use engine::workflow::token::ActivityTaskToken;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::workflowservice::v1::{
    RespondActivityTaskFailedByIdRequest, RespondActivityTaskFailedByIdResponse,
    RespondActivityTaskFailedRequest, RespondActivityTaskFailedResponse,
};

use super::activity_target::{Activity, is_too_large, server_failure};
use super::call::NamespaceCall;
use super::{Frontend, Server, validate};
use crate::error::WireError;

/// Bytes of a failure's message that are kept when the failure is too large.
const KEPT_MESSAGE: usize = 2 << 10;

pub(super) async fn by_token(
    server: Server,
    call: NamespaceCall<RespondActivityTaskFailedRequest>,
    token: ActivityTaskToken,
) -> Result<RespondActivityTaskFailedResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let failed = ActivityFailed {
        failure: request.failure,
        last_heartbeat_details: request.last_heartbeat_details,
        identity: request.identity,
        worker_version: request.worker_version,
    };
    let failures = fail(&server, Activity::by_token(namespace, token), failed).await?;
    Ok(RespondActivityTaskFailedResponse { failures })
}

pub(super) async fn by_id(
    server: Server,
    call: NamespaceCall<RespondActivityTaskFailedByIdRequest>,
) -> Result<RespondActivityTaskFailedByIdResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let activity = Activity::by_id(
        namespace,
        request.workflow_id,
        &request.run_id,
        request.activity_id,
    )?;
    let failed = ActivityFailed {
        failure: request.failure,
        last_heartbeat_details: request.last_heartbeat_details,
        identity: request.identity,
        worker_version: None,
    };
    let failures = fail(&server, activity, failed).await?;
    Ok(RespondActivityTaskFailedByIdResponse { failures })
}

/// Gives back the failures that the server put in the place of what was too large.
async fn fail(
    server: &Frontend,
    activity: Activity,
    mut failed: ActivityFailed,
) -> Result<Vec<Failure>, WireError> {
    let application = |failure: &Failure| {
        matches!(
            failure.failure_info,
            Some(FailureInfo::ApplicationFailureInfo(_))
        )
    };
    if failed
        .failure
        .as_ref()
        .is_some_and(|failure| !application(failure))
    {
        return Err(WireError::invalid(
            "Failure must have ApplicationFailureInfo.",
        ));
    }
    validate::identity(&failed.identity, &server.limits)?;
    let mut failures = Vec::new();
    if is_too_large(failed.last_heartbeat_details.as_ref(), &server.limits) {
        failed.last_heartbeat_details = None;
        failures.push(server_failure("Heartbeat details exceed size limit.", None));
    }
    if is_too_large(failed.failure.as_ref(), &server.limits) {
        let replaced = server_failure(
            "Failure exceeds size limit.",
            failed.failure.take().map(shortened),
        );
        failures.push(replaced.clone());
        failed.failure = Some(replaced);
    }
    activity
        .step(server, |target| {
            Input::ActivityTaskFailed(target, Box::new(failed))
        })
        .await?;
    Ok(failures)
}

/// What is left of a failure that is too large: its type, and the beginning of its message.
fn shortened(failure: Failure) -> Failure {
    let mut message = failure.message;
    let end = (0..=KEPT_MESSAGE.min(message.len()))
        .rev()
        .find(|at| message.is_char_boundary(*at));
    message.truncate(end.unwrap_or(0));
    let failure_info = match failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(mut info)) => {
            info.details = None;
            Some(FailureInfo::ApplicationFailureInfo(info))
        }
        other => other,
    };
    Failure {
        message,
        source: failure.source,
        failure_info,
        ..Default::default()
    }
}
