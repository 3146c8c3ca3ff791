//! RecordActivityTaskHeartbeat and RecordActivityTaskHeartbeatById.

use engine::workflow::Input;
use engine::workflow::token::ActivityTaskToken;
use engine::workflow::transition::Reply;
use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::workflowservice::v1::{
    RecordActivityTaskHeartbeatByIdRequest, RecordActivityTaskHeartbeatByIdResponse,
    RecordActivityTaskHeartbeatRequest, RecordActivityTaskHeartbeatResponse,
};

use super::activity_target::{Activity, is_too_large};
use super::call::NamespaceCall;
use super::{Frontend, Server};
use crate::error::WireError;

pub(super) async fn by_token(
    server: Server,
    call: NamespaceCall<RecordActivityTaskHeartbeatRequest>,
    token: ActivityTaskToken,
) -> Result<RecordActivityTaskHeartbeatResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let activity = Activity::by_token(namespace, token);
    heartbeat(&server, activity, request.details, request.identity).await
}

pub(super) async fn by_id(
    server: Server,
    call: NamespaceCall<RecordActivityTaskHeartbeatByIdRequest>,
) -> Result<RecordActivityTaskHeartbeatByIdResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let activity = Activity::by_id(
        namespace,
        request.workflow_id,
        &request.run_id,
        request.activity_id,
    )?;
    let flags = heartbeat(&server, activity, request.details, request.identity).await?;
    Ok(RecordActivityTaskHeartbeatByIdResponse {
        cancel_requested: flags.cancel_requested,
        activity_paused: flags.activity_paused,
        activity_reset: flags.activity_reset,
    })
}

/// What the worker is told: to stop, that the activity is paused, or that it begins again.
async fn heartbeat(
    server: &Frontend,
    activity: Activity,
    details: Option<Payloads>,
    identity: String,
) -> Result<RecordActivityTaskHeartbeatResponse, WireError> {
    if is_too_large(details.as_ref(), &server.limits) {
        activity
            .fail(server, "Heartbeat details exceed size limit.", identity)
            .await?;
        return Ok(RecordActivityTaskHeartbeatResponse {
            cancel_requested: true,
            ..Default::default()
        });
    }
    let stepped = activity
        .step(server, |target| {
            Input::ActivityTaskHeartbeat(target, details, identity)
        })
        .await?;
    Ok(match stepped.reply {
        Reply::Heartbeat {
            cancel_requested,
            activity_paused,
            activity_reset,
        } => RecordActivityTaskHeartbeatResponse {
            cancel_requested,
            activity_paused,
            activity_reset,
        },
        _ => RecordActivityTaskHeartbeatResponse::default(),
    })
}
