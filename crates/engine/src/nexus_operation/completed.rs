//! The operation's result arrives, by the callback that its handler was given: from another execution, or over
//! HTTP. Whoever comes twice is told that it was taken.

use proto::temporal::api::enums::v1::NexusOperationExecutionStatus as Status;

use super::answered::end;
use super::record::{ChangeKind, Started};
use super::step::Step;
use crate::rejection::Rejection;
use crate::workflow::input::{NexusCompletion, NexusOutcome};

pub(super) fn completed(step: &mut Step<'_>, completion: NexusCompletion) -> Result<(), Rejection> {
    let state = &step.state;
    if state.operation.scheduled.request_id != completion.request_id {
        return Err(Rejection::NotFound("operation not found".to_owned()));
    }
    match state.status() {
        Status::Running => {}
        Status::Completed | Status::Failed | Status::Canceled => return Ok(()),
        _ => {
            return Err(Rejection::NotFound(
                "operation already completed".to_owned(),
            ));
        }
    }
    let too_large = matches!(&completion.outcome, NexusOutcome::Succeeded(Some(payload))
        if prost::Message::encoded_len(payload) > step.env.limits.blob_size_error);
    if too_large {
        return Err(Rejection::invalid("result exceeds size limit"));
    }
    // The result overtook the answer to the request, and says the same.
    if state.operation.started.is_none() {
        let time = completion.start_time.unwrap_or_else(|| step.time());
        step.change(ChangeKind::Started(Started {
            token: completion.operation_token,
            links: completion.links,
            time: time.0,
        }));
    }
    end(step, completion.outcome, Vec::new(), false);
    Ok(())
}
