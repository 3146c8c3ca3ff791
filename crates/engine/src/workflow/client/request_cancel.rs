//! RequestCancelWorkflowExecution (behaviour, section 6.2): recorded once; a repeat, and a cancel of a
//! closed run, are answered as if all were well.

use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::history::v1::WorkflowExecutionCancelRequestedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::terminate::check_chain;
use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::workflow::input::RequestCancel;
use crate::workflow::state::FirstTask;
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn request_cancel(
    mut step: Step<'_>,
    request: RequestCancel,
) -> Result<Transition, Rejection> {
    if let Err(rejection) = check_chain(&step, &request.first_execution_run_id) {
        return step.reject(rejection);
    }
    if step.state.is_open() && !step.state.core.cancel_requested {
        record(&mut step, request, None);
    }
    step.done(Reply::Done)
}

/// Records the request. It ends a first task's delay: the workflow must be able to clean up.
pub(crate) fn record(
    step: &mut Step<'_>,
    request: RequestCancel,
    from: Option<(EventId, WorkflowExecution)>,
) {
    let (initiated, execution) = from.map_or((0, None), |(id, execution)| (id, Some(execution)));
    step.external(
        Attributes::WorkflowExecutionCancelRequestedEventAttributes(
            WorkflowExecutionCancelRequestedEventAttributes {
                cause: request.reason,
                external_initiated_event_id: initiated,
                external_workflow_execution: execution,
                identity: request.identity,
            },
        ),
        Extras {
            links: request.links,
            ..Extras::default()
        },
    );
    if matches!(step.state.core.first_task, FirstTask::Delayed(_)) {
        step.schedule_workflow_task();
    } else {
        step.ensure_workflow_task();
    }
}
