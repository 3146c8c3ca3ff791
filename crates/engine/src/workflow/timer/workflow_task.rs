//! A workflow task's time-outs: start-to-close, and schedule-to-start on a sticky queue (behaviour,
//! sections 4.5 and 4.6).

use proto::temporal::api::enums::v1::TimeoutType;
use proto::temporal::api::history::v1::WorkflowTaskTimedOutEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use crate::workflow::step::Step;
use crate::workflow::worker::workflow_task_completed::time_out_started;
use crate::workflow::worker::workflow_task_failed;

pub(super) fn time_out(step: &mut Step<'_>) {
    let now = step.time();
    let Some(task) = &step.state.core.workflow_task else {
        return;
    };
    if task.due().is_none_or(|at| at > now) {
        return;
    }
    if task.started.is_some() {
        time_out_started(step, TimeoutType::StartToClose);
        return;
    }
    let scheduled_event_id = task.scheduled_event_id;
    step.write_speculative_task();
    step.write(Attributes::WorkflowTaskTimedOutEventAttributes(
        WorkflowTaskTimedOutEventAttributes {
            scheduled_event_id,
            started_event_id: 0,
            timeout_type: TimeoutType::ScheduleToStart as i32,
        },
    ));
    workflow_task_failed::go_on(step);
}
