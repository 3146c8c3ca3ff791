//! Asking a handler to start an operation, or to cancel it; and giving up.

use std::time::Duration;

use proto::temporal::api::common::v1::link::WorkflowEvent;
use proto::temporal::api::common::v1::link::workflow_event::{EventReference, Reference};
use proto::temporal::api::enums::v1::{EventType, TimeoutType};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure, TimeoutFailureInfo};
use proto::temporal::api::history::v1::NexusOperationTimedOutEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::nexus::v1::request::{Capabilities, Variant};
use proto::temporal::api::nexus::v1::{CancelOperationRequest, Request, StartOperationRequest};

use super::answered::{cancel_refused, operation_failure, result};
use super::{REQUEST_TIME_MIN, REQUEST_TIMEOUT};
use crate::ids::EventId;
use crate::nexus::callback::{CallbackToken, SYSTEM_URL, TOKEN_HEADER};
use crate::nexus::link;
use crate::time::{Timestamp, duration};
use crate::workflow::state::State;
use crate::workflow::state::nexus_operation::NexusOperation;
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Effect, NexusCall};

/// Asks the handler to start an operation. One that has not time enough left is timed out when time next
/// passes, so that no result stands between the events of a command.
pub(crate) fn ask_to_start(step: &mut Step<'_>, id: EventId) {
    let now = step.time();
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return;
    };
    let (timeout, _) = time_to_start(operation, now);
    if timeout < REQUEST_TIME_MIN {
        return;
    }
    let call = NexusCall {
        scheduled_event_id: id,
        attempt: operation.start.attempt,
        endpoint: operation.scheduled.endpoint.as_str().into(),
        endpoint_id: operation.scheduled.endpoint_id.as_str().into(),
        request: start_request(step.state, id, operation, now),
        timeout,
    };
    step.effects.push(Effect::NexusCall(Box::new(call)));
    step.state
        .nexus_operations
        .update(&id, |operation| operation.start.under_way = true);
}

/// Asks the handler to cancel an operation that it has started.
pub(crate) fn ask_to_cancel(step: &mut Step<'_>, id: EventId) {
    let now = step.time();
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return;
    };
    let Some(cancellation) = operation.cancellation.as_ref().filter(|c| c.is_pending()) else {
        return;
    };
    let (timeout, _) = time_to_cancel(operation, now);
    if operation.closing || timeout < REQUEST_TIME_MIN {
        return;
    }
    let scheduled = &operation.scheduled;
    let token = operation.operation_token.to_string();
    let call = NexusCall {
        scheduled_event_id: id,
        attempt: cancellation.asking.attempt,
        endpoint: scheduled.endpoint.as_str().into(),
        endpoint_id: scheduled.endpoint_id.as_str().into(),
        request: Request {
            header: scheduled.nexus_header.clone(),
            scheduled_time: Some(now.to_proto()),
            capabilities: Some(Capabilities::default()),
            endpoint: scheduled.endpoint.clone(),
            variant: Some(Variant::CancelOperation(CancelOperationRequest {
                service: scheduled.service.clone(),
                operation: scheduled.operation.clone(),
                operation_id: token.clone(),
                operation_token: token,
            })),
        },
        timeout,
    };
    step.effects.push(Effect::NexusCall(Box::new(call)));
    step.state.nexus_operations.update(&id, |operation| {
        if let Some(cancellation) = &mut operation.cancellation {
            cancellation.asking.under_way = true;
        }
    });
}

/// What is due for an operation: a timeout, or a request; or giving up on a request that would come too late.
pub(crate) fn time_out(step: &mut Step<'_>, id: EventId) {
    let now = step.time();
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return;
    };
    if let Some(timeout) = operation.timed_out(now) {
        record_timeout(step, id, timeout);
        return;
    }
    let wants = |due: Option<Timestamp>| due.is_some_and(|at| at <= now);
    if operation.started.is_none() && wants(operation.start.wanted()) {
        match time_to_start(operation, now) {
            (left, timeout) if left < REQUEST_TIME_MIN => record_timeout(step, id, timeout),
            _ => ask_to_start(step, id),
        }
        return;
    }
    let cancellation = operation.cancellation.as_ref().filter(|c| c.is_pending());
    if cancellation.is_some_and(|c| wants(c.asking.wanted())) {
        match time_to_cancel(operation, now) {
            (left, timeout) if left < REQUEST_TIME_MIN => {
                cancel_refused(step, id, too_late(timeout));
            }
            _ => ask_to_cancel(step, id),
        }
    }
}

/// How long a request to start may take, and what would have run out.
fn time_to_start(operation: &NexusOperation, now: Timestamp) -> (Duration, TimeoutType) {
    let (until, timeout) = match operation.schedule_to_start_at() {
        Some(at) => (Some(at), TimeoutType::ScheduleToStart),
        None => (
            operation.schedule_to_close_at(),
            TimeoutType::ScheduleToClose,
        ),
    };
    (left(until, now), timeout)
}

fn time_to_cancel(operation: &NexusOperation, now: Timestamp) -> (Duration, TimeoutType) {
    let started = left(operation.start_to_close_at(), now);
    match operation.schedule_to_close_at() {
        Some(at) => (
            left(Some(at), now).min(started),
            TimeoutType::ScheduleToClose,
        ),
        None => (started, TimeoutType::StartToClose),
    }
}

fn left(until: Option<Timestamp>, now: Timestamp) -> Duration {
    until.map_or(REQUEST_TIMEOUT, |at| at.since(now).min(REQUEST_TIMEOUT))
}

fn too_late(timeout: TimeoutType) -> Failure {
    let name = match timeout {
        TimeoutType::StartToClose => "StartToClose",
        TimeoutType::ScheduleToStart => "ScheduleToStart",
        TimeoutType::ScheduleToClose => "ScheduleToClose",
        TimeoutType::Heartbeat | TimeoutType::Unspecified => "Unspecified",
    };
    call_failure(
        &format!("not enough time to execute another request before {name} timeout"),
        false,
    )
}

/// The failure of a request that was not answered as it should be.
pub(super) fn call_failure(message: &str, retryable: bool) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: "CallError".to_owned(),
                non_retryable: !retryable,
                ..ApplicationFailureInfo::default()
            },
        )),
        ..Failure::default()
    }
}

fn record_timeout(step: &mut Step<'_>, id: EventId, timeout: TimeoutType) {
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return;
    };
    let cause = Failure {
        message: "operation timed out".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: timeout.into(),
            last_heartbeat_details: None,
        })),
        ..Failure::default()
    };
    let attributes = NexusOperationTimedOutEventAttributes {
        scheduled_event_id: id,
        failure: Some(operation_failure(id, operation, cause)),
        request_id: operation.scheduled.request_id.clone(),
    };
    let attributes = Attributes::NexusOperationTimedOutEventAttributes(attributes);
    result(step, attributes, Extras::default());
}

fn start_request(
    state: &State,
    id: EventId,
    operation: &NexusOperation,
    now: Timestamp,
) -> Request {
    let scheduled = &operation.scheduled;
    let namespace = state.core.start.namespace.to_string();
    let token = CallbackToken {
        namespace_id: state.namespace_id.to_string(),
        workflow_id: state.workflow_id.to_string(),
        run_id: state.run_id.to_string(),
        scheduled_event_id: id,
        request_id: scheduled.request_id.clone(),
    };
    let from = WorkflowEvent {
        namespace,
        workflow_id: token.workflow_id.clone(),
        run_id: token.run_id.clone(),
        reference: Some(Reference::EventRef(EventReference {
            event_id: id,
            event_type: EventType::NexusOperationScheduled.into(),
        })),
    };
    let mut header = scheduled.nexus_header.clone();
    if let Some(timeout) = operation_timeout(operation, now) {
        let millis = || format!("{}ms", timeout.as_millis());
        header
            .entry("operation-timeout".to_owned())
            .or_insert_with(millis);
    }
    Request {
        header,
        scheduled_time: Some(now.to_proto()),
        capabilities: Some(Capabilities {
            temporal_failure_responses: true,
        }),
        endpoint: scheduled.endpoint.clone(),
        variant: Some(Variant::StartOperation(StartOperationRequest {
            service: scheduled.service.clone(),
            operation: scheduled.operation.clone(),
            request_id: scheduled.request_id.clone(),
            callback: SYSTEM_URL.to_owned(),
            payload: scheduled.input.clone(),
            callback_header: [(TOKEN_HEADER.to_owned(), token.encode_header())].into(),
            links: vec![link::to_nexus(&from)],
        })),
    }
}

/// How long the operation itself may take, as its handler is told.
fn operation_timeout(operation: &NexusOperation, now: Timestamp) -> Option<Duration> {
    let to_close = operation.schedule_to_close_at().map(|at| at.since(now));
    let own = duration(operation.scheduled.start_to_close_timeout.as_ref());
    let own = (!own.is_zero()).then_some(own);
    [to_close, own].into_iter().flatten().min()
}
