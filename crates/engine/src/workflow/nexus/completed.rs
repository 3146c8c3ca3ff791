//! An operation's result arrives, by the callback that its handler was given: from another execution, or over
//! HTTP. Whoever comes twice is told that it was taken.

use super::answered::{end, record_started};
use crate::rejection::Rejection;
use crate::workflow::input::{NexusCompletion, NexusOutcome};
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Reply, Transition};

/// A result that somebody brings.
pub(crate) fn completed(
    mut step: Step<'_>,
    completion: NexusCompletion,
) -> Result<Transition, Rejection> {
    match complete(&mut step, completion) {
        Ok(()) => step.done(Reply::Done),
        Err(rejection) => step.reject(rejection),
    }
}

/// Records a result. The operation is recognised by its request id, so that one which a reset has carried to
/// another run is found there.
pub(crate) fn complete(step: &mut Step<'_>, completion: NexusCompletion) -> Result<(), Rejection> {
    let id = completion.scheduled_event_id;
    let operation = step.state.nexus_operations.get(&id);
    let operation = operation
        .filter(|operation| operation.scheduled.request_id == completion.request_id)
        .filter(|operation| !operation.closing);
    let Some(operation) = operation else {
        if step
            .state
            .request_ids
            .contains(completion.request_id.as_str())
        {
            return Ok(());
        }
        return Err(if step.state.is_open() {
            Rejection::NotFound("operation not found".to_owned())
        } else {
            Rejection::AlreadyCompleted
        });
    };
    if !step.state.is_open() {
        return Err(Rejection::AlreadyCompleted);
    }
    let too_large = matches!(&completion.outcome, NexusOutcome::Succeeded(Some(payload))
        if prost::Message::encoded_len(payload) > step.env.limits.blob_size_error);
    if too_large {
        return Err(Rejection::invalid("result exceeds size limit"));
    }
    // The result overtook the answer to the request, and says the same. History shows the start first.
    if operation.started.is_none() {
        let extras = Extras {
            links: completion.links,
            ..Extras::default()
        };
        let time = completion.start_time.unwrap_or_else(|| step.time());
        record_started(step, id, completion.operation_token, extras, time);
    }
    end(step, id, completion.outcome, Extras::default());
    Ok(())
}
