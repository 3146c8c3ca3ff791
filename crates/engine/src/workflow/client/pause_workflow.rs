//! PauseWorkflowExecution (behaviour, section 6.8): the run takes what comes, and no task of it is handed out.
//! A workflow task that a worker has may complete.

use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    WorkflowExecutionPausedEventAttributes, WorkflowTaskFailedEventAttributes,
};
use proto::temporal::api::workflowservice::v1::PauseWorkflowExecutionRequest;

use crate::rejection::Rejection;
use crate::workflow::step::{Extras, SERVER_IDENTITY, Step};
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn pause(
    mut step: Step<'_>,
    request: PauseWorkflowExecutionRequest,
) -> Result<Transition, Rejection> {
    if !step.state.is_open() {
        return step.reject(Rejection::AlreadyCompleted);
    }
    if step.state.is_paused() {
        let before = step.state.core.pause.as_deref();
        let same = before.is_some_and(|pause| *pause.request_id == request.request_id);
        if same && !request.request_id.is_empty() {
            return step.done(Reply::Done);
        }
        let message = "workflow is already paused.".to_owned();
        return step.reject(Rejection::FailedPrecondition(message));
    }
    step.flush_leftovers();
    step.write_speculative_task();
    fail_waiting_task(&mut step);
    step.external(
        Attributes::WorkflowExecutionPausedEventAttributes(
            WorkflowExecutionPausedEventAttributes {
                identity: request.identity,
                reason: request.reason,
                request_id: request.request_id,
            },
        ),
        Extras::default(),
    );
    step.done(Reply::Done)
}

/// A task that no worker has yet must not be handed out any more. A transient one leaves no event.
fn fail_waiting_task(step: &mut Step<'_>) {
    let task = step.state.core.workflow_task.as_ref();
    let waiting = task.filter(|task| task.started.is_none() && !task.is_transient());
    let Some(scheduled_event_id) = waiting.map(|task| task.scheduled_event_id) else {
        return;
    };
    step.write(Attributes::WorkflowTaskFailedEventAttributes(
        WorkflowTaskFailedEventAttributes {
            scheduled_event_id,
            cause: Cause::WorkflowPauseRequestedBeforeTaskStarted as i32,
            identity: SERVER_IDENTITY.to_owned(),
            ..WorkflowTaskFailedEventAttributes::default()
        },
    ));
}
