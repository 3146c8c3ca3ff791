//! REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION (behaviour, sections 4.3 and 6.6).

use proto::temporal::api::command::v1::RequestCancelExternalWorkflowExecutionCommandAttributes;
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use uuid::Uuid;

use super::{BadCommand, Context};
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<RequestCancelExternalWorkflowExecutionCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let bad = |message: &str| {
        BadCommand::new(
            Cause::BadRequestCancelExternalWorkflowExecutionAttributes,
            message,
        )
    };
    let Some(a) = attributes else {
        return Err(bad(
            "RequestCancelExternalWorkflowExecutionCommandAttributes is not set on RequestCancelExternalWorkflowExecutionCommand.",
        ));
    };
    if !a.namespace.is_empty() && *a.namespace != *step.env.namespace.name {
        return Err(bad("cross namespace commands are not allowed"));
    }
    let (id, run, namespace) = (&a.workflow_id, &a.run_id, &a.namespace);
    let command = "RequestCancelExternalWorkflowExecutionCommand";
    let limit = step.env.limits.id_length_max;
    if id.is_empty() {
        return Err(bad(&format!(
            "WorkflowId is not set on {command}. Namespace={namespace} RunId={run}"
        )));
    }
    if id.len() > limit {
        let length = id.len();
        return Err(bad(&format!(
            "WorkflowId on {command} exceeds length limit. WorkflowId={id} Length={length} Limit={limit} Namespace={namespace} RunId={run}"
        )));
    }
    if !run.is_empty() && Uuid::parse_str(run).is_err() {
        return Err(bad(&format!(
            "Invalid RunId set on {command}. WorkflowId={id} RunId={run} Namespace={namespace}"
        )));
    }
    // Children of this completion come after it, and nothing of another one does.
    let own = step.state.children.from_key(&context.completed_event_id);
    let starting = own
        .map(|(_, child)| &child.initiated.workflow_id)
        .any(|id| *id == a.workflow_id);
    if starting {
        return Err(bad(&format!(
            "Start and RequestCancel for child workflow is not allowed in same workflow task. Namespace={namespace} WorkflowId={id} RunId={run}"
        )));
    }
    let limit = step.env.limits.pending_cancel_requests_max;
    let pending = step.state.external_cancels.len();
    if pending >= limit {
        return Err(BadCommand::new(
            Cause::PendingRequestCancelLimitExceeded,
            format!(
                "the number of pending requests to cancel external workflows, {pending}, has reached the per-workflow limit of {limit}"
            ),
        ));
    }
    step.write_with(
        Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(
            RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
                workflow_task_completed_event_id: context.completed_event_id,
                // As the worker gave it: usually empty, which means the workflow's own.
                namespace: a.namespace,
                namespace_id: step.env.namespace.id.to_string(),
                workflow_execution: Some(WorkflowExecution {
                    workflow_id: a.workflow_id,
                    run_id: a.run_id,
                }),
                control: a.control,
                child_workflow_only: a.child_workflow_only,
                reason: a.reason,
            },
        ),
        extras,
    );
    Ok(())
}
