//! What the RPCs of schedules share: ids, and the checks of a schedule that is created or replaced.

use std::sync::Arc;

use engine::Namespace;
use engine::deployment::validate_override;
use engine::limits::Limits;
use engine::schedule::spec::Spec;
use engine::schedule::{self, WORKFLOW_ID_PREFIX};
use proto::temporal::api::enums::v1::{TaskQueueKind, WorkflowIdReusePolicy as Reuse};
use proto::temporal::api::schedule::v1::Schedule;
use proto::temporal::api::schedule::v1::schedule_action::Action;
use proto::temporal::api::workflow::v1::NewWorkflowExecutionInfo;

use super::start_workflow_execution::timeouts;
use super::validate;
use crate::error::WireError;

/// What is appended to the ids of the workflows that a schedule starts is this long.
const TIME_APPENDED: &str = "-2009-11-10T23:00:00Z";

/// The id of a schedule as an execution.
pub(super) fn id(schedule_id: &str) -> Arc<str> {
    schedule::workflow_id(schedule_id).into()
}

/// Checks the id of a schedule to create.
pub(super) fn new_id(schedule_id: &str, limits: &Limits) -> Result<(), WireError> {
    validate::workflow_id(&format!("{WORKFLOW_ID_PREFIX}{schedule_id}"), limits)
}

/// Brings the spec into the form that is kept.
pub(super) fn canonicalize(schedule: &mut Schedule) -> Result<(), WireError> {
    let spec = schedule.spec.get_or_insert_default();
    let compiled = Spec::compile(spec)
        .map_err(|error| WireError::invalid(format!("Invalid schedule spec: {error}")))?;
    *spec = compiled.canonical().clone();
    Ok(())
}

/// What a schedule starts.
pub(super) fn action(schedule: &Schedule) -> Option<&NewWorkflowExecutionInfo> {
    let Action::StartWorkflow(start) = schedule.action.as_ref()?.action.as_ref()?;
    Some(start)
}

/// Checks what a schedule is to start, and gives its search attributes the form in which they are kept.
pub(super) fn check_action(
    schedule: &mut Schedule,
    namespace: &Namespace,
    limits: &Limits,
) -> Result<(), WireError> {
    let action = schedule.action.as_mut().and_then(|a| a.action.as_mut());
    let Some(Action::StartWorkflow(start)) = action else {
        return Ok(());
    };
    let longest = format!("{}{TIME_APPENDED}", start.workflow_id);
    validate::workflow_id(&longest, limits)?;
    validate::workflow_type(start.workflow_type.as_ref(), limits)?;
    validate::task_queue(start.task_queue.as_ref(), limits)?;
    if let Some(queue) = &mut start.task_queue
        && queue.kind() == TaskQueueKind::Unspecified
    {
        queue.kind = TaskQueueKind::Normal.into();
    }
    timeouts(
        start.workflow_execution_timeout.as_ref(),
        start.workflow_run_timeout.as_ref(),
        start.workflow_task_timeout.as_ref(),
    )?;
    if !start.cron_schedule.is_empty() {
        return Err(WireError::invalid(
            "Scheduled workflow must not contain CronSchedule",
        ));
    }
    let reuse = start.workflow_id_reuse_policy;
    if reuse != Reuse::Unspecified as i32 && reuse != Reuse::AllowDuplicate as i32 {
        return Err(WireError::invalid(
            "Scheduled workflow must not contain WorkflowIDReusePolicy",
        ));
    }
    if let Some(chosen) = &start.versioning_override {
        validate_override(chosen, limits.id_length_max)?;
    }
    validate::search_attributes(&mut start.search_attributes, namespace, limits)
}
