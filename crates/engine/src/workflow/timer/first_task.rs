//! A start delay, a cron's next time or a retry's interval has passed: the first workflow task. A child
//! that waits for its parent for too long asks it.

use crate::workflow::record::ChangeKind;
use crate::workflow::state::FirstTask;
use crate::workflow::step::Step;

pub(super) fn release(step: &mut Step<'_>) {
    if let FirstTask::Delayed(at) = step.state.core.first_task
        && at <= step.time()
    {
        // One that exists for an update is the first one now.
        if step.state.core.workflow_task.is_some() {
            step.write_speculative_task();
        } else {
            step.schedule_workflow_task();
        }
    }
    if step
        .state
        .ask_parent_at()
        .is_some_and(|at| at <= step.time())
    {
        step.change(ChangeKind::ParentAsked(true));
    }
}
