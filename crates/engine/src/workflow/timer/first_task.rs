//! A start delay, a cron's next time or a retry's interval has passed: the first workflow task.

use crate::workflow::state::FirstTask;
use crate::workflow::step::Step;

pub(super) fn release(step: &mut Step<'_>) {
    if let FirstTask::Delayed(at) = step.state.core.first_task
        && at <= step.now.time
    {
        step.schedule_workflow_task();
    }
}
