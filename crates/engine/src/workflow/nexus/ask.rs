//! Asking a handler to start an operation, or to cancel it; and giving up.

use proto::temporal::api::common::v1::link::WorkflowEvent;
use proto::temporal::api::common::v1::link::workflow_event::{EventReference, Reference};
use proto::temporal::api::enums::v1::{EventType, TimeoutType};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::NexusOperationTimedOutEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::answered::{cancel_refused, operation_failure, result};
use crate::ids::EventId;
use crate::nexus::asking::{
    Caller, REQUEST_TIME_MIN, call_failure, time_to_cancel, time_to_start, timeout_failure,
    to_cancel, to_start,
};
use crate::nexus::callback::CallbackToken;
use crate::nexus::link;
use crate::time::Timestamp;
use crate::workflow::state::State;
use crate::workflow::state::nexus_operation::NexusOperation;
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::Effect;

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
    let call = to_start(id, operation, caller(step.state, id, operation), now);
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
    let call = to_cancel(id, operation, cancellation.asking.attempt, now);
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

fn record_timeout(step: &mut Step<'_>, id: EventId, timeout: TimeoutType) {
    let Some(operation) = step.state.nexus_operations.get(&id) else {
        return;
    };
    let cause = timeout_failure("operation timed out", timeout);
    let attributes = NexusOperationTimedOutEventAttributes {
        scheduled_event_id: id,
        failure: Some(operation_failure(id, operation, cause)),
        request_id: operation.scheduled.request_id.clone(),
    };
    let attributes = Attributes::NexusOperationTimedOutEventAttributes(attributes);
    result(step, attributes, Extras::default());
}

/// The run, as its handler knows it.
fn caller(state: &State, id: EventId, operation: &NexusOperation) -> Caller {
    let token = CallbackToken {
        namespace_id: state.namespace_id.to_string(),
        workflow_id: state.workflow_id.to_string(),
        run_id: state.run_id.to_string(),
        scheduled_event_id: id,
        request_id: operation.scheduled.request_id.clone(),
        kind: 0,
    };
    let from = WorkflowEvent {
        namespace: state.core.start.namespace.to_string(),
        workflow_id: token.workflow_id.clone(),
        run_id: token.run_id.clone(),
        reference: Some(Reference::EventRef(EventReference {
            event_id: id,
            event_type: EventType::NexusOperationScheduled.into(),
        })),
    };
    Caller {
        token,
        link: link::to_nexus(&from),
    }
}
