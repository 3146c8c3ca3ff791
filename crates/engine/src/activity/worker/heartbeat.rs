//! RecordActivityTaskHeartbeat and its by-id form.

use prost::Message;
use proto::temporal::api::common::v1::Payloads;

use super::{failed, resolve};
use crate::activity::record::{ChangeKind, Heartbeat};
use crate::activity::state::Status;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::workflow::command::server_failure;
use crate::workflow::input::{ActivityFailed, ActivityTarget};
use crate::workflow::transition::Reply;

pub(in crate::activity) fn heartbeat(
    step: &mut Step<'_>,
    target: &ActivityTarget,
    details: Option<Payloads>,
    identity: String,
) -> Result<Reply, Rejection> {
    resolve(step.state, target)?;
    if details.as_ref().map_or(0, Message::encoded_len) > step.env.limits.blob_size_error {
        let failed = ActivityFailed {
            failure: Some(server_failure("Heartbeat details exceed size limit.", true)),
            last_heartbeat_details: None,
            identity,
            worker_version: None,
        };
        failed::record(step, failed);
        return Ok(Reply::Heartbeat {
            cancel_requested: true,
            activity_paused: false,
            activity_reset: false,
        });
    }
    step.change(ChangeKind::Heartbeat(Heartbeat { details }));
    let status = step.state.status();
    Ok(Reply::Heartbeat {
        cancel_requested: status == Status::CancelRequested,
        activity_paused: status == Status::PauseRequested,
        activity_reset: status == Status::ResetRequested,
    })
}
