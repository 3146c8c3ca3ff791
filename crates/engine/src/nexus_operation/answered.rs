//! What a handler's answer does to the operation: it starts, ends, or is asked for again later.

use proto::temporal::api::common::v1::Link;
use proto::temporal::api::enums::v1::NexusOperationExecutionStatus as Status;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, ServerFailureInfo};

use super::ask::ask_to_cancel;
use super::record::{CancelEnded, ChangeKind, Closed, Started};
use super::step::Step;
use crate::nexus::asking::{CALL_ERROR, backoff, token_failure, too_large};
use crate::workflow::input::{NexusAnswer, NexusOutcome};
use crate::workflow::record::NexusAttemptFailed;

/// The answer to a request to start. One that comes late, or twice, finds nothing to do.
pub(super) fn start_answered(step: &mut Step<'_>, attempt: i32, answer: NexusAnswer) {
    let operation = &step.state.operation;
    let waits = step.state.is_open()
        && operation.started.is_none()
        && operation.start.attempt == attempt
        && operation.start.under_way;
    if !waits {
        return;
    }
    match answer {
        NexusAnswer::Ended { outcome, links } => end(step, outcome, links, true),
        NexusAnswer::Started { token, links } => match token_failure(&token) {
            Some(failure) => fail(step, failure, true),
            None => {
                let time = step.time().0;
                step.change(ChangeKind::Started(Started { token, links, time }));
                ask_to_cancel(step);
            }
        },
        NexusAnswer::Refused {
            failure,
            retryable: false,
        } => fail(step, failure, true),
        NexusAnswer::Refused { failure, .. } => ask_again(step, attempt, false, failure),
    }
}

/// The answer to a request to cancel.
pub(super) fn cancel_answered(step: &mut Step<'_>, attempt: i32, answer: NexusAnswer) {
    let cancellation = step.state.operation.cancellation.as_ref();
    let waits = cancellation
        .is_some_and(|c| c.is_pending() && c.asking.attempt == attempt && c.asking.under_way);
    if !waits || !step.state.is_open() {
        return;
    }
    match answer {
        NexusAnswer::Ended { .. } | NexusAnswer::Started { .. } => cancel_ended(step, None),
        NexusAnswer::Refused {
            failure,
            retryable: false,
        } => cancel_ended(step, Some(of_server(failure))),
        NexusAnswer::Refused { failure, .. } => ask_again(step, attempt, true, failure),
    }
}

/// Records that the handler has taken a cancellation, or will not hear of it.
pub(super) fn cancel_ended(step: &mut Step<'_>, failure: Option<Failure>) {
    step.change(ChangeKind::CancelEnded(Box::new(CancelEnded { failure })));
}

fn ask_again(step: &mut Step<'_>, attempt: i32, cancel: bool, failure: Failure) {
    let now = step.time();
    let next = now.after(backoff(step.now, attempt + 1));
    step.change(ChangeKind::AttemptFailed(Box::new(NexusAttemptFailed {
        scheduled_event_id: 0,
        cancel,
        ended_time: now.0,
        next_time: next.0,
        failure: Some(of_server(failure)),
    })));
}

/// Records how it ended; `of_attempt` by the answer to a request to start it.
pub(super) fn end(step: &mut Step<'_>, outcome: NexusOutcome, links: Vec<Link>, of_attempt: bool) {
    let limit = step.env.limits.blob_size_error;
    let closed = match outcome {
        NexusOutcome::Succeeded(payload)
            if payload.as_ref().map_or(0, prost::Message::encoded_len) > limit =>
        {
            fail(step, too_large(), of_attempt);
            return;
        }
        NexusOutcome::Succeeded(payload) => Closed {
            status: Status::Completed as i32,
            result: Some(payload.unwrap_or_default()),
            ..Closed::default()
        },
        NexusOutcome::Failed(failure) => {
            fail(step, failure, of_attempt);
            return;
        }
        NexusOutcome::Canceled(failure) => Closed {
            status: Status::Canceled as i32,
            failure: Some(failure),
            ..Closed::default()
        },
    };
    step.close(Closed {
        links,
        of_attempt,
        ..closed
    });
}

fn fail(step: &mut Step<'_>, failure: Failure, of_attempt: bool) {
    step.close(Closed {
        status: Status::Failed as i32,
        failure: Some(of_server(failure)),
        of_attempt,
        ..Closed::default()
    });
}

/// What a request came to that got no answer of the protocol is the server's failure here.
fn of_server(mut failure: Failure) -> Failure {
    if let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info
        && info.r#type == CALL_ERROR
    {
        let non_retryable = info.non_retryable;
        let info = ServerFailureInfo { non_retryable };
        failure.failure_info = Some(FailureInfo::ServerFailureInfo(info));
    }
    failure
}
