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
    if let Err(rejection) = check_chain(&step, &request.first_execution_run_id) {
        return step.reject(rejection);
    }
    if !step.state.is_open() {
        return step.reject(Rejection::AlreadyCompleted);
    }
    let or = |text: String, default: &str| {
        if text.is_empty() {
            default.to_owned()
        } else {
            text
        }
    };
    record(
        &mut step,
        or(request.reason, "terminated by user via frontend"),
        request.details,
        or(request.identity, "frontend-service"),
        request.links,
    );
    step.done(Reply::Done)
}

/// A caller may name the first run of the chain that it means (behaviour, section 6.2).
pub(super) fn check_chain(step: &Step<'_>, first_execution_run_id: &str) -> Result<(), Rejection> {
    let ours = step.state.first_execution_run_id();
    if first_execution_run_id.is_empty() || first_execution_run_id == ours {
        return Ok(());
    }
    Err(Rejection::ChainNotFound)
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
