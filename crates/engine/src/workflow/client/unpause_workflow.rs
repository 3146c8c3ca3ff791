//! UnpauseWorkflowExecution (behaviour, section 6.8): a workflow task follows, and activities are handed out.

use proto::temporal::api::history::v1::WorkflowExecutionUnpausedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::workflowservice::v1::UnpauseWorkflowExecutionRequest;

use super::activity_selection::offer_if_ready;
use crate::rejection::Rejection;
use crate::workflow::state::FirstTask;
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn unpause(
    mut step: Step<'_>,
    request: UnpauseWorkflowExecutionRequest,
) -> Result<Transition, Rejection> {
    if !step.state.is_open() {
        return step.reject(Rejection::AlreadyCompleted);
    }
    if !step.state.is_paused() {
        let message = "workflow is not paused.".to_owned();
        return step.reject(Rejection::FailedPrecondition(message));
    }
    step.external(
        Attributes::WorkflowExecutionUnpausedEventAttributes(
            WorkflowExecutionUnpausedEventAttributes {
                identity: request.identity,
                reason: request.reason,
                request_id: request.request_id,
            },
        ),
        Extras::default(),
    );
    // One that a crash took from its worker has waited for this.
    let waits = step.state.core.workflow_task.as_ref();
    if waits.is_some_and(|task| task.started.is_none()) {
        step.offer_workflow_task();
    }
    let delayed = matches!(step.state.core.first_task, FirstTask::Delayed(_));
    if delayed && step.state.core.cancel_requested {
        // A cancel request ends the delay, also one that came meanwhile.
        step.schedule_workflow_task();
    } else {
        step.ensure_workflow_task();
    }
    let pending: Vec<_> = step.state.activities.iter().map(|(id, _)| *id).collect();
    for id in pending {
        offer_if_ready(&mut step, id);
    }
    step.done(Reply::Done)
}
