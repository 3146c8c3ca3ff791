//! TerminateWorkflowExecution (behaviour, section 6.2).

use proto::temporal::api::common::v1::{Link, Payloads};
use proto::temporal::api::history::v1::WorkflowExecutionTerminatedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::workflowservice::v1::TerminateWorkflowExecutionRequest;

use crate::rejection::Rejection;
use crate::workflow::close;
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn terminate(
    mut step: Step<'_>,
    request: TerminateWorkflowExecutionRequest,
) -> Result<Transition, Rejection> {
    if !step.state.is_open() {
        return step.reject(Rejection::AlreadyCompleted);
    }
    record(
        &mut step,
        request.reason,
        request.details,
        request.identity,
        request.links,
    );
    step.done(Reply::Done)
}

/// Closes the run now. A started workflow task fails first; what was buffered is kept.
pub(crate) fn record(
    step: &mut Step<'_>,
    reason: String,
    details: Option<Payloads>,
    identity: String,
    links: Vec<Link>,
) {
    close::fail_started_task_for_close(step);
    step.write_with(
        Attributes::WorkflowExecutionTerminatedEventAttributes(
            WorkflowExecutionTerminatedEventAttributes {
                reason,
                details,
                identity,
            },
        ),
        Extras {
            links,
            ..Extras::default()
        },
    );
}
