//! Asking the handler to start the operation, or to cancel it; and giving up.

use proto::temporal::api::common::v1::link::NexusOperation as OperationLink;
use proto::temporal::api::enums::v1::{NexusOperationExecutionStatus as Status, TimeoutType};

use super::answered::cancel_ended;
use super::record::Closed;
use super::state::State;
use super::step::Step;
use crate::execution::Kind;
use crate::nexus::asking::{
    Caller, REQUEST_TIME_MIN, time_to_cancel, time_to_start, timeout_failure, to_cancel, to_start,
};
use crate::nexus::callback::CallbackToken;
use crate::nexus::link;
use crate::time::Timestamp;
use crate::workflow::transition::NexusCall;

/// Asks the handler to start it, or ends it: with too little time left it has timed out.
pub(super) fn ask_to_start(step: &mut Step<'_>) {
    match start_call(step.state, step.now.time) {
        Ok(call) => step.call(call),
        Err(timeout) => time_out(step, timeout, true),
    }
}

/// The request to start it; or the time that has run out.
pub(super) fn start_call(state: &mut State, now: Timestamp) -> Result<NexusCall, TimeoutType> {
    match time_to_start(&state.operation, now) {
        (left, timeout) if left < REQUEST_TIME_MIN => return Err(timeout),
        _ => {}
    }
    let call = to_start(0, &state.operation, caller(state), now);
    state.operation.start.under_way = true;
    Ok(call)
}

/// Asks the handler to cancel it, if that is wanted and it has started it.
pub(super) fn ask_to_cancel(step: &mut Step<'_>) {
    let now = step.time();
    let operation = &mut step.state.operation;
    let (left, timeout) = time_to_cancel(operation, now);
    let Some(cancellation) = operation.cancellation.as_mut().filter(|c| c.is_pending()) else {
        return;
    };
    if left < REQUEST_TIME_MIN {
        let text = "operation timed out before cancellation could be delivered";
        cancel_ended(step, Some(timeout_failure(text, timeout)));
        return;
    }
    cancellation.asking.under_way = true;
    let attempt = cancellation.asking.attempt;
    let call = to_cancel(0, operation, attempt, now);
    step.call(call);
}

/// Records that its time has run out; `of_attempt` when there was none left for another request.
pub(super) fn time_out(step: &mut Step<'_>, timeout: TimeoutType, of_attempt: bool) {
    step.close(Closed {
        status: Status::TimedOut as i32,
        failure: Some(timeout_failure("operation timed out", timeout)),
        of_attempt,
        ..Closed::default()
    });
}

/// The operation, as its handler knows the caller.
fn caller(state: &State) -> Caller {
    let token = CallbackToken {
        namespace_id: state.namespace_id.to_string(),
        workflow_id: state.operation_id.to_string(),
        run_id: state.run_id.to_string(),
        scheduled_event_id: 0,
        request_id: state.operation.scheduled.request_id.clone(),
        kind: Kind::NexusOperation.number().into(),
    };
    let from = OperationLink {
        namespace: state.core.namespace.clone(),
        operation_id: token.workflow_id.clone(),
        run_id: token.run_id.clone(),
    };
    Caller {
        token,
        link: link::operation_to_nexus(&from),
    }
}
