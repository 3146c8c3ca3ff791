//! RespondWorkflowTaskFailed, and what every failed or timed-out workflow task leads to (behaviour,
//! section 4.5).

use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::WorkflowTaskFailedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::workflowservice::v1::RespondWorkflowTaskFailedRequest;

use super::{workflow_task_completed, workflow_task_started};
use crate::rejection::Rejection;
use crate::workflow::step::Step;
use crate::workflow::token::WorkflowTaskToken;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn fail(
    mut step: Step<'_>,
    token: &WorkflowTaskToken,
    request: RespondWorkflowTaskFailedRequest,
) -> Result<Transition, Rejection> {
    if !workflow_task_completed::holds_task(step.state, token) {
        return step.reject(Rejection::WorkflowTaskNotFound);
    }
    let cause = Cause::try_from(request.cause).unwrap_or(Cause::Unspecified);
    record(
        &mut step,
        cause,
        request.failure,
        &request.identity,
        &request.binary_checksum,
    );
    go_on(&mut step);
    step.done(Reply::Done)
}

/// Ends the started task as failed. A transient one leaves no event, only its attempt is counted.
pub(crate) fn record(
    step: &mut Step<'_>,
    cause: Cause,
    failure: Option<Failure>,
    identity: &str,
    binary_checksum: &str,
) {
    let transient = step
        .state
        .core
        .workflow_task
        .as_ref()
        .is_some_and(|t| t.is_transient());
    if transient {
        forget_attempt(step);
    } else if let Some(recorded) = workflow_task_started::record(step) {
        step.write(Attributes::WorkflowTaskFailedEventAttributes(
            WorkflowTaskFailedEventAttributes {
                scheduled_event_id: recorded.scheduled_event_id,
                started_event_id: recorded.started_event_id,
                cause: cause as i32,
                failure,
                identity: identity.to_owned(),
                binary_checksum: binary_checksum.to_owned(),
                ..WorkflowTaskFailedEventAttributes::default()
            },
        ));
    }
}

/// Drops a transient task that did not complete. The attempt that follows is recorded by the change
/// that schedules it, so there is nothing to record here.
pub(crate) fn forget_attempt(step: &mut Step<'_>) {
    if let Some(task) = step.state.core.workflow_task.take() {
        step.state.core.workflow_task_attempt = task.attempt + 1;
    }
}

/// After a task that ended without completing: what waited becomes history, and the next task is
/// scheduled. News makes it a first attempt again.
pub(crate) fn go_on(step: &mut Step<'_>) {
    let news = step.flush_buffer();
    let attempt = step.state.core.workflow_task_attempt;
    step.follow_ended_task(if news { 1 } else { attempt });
}
