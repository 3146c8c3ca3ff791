//! SignalWorkflowExecution (behaviour, section 6.2).

use proto::temporal::api::common::v1::{Link, WorkflowExecution};
use proto::temporal::api::enums::v1::EventType;
use proto::temporal::api::history::v1::WorkflowExecutionSignaledEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::workflowservice::v1::SignalWorkflowExecutionRequest;

use crate::rejection::Rejection;
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn signal(
    mut step: Step<'_>,
    request: SignalWorkflowExecutionRequest,
) -> Result<Transition, Rejection> {
    let seen = step.state.request_ids.get(request.request_id.as_str());
    // The same id on a start is another matter.
    if seen.is_some_and(|seen| seen.signaled) {
        // A repeated request is answered as the first was, also on a closed run.
        return step.done(Reply::Signaled);
    }
    if let Err(rejection) = admit(&step) {
        return step.reject(rejection);
    }
    let attributes = attributes(&request, None);
    record(&mut step, attributes, request.links);
    step.done(Reply::Signaled)
}

/// Whether one more signal may be taken.
pub(crate) fn admit(step: &Step<'_>) -> Result<(), Rejection> {
    let state = &*step.state;
    if !state.is_open() {
        return Err(Rejection::AlreadyCompleted);
    }
    // The close that failed because of buffered events gets its chance (behaviour, section 4.4).
    if state.volatile.close_contended && step.task_started() {
        return Err(Rejection::BusyWorkflow(
            "workflow operation can not be applied because workflow is closing".to_owned(),
        ));
    }
    let signaled = EventType::WorkflowExecutionSignaled as i32;
    let waiting = state
        .core
        .buffered
        .iter()
        .filter(|e| e.event_type == signaled)
        .count();
    let taken = state.core.signal_count + i64::try_from(waiting).unwrap_or(i64::MAX);
    if taken >= step.env.limits.signals_per_execution_max {
        return Err(Rejection::invalid(
            "exceeded workflow execution limit for signal events",
        ));
    }
    Ok(())
}

/// The event of a signal.
pub(crate) fn attributes(
    request: &SignalWorkflowExecutionRequest,
    from: Option<WorkflowExecution>,
) -> WorkflowExecutionSignaledEventAttributes {
    WorkflowExecutionSignaledEventAttributes {
        signal_name: request.signal_name.clone(),
        input: request.input.clone(),
        identity: request.identity.clone(),
        header: request.header.clone(),
        external_workflow_execution: from,
        request_id: request.request_id.clone(),
        ..WorkflowExecutionSignaledEventAttributes::default()
    }
}

/// Records a signal and lets a workflow task follow. It does not wake a run whose first task is delayed.
pub(crate) fn record(
    step: &mut Step<'_>,
    attributes: WorkflowExecutionSignaledEventAttributes,
    links: Vec<Link>,
) {
    step.external(
        Attributes::WorkflowExecutionSignaledEventAttributes(attributes),
        Extras {
            links,
            ..Extras::default()
        },
    );
    step.enforce_buffer_limits();
    step.ensure_workflow_task();
}
