//! RequestCancelActivityExecution: a worker is told with its next heartbeat; one that nobody has is cancelled
//! at once.

use bytes::Bytes;
use proto::temporal::api::common::v1::{Payload, Payloads};
use proto::temporal::api::workflowservice::v1::RequestCancelActivityExecutionRequest;

use super::{is_repeat, precondition};
use crate::activity::record::{ChangeKind, Request};
use crate::activity::state::Status;
use crate::activity::step::Step;
use crate::activity::worker::canceled;
use crate::rejection::Rejection;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn request_cancel(
    step: &mut Step<'_>,
    request: RequestCancelActivityExecutionRequest,
) -> Result<Reply, Rejection> {
    let before = step.state.core.cancel.as_ref();
    let before = before.map_or("", |cancel| &cancel.request_id);
    // A repeat may come after the activity has stopped.
    if is_repeat(&request.request_id, before) {
        return Ok(Reply::Done);
    }
    let status = step.state.status();
    if !status.is_open() {
        return Err(precondition(format!(
            "activity is in terminal state {status:?}"
        )));
    }
    if status == Status::CancelRequested {
        return Err(precondition(format!(
            "cancellation already requested with request ID {before}"
        )));
    }
    let details = Payloads {
        payloads: vec![json(&request.reason)],
    };
    step.change(ChangeKind::CancelRequested(Request {
        identity: request.identity,
        request_id: request.request_id,
        reason: request.reason,
    }));
    if !status.has_attempt() {
        canceled::record(step, Some(details));
    }
    Ok(Reply::Done)
}

fn json(text: &str) -> Payload {
    let encoding = ("encoding".to_owned(), Bytes::from_static(b"json/plain"));
    Payload {
        metadata: [encoding].into(),
        data: serde_json::Value::from(text).to_string().into(),
        ..Payload::default()
    }
}
