//! Closing a run: what comes before the close event, and whether the chain goes on after it.

use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;

use super::step::{SERVER_IDENTITY, Step};
use super::worker::workflow_task_failed;

/// Before a close from outside: a started workflow task fails with FORCE_CLOSE_COMMAND, and what was
/// buffered becomes history (behaviour, section 4.4). A scheduled one stays as it is.
pub(crate) fn fail_started_task_for_close(step: &mut Step<'_>) {
    if step.task_started() {
        workflow_task_failed::record(step, Cause::ForceCloseCommand, None, SERVER_IDENTITY, "");
    }
    step.flush_buffer();
}
