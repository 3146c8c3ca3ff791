//! The table of operators' commands on workflows and their activities.

use super::handler::{Handler, named};
use super::{
    pause_activity, pause_activity_execution, pause_workflow_execution, reset_activity,
    reset_activity_execution, reset_workflow_execution, unpause_activity,
    unpause_activity_execution, unpause_workflow_execution, update_activity_execution_options,
    update_activity_options, update_workflow_execution_options,
};

/// Methods by name.
pub(super) fn methods() -> Vec<(&'static str, Handler)> {
    vec![
        (
            "ResetWorkflowExecution",
            named(reset_workflow_execution::handle),
        ),
        (
            "UpdateWorkflowExecutionOptions",
            named(update_workflow_execution_options::handle),
        ),
        ("PauseActivity", named(pause_activity::handle)),
        ("UnpauseActivity", named(unpause_activity::handle)),
        ("ResetActivity", named(reset_activity::handle)),
        (
            "UpdateActivityOptions",
            named(update_activity_options::handle),
        ),
        (
            "PauseActivityExecution",
            named(pause_activity_execution::handle),
        ),
        (
            "UnpauseActivityExecution",
            named(unpause_activity_execution::handle),
        ),
        (
            "ResetActivityExecution",
            named(reset_activity_execution::handle),
        ),
        (
            "UpdateActivityExecutionOptions",
            named(update_activity_execution_options::handle),
        ),
        (
            "PauseWorkflowExecution",
            named(pause_workflow_execution::handle),
        ),
        (
            "UnpauseWorkflowExecution",
            named(unpause_workflow_execution::handle),
        ),
    ]
}
