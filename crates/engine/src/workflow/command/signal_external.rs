//! SIGNAL_EXTERNAL_WORKFLOW_EXECUTION (behaviour, section 6.6).

use proto::temporal::api::command::v1::SignalExternalWorkflowExecutionCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::SignalExternalWorkflowExecutionInitiatedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use uuid::Uuid;

use super::{BadCommand, Context, check_blob, size};
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &Context,
    attributes: Option<SignalExternalWorkflowExecutionCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let cause = Cause::BadSignalWorkflowExecutionAttributes;
    let bad = |message: &str| BadCommand::new(cause, message);
    let Some(a) = attributes else {
        return Err(bad(
            "SignalExternalWorkflowExecutionCommandAttributes is not set on SignalExternalWorkflowExecutionCommand.",
        ));
    };
    if !a.namespace.is_empty() && *a.namespace != *step.env.namespace.name {
        return Err(bad("cross namespace commands are not allowed"));
    }
    let Some(execution) = a.execution else {
        return Err(bad(
            "Execution is not set on SignalExternalWorkflowExecutionCommand.",
        ));
    };
    let (id, run, namespace, signal) = (
        &execution.workflow_id,
        &execution.run_id,
        &a.namespace,
        &a.signal_name,
    );
    let command = "SignalExternalWorkflowExecutionCommand";
    let limit = step.env.limits.id_length_max;
    if id.is_empty() {
        return Err(bad(&format!(
            "WorkflowId is not set on {command}. Namespace={namespace} RunId={run} SignalName={signal}"
        )));
    }
    if id.len() > limit {
        let length = id.len();
        return Err(bad(&format!(
            "WorkflowId on {command} exceeds length limit. WorkflowId={id} Length={length} Limit={limit} Namespace={namespace} RunId={run} SignalName={signal}"
        )));
    }
    if !run.is_empty() && Uuid::parse_str(run).is_err() {
        return Err(bad(&format!(
            "Invalid RunId set on {command}. WorkflowId={id} Namespace={namespace} RunId={run} SignalName={signal}"
        )));
    }
    if signal.is_empty() {
        return Err(bad(&format!(
            "SignalName is not set on {command}. WorkflowId={id} Namespace={namespace} RunId={run}"
        )));
    }
    check_blob(
        step,
        cause,
        size(a.input.as_ref()),
        "SignalExternalWorkflowExecutionCommandAttributes.Input",
    )?;
    let limit = step.env.limits.pending_signals_max;
    let pending = step.state.external_signals.len();
    if pending >= limit {
        return Err(BadCommand::new(
            Cause::PendingSignalsLimitExceeded,
            format!(
                "the number of pending signals to external workflows, {pending}, has reached the per-workflow limit of {limit}"
            ),
        ));
    }
    step.write_with(
        Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(
            SignalExternalWorkflowExecutionInitiatedEventAttributes {
                workflow_task_completed_event_id: context.completed_event_id,
                // As the worker gave it: usually empty, which means the workflow's own.
                namespace: a.namespace,
                namespace_id: step.env.namespace.id.to_string(),
                workflow_execution: Some(execution),
                signal_name: a.signal_name,
                input: a.input,
                control: a.control,
                child_workflow_only: a.child_workflow_only,
                header: a.header,
            },
        ),
        extras,
    );
    Ok(())
}
