//! RespondActivityTaskCompleted and its by-id form.

use prost::Message;
use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::enums::v1::ActivityExecutionStatus;

use super::{failed, resolve_any};
use crate::activity::record::Closed;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::workflow::command::server_failure;
use crate::workflow::input::{ActivityFailed, ActivityTarget};
use crate::workflow::transition::Reply;

pub(in crate::activity) fn complete(
    step: &mut Step<'_>,
    target: &ActivityTarget,
    result: Option<Payloads>,
    identity: String,
) -> Result<Reply, Rejection> {
    resolve_any(step.state, target)?;
    if result.as_ref().map_or(0, Message::encoded_len) > step.env.limits.blob_size_error {
        let failed = ActivityFailed {
            failure: Some(server_failure("Complete result exceeds size limit.", true)),
            last_heartbeat_details: None,
            identity,
            worker_version: None,
        };
        failed::record(step, failed);
        return Ok(Reply::Done);
    }
    step.close(Closed {
        status: ActivityExecutionStatus::Completed as i32,
        result,
        identity,
        ..Closed::default()
    });
    Ok(Reply::Done)
}
