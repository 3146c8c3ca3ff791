//! SCHEDULE_ACTIVITY_TASK.

use proto::temporal::api::command::v1::ScheduleActivityTaskCommandAttributes;
use proto::temporal::api::common::v1::Priority;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::ActivityTaskScheduledEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::{BadCommand, Context, check_blob, size};
use crate::retry;
use crate::retry::timeouts::{ActivityTimeouts, normalise};
use crate::time::wire;
use crate::workflow::open::normal_queue;
use crate::workflow::step::{Extras, Step};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &mut Context,
    attributes: Option<ScheduleActivityTaskCommandAttributes>,
    extras: Extras,
) -> Result<(), BadCommand> {
    let cause = Cause::BadScheduleActivityAttributes;
    let Some(a) = attributes else {
        let message =
            "ScheduleActivityTaskCommandAttributes is not set on ScheduleActivityTaskCommand.";
        return Err(BadCommand::new(cause, message));
    };
    let eager = a.request_eager_execution;
    check_blob(
        step,
        cause,
        size(a.input.as_ref()),
        "ScheduleActivityTaskCommandAttributes.Input",
    )?;
    let event = scheduled(step, context, a).map_err(|message| BadCommand::new(cause, message))?;
    let limit = step.env.limits.pending_activities_max;
    let pending = step.state.activities.len();
    if pending >= limit {
        return Err(BadCommand::new(
            Cause::PendingActivitiesLimitExceeded,
            format!(
                "the number of pending activities, {pending}, has reached the per-workflow limit of {limit}"
            ),
        ));
    }
    if step.state.activity_ids.contains(event.activity_id.as_str()) {
        return Err(BadCommand::new(
            Cause::ScheduleActivityDuplicateId,
            format!(
                "invalid history builder state for action: add-activitytask-scheduled-event, ActivityID: {}",
                event.activity_id
            ),
        ));
    }
    let id = step.write_with(
        Attributes::ActivityTaskScheduledEventAttributes(event),
        extras,
    );
    if eager && !step.state.is_paused() {
        context.eager.push(id);
    } else {
        step.offer_activity(id);
    }
    Ok(())
}

/// The event: defaults filled, timeouts normalised (behaviour, section 5.1).
fn scheduled(
    step: &Step<'_>,
    context: &Context,
    a: ScheduleActivityTaskCommandAttributes,
) -> Result<ActivityTaskScheduledEventAttributes, String> {
    let limit = step.env.limits.id_length_max;
    let activity_type = a.activity_type.as_ref().map_or("", |t| &t.name);
    let queue = a.task_queue.as_ref().map_or("", |queue| &queue.name);
    if queue.is_empty() {
        return Err("missing task queue name".to_owned());
    }
    if queue.len() > limit {
        return Err("taskQueue length exceeds limit".to_owned());
    }
    for (field, value) in [
        ("activityId", a.activity_id.as_str()),
        ("activityType", activity_type),
    ] {
        if value.is_empty() {
            return Err(format!("{field} is not set"));
        }
        if value.len() > limit {
            let length = value.len();
            return Err(format!(
                "{field} exceeds length limit. Length={length} Limit={limit}"
            ));
        }
    }
    check_priority(a.priority.as_ref()).map_err(|error| format!("invalid priorities: {error}"))?;
    let asked = ActivityTimeouts::from_wire(
        a.schedule_to_close_timeout.as_ref(),
        a.schedule_to_start_timeout.as_ref(),
        a.start_to_close_timeout.as_ref(),
        a.heartbeat_timeout.as_ref(),
    );
    let timeouts = asked
        .and_then(|t| {
            normalise(
                t,
                step.state.core.start.run_timeout,
                &a.activity_id,
                activity_type,
            )
        })
        .map_err(|error| error.to_string())?;
    let retry_policy = match &a.retry_policy {
        Some(policy) => retry::completed(policy).map_err(|error| error.to_string())?,
        None => retry::default_policy(),
    };
    Ok(ActivityTaskScheduledEventAttributes {
        activity_id: a.activity_id,
        activity_type: a.activity_type,
        task_queue: Some(normal_queue(queue)),
        header: a.header,
        input: a.input,
        schedule_to_close_timeout: Some(wire(timeouts.schedule_to_close)),
        schedule_to_start_timeout: Some(wire(timeouts.schedule_to_start)),
        start_to_close_timeout: Some(wire(timeouts.start_to_close)),
        heartbeat_timeout: Some(wire(timeouts.heartbeat)),
        workflow_task_completed_event_id: context.completed_event_id,
        retry_policy: Some(retry_policy),
        use_workflow_build_id: a.use_workflow_build_id,
        priority: a.priority,
    })
}

/// A priority that a worker asks for (behaviour, section 6.7).
pub(super) fn check_priority(priority: Option<&Priority>) -> Result<(), &'static str> {
    match priority {
        Some(p) if p.priority_key < 0 => Err("priority key can't be negative"),
        Some(p) if p.fairness_key.len() > 64 => Err("fairness key length exceeds limit"),
        Some(p) if p.fairness_weight < 0.0 => Err("must be greater than zero"),
        _ => Ok(()),
    }
}
