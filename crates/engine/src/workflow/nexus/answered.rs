//! What a handler's answer does to an operation: it starts, ends, or is asked again later.

use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, NexusOperationFailureInfo};
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    NexusOperationCancelRequestCompletedEventAttributes,
    NexusOperationCancelRequestFailedEventAttributes, NexusOperationCanceledEventAttributes,
    NexusOperationCompletedEventAttributes, NexusOperationFailedEventAttributes,
    NexusOperationStartedEventAttributes,
};

use super::ask::ask_to_cancel;
use crate::ids::EventId;
use crate::nexus::asking::{backoff, token_failure, too_large};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::input::{NexusAnswer, NexusOutcome};
use crate::workflow::record::{ChangeKind, NexusAttemptFailed};
use crate::workflow::state::nexus_operation::NexusOperation;
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Reply, Transition};

/// The answer to a request to start. One that comes late, or twice, finds nothing to do.
pub(crate) fn start_answered(
    mut step: Step<'_>,
    id: EventId,
    attempt: i32,
    answer: NexusAnswer,
) -> Result<Transition, Rejection> {
    let waits = step.state.nexus_operations.get(&id).is_some_and(|o| {
        !o.closing && o.started.is_none() && o.start.attempt == attempt && o.start.under_way
    });
    if !waits || !step.state.is_open() {
        return step.done(Reply::Done);
    }
    match answer {
        NexusAnswer::Ended { outcome, links } => {
            let extras = Extras {
                links,
                ..Extras::default()
            };
            end(&mut step, id, outcome, extras);
        }
        NexusAnswer::Started { token, links } => {
            if let Some(failure) = token_failure(&token) {
                fail(&mut step, id, failure);
                return step.done(Reply::Done);
            }
            let extras = Extras {
                links,
                ..Extras::default()
            };
            let now = step.time();
            record_started(&mut step, id, token, extras, now);
            ask_to_cancel(&mut step, id);
        }
        NexusAnswer::Refused {
            failure,
            retryable: false,
        } => fail(&mut step, id, failure),
        NexusAnswer::Refused { failure, .. } => ask_again(&mut step, id, attempt, false, failure),
    }
    step.done(Reply::Done)
}

/// The answer to a request to cancel.
pub(crate) fn cancel_answered(
    mut step: Step<'_>,
    id: EventId,
    attempt: i32,
    answer: NexusAnswer,
) -> Result<Transition, Rejection> {
    let operation = step.state.nexus_operations.get(&id).filter(|o| !o.closing);
    let cancellation = operation.and_then(|o| o.cancellation.as_ref());
    let waiting = cancellation
        .filter(|c| c.is_pending() && c.asking.attempt == attempt && c.asking.under_way);
    let Some(requested_event_id) = waiting.map(|c| c.requested_event_id) else {
        return step.done(Reply::Done);
    };
    if !step.state.is_open() {
        return step.done(Reply::Done);
    }
    match answer {
        NexusAnswer::Ended { .. } | NexusAnswer::Started { .. } => {
            let attributes = NexusOperationCancelRequestCompletedEventAttributes {
                requested_event_id,
                workflow_task_completed_event_id: 0,
                scheduled_event_id: id,
            };
            let attributes =
                Attributes::NexusOperationCancelRequestCompletedEventAttributes(attributes);
            result(&mut step, attributes, Extras::default());
        }
        NexusAnswer::Refused {
            failure,
            retryable: false,
        } => cancel_refused(&mut step, id, failure),
        NexusAnswer::Refused { failure, .. } => ask_again(&mut step, id, attempt, true, failure),
    }
    step.done(Reply::Done)
}

/// The handler will not hear of a cancellation.
pub(super) fn cancel_refused(step: &mut Step<'_>, id: EventId, failure: Failure) {
    let operation = step.state.nexus_operations.get(&id);
    let Some(cancellation) = operation.and_then(|o| o.cancellation.as_ref()) else {
        return;
    };
    let attributes = NexusOperationCancelRequestFailedEventAttributes {
        requested_event_id: cancellation.requested_event_id,
        workflow_task_completed_event_id: 0,
        failure: Some(failure),
        scheduled_event_id: id,
    };
    let attributes = Attributes::NexusOperationCancelRequestFailedEventAttributes(attributes);
    result(step, attributes, Extras::default());
}

fn ask_again(step: &mut Step<'_>, id: EventId, attempt: i32, cancel: bool, failure: Failure) {
    let now = step.time();
    let next = now.after(backoff(step.now, attempt + 1));
    step.change(ChangeKind::NexusAttemptFailed(Box::new(
        NexusAttemptFailed {
            scheduled_event_id: id,
            cancel,
            ended_time: now.0,
            next_time: next.0,
            failure: Some(failure),
        },
    )));
}

/// Records that the handler has started an operation.
pub(super) fn record_started(
    step: &mut Step<'_>,
    id: EventId,
    token: String,
    extras: Extras,
    time: Timestamp,
) {
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return;
    };
    let attributes = NexusOperationStartedEventAttributes {
        scheduled_event_id: id,
        operation_id: token.clone(),
        request_id: operation.scheduled.request_id.clone(),
        operation_token: token,
    };
    let attributes = Attributes::NexusOperationStartedEventAttributes(attributes);
    step.external_at(attributes, extras, time);
    step.enforce_buffer_limits();
    step.ensure_workflow_task();
}

/// Records how an operation ended.
pub(super) fn end(step: &mut Step<'_>, id: EventId, outcome: NexusOutcome, extras: Extras) {
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return;
    };
    let request_id = operation.scheduled.request_id.clone();
    let limit = step.env.limits.blob_size_error;
    let attributes = match outcome {
        NexusOutcome::Succeeded(payload)
            if payload.as_ref().map_or(0, prost::Message::encoded_len) > limit =>
        {
            fail(step, id, too_large());
            return;
        }
        NexusOutcome::Succeeded(payload) => Attributes::NexusOperationCompletedEventAttributes(
            NexusOperationCompletedEventAttributes {
                scheduled_event_id: id,
                result: payload,
                request_id,
            },
        ),
        NexusOutcome::Failed(failure) => {
            fail(step, id, failure);
            return;
        }
        NexusOutcome::Canceled(failure) => Attributes::NexusOperationCanceledEventAttributes(
            NexusOperationCanceledEventAttributes {
                scheduled_event_id: id,
                failure: Some(operation_failure(id, operation, failure)),
                request_id,
            },
        ),
    };
    result(step, attributes, extras);
}

fn fail(step: &mut Step<'_>, id: EventId, cause: Failure) {
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return;
    };
    let attributes = NexusOperationFailedEventAttributes {
        scheduled_event_id: id,
        failure: Some(operation_failure(id, operation, cause)),
        request_id: operation.scheduled.request_id.clone(),
    };
    let attributes = Attributes::NexusOperationFailedEventAttributes(attributes);
    result(step, attributes, Extras::default());
}

/// The failure that the caller's workflow sees, around its cause.
pub(super) fn operation_failure(
    id: EventId,
    operation: &NexusOperation,
    cause: Failure,
) -> Failure {
    let token = operation.operation_token.to_string();
    let info = NexusOperationFailureInfo {
        scheduled_event_id: id,
        endpoint: operation.scheduled.endpoint.clone(),
        service: operation.scheduled.service.clone(),
        operation: operation.scheduled.operation.clone(),
        operation_id: token.clone(),
        operation_token: token,
    };
    Failure {
        message: "nexus operation completed unsuccessfully".to_owned(),
        failure_info: Some(FailureInfo::NexusOperationExecutionFailureInfo(info)),
        cause: Some(Box::new(cause)),
        ..Failure::default()
    }
}

/// Records an event that the workflow waits for.
pub(super) fn result(step: &mut Step<'_>, attributes: Attributes, extras: Extras) {
    step.external(attributes, extras);
    step.enforce_buffer_limits();
    step.ensure_workflow_task();
}
