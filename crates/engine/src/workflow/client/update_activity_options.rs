//! UpdateActivityOptions and UpdateActivityExecutionOptions (behaviour, section 5.6): queue, timeouts, retry
//! policy and priority of pending activities, field by field, or all as they were scheduled.

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::workflowservice::v1::UpdateActivityOptionsRequest;
use proto::temporal::api::workflowservice::v1::update_activity_options_request::Activity as Meant;

use super::activity_selection::{Selection, offer_if_ready, select};
use crate::field_mask;
use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::retry::{self, timeouts};
use crate::time::{Timestamp, wire};
use crate::workflow::open::normal_queue;
use crate::workflow::record::{ActivityOptionsUpdated, ChangeKind};
use crate::workflow::state::activity::Activity;
use crate::workflow::step::Step;
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn update(
    mut step: Step<'_>,
    request: UpdateActivityOptionsRequest,
) -> Result<Transition, Rejection> {
    match carry_out(&mut step, &request) {
        Ok(options) => step.done(Reply::ActivityOptions(Box::new(options))),
        Err(rejection) => step.reject(rejection),
    }
}

fn carry_out(
    step: &mut Step<'_>,
    request: &UpdateActivityOptionsRequest,
) -> Result<ActivityOptions, Rejection> {
    let paths = request.update_mask.as_ref().map(|mask| &mask.paths);
    if request.restore_original && paths.is_some_and(|paths| !paths.is_empty()) {
        return Err(Rejection::invalid(
            "Both UpdateMask and RestoreOriginal are provided",
        ));
    }
    let selection = match &request.activity {
        Some(Meant::Type(name)) => Selection::Type(name),
        Some(Meant::Id(id)) => Selection::Id(id),
        Some(Meant::MatchAll(_)) => Selection::All,
        None => Selection::Id(""),
    };
    if !step.state.is_open() {
        return Err(Rejection::AlreadyCompleted);
    }
    let given = request.activity_options.as_ref();
    if given.is_none() && !request.restore_original {
        return Err(Rejection::invalid("ActivityOptions are not provided"));
    }
    let ids = select(step.state, &selection)?;
    if paths.is_none() && !request.restore_original {
        return Err(Rejection::invalid("UpdateMask is not provided"));
    }
    let mut last = ActivityOptions::default();
    for id in ids {
        let Some(activity) = step.state.activities.get(&id) else {
            continue;
        };
        last = match (given, paths) {
            (Some(given), Some(paths)) if !request.restore_original => {
                changed(activity, given, paths)?
            }
            _ => original(activity),
        };
        put(step, id, &last);
    }
    Ok(last)
}

/// The options that an activity was scheduled with.
fn original(activity: &Activity) -> ActivityOptions {
    let original = activity.original_options.as_deref();
    original.map_or_else(|| activity.options(), ActivityOptions::clone)
}

fn put(step: &mut Step<'_>, id: EventId, options: &ActivityOptions) {
    let Some(activity) = step.state.activities.get(&id) else {
        return;
    };
    let at = next_time(activity, options);
    step.change(ChangeKind::ActivityOptionsUpdated(ActivityOptionsUpdated {
        scheduled_event_id: id,
        options: Some(options.clone()),
        scheduled_time: at.0,
    }));
    offer_if_ready(step, id);
}

/// A waiting retry follows the new policy, from the end of the attempt before.
fn next_time(activity: &Activity, options: &ActivityOptions) -> Timestamp {
    match (&options.retry_policy, activity.last_ended_time) {
        (Some(policy), Some(ended)) if activity.attempt > 1 => {
            ended.after(retry::next_interval(policy, activity.attempt - 1, None))
        }
        _ => activity.scheduled_time,
    }
}

/// An activity's options with the fields that the mask names taken from others.
fn changed(
    activity: &Activity,
    given: &ActivityOptions,
    paths: &[String],
) -> Result<ActivityOptions, Rejection> {
    let paths: Vec<String> = paths.iter().map(|path| field_mask::snake(path)).collect();
    let names = (&*activity.scheduled.activity_id, activity.type_name());
    merged(activity.options(), given, &paths, names)
}

/// Options with the fields that the paths name taken from others, in order again. The names of activity and
/// type are for messages.
pub(crate) fn merged(
    mut options: ActivityOptions,
    given: &ActivityOptions,
    paths: &[String],
    (activity_id, activity_type): (&str, &str),
) -> Result<ActivityOptions, Rejection> {
    for path in paths {
        merge(&mut options, given, path)?;
    }
    if paths.iter().any(|path| path.starts_with("retry_policy"))
        && let Some(policy) = &options.retry_policy
    {
        retry::validate(policy).map_err(|error| Rejection::invalid(error.to_string()))?;
    }
    let queue = options.task_queue.as_ref().map_or("", |queue| &queue.name);
    if queue.is_empty() {
        return Err(Rejection::invalid("missing task queue name"));
    }
    options.task_queue = Some(normal_queue(queue));
    let asked = timeouts::ActivityTimeouts::from_wire(
        options.schedule_to_close_timeout.as_ref(),
        options.schedule_to_start_timeout.as_ref(),
        options.start_to_close_timeout.as_ref(),
        options.heartbeat_timeout.as_ref(),
    );
    let normal = asked.and_then(|asked| {
        let run_timeout = std::time::Duration::ZERO;
        timeouts::normalise(asked, run_timeout, activity_id, activity_type)
    });
    let normal = normal.map_err(|error| Rejection::invalid(error.to_string()))?;
    options.schedule_to_close_timeout = Some(wire(normal.schedule_to_close));
    options.schedule_to_start_timeout = Some(wire(normal.schedule_to_start));
    options.start_to_close_timeout = Some(wire(normal.start_to_close));
    options.heartbeat_timeout = Some(wire(normal.heartbeat));
    Ok(options)
}

/// Takes one field over. A path that names none is without effect, as the reference has it.
fn merge(into: &mut ActivityOptions, from: &ActivityOptions, path: &str) -> Result<(), Rejection> {
    let missing = |name: &str| Rejection::invalid(format!("{name} is not provided"));
    let priority = || from.priority.as_ref().ok_or_else(|| missing("Priority"));
    let policy = || {
        let policy = from.retry_policy.as_ref();
        policy.ok_or_else(|| missing("RetryPolicy"))
    };
    match path {
        "task_queue.name" => {
            let queue = from
                .task_queue
                .as_ref()
                .ok_or_else(|| missing("TaskQueue"))?;
            into.task_queue = Some(normal_queue(&queue.name));
        }
        "schedule_to_close_timeout" => {
            into.schedule_to_close_timeout = from.schedule_to_close_timeout;
        }
        "schedule_to_start_timeout" => {
            into.schedule_to_start_timeout = from.schedule_to_start_timeout;
        }
        "start_to_close_timeout" => into.start_to_close_timeout = from.start_to_close_timeout,
        "heartbeat_timeout" => into.heartbeat_timeout = from.heartbeat_timeout,
        "priority" => into.priority.clone_from(&from.priority),
        "priority.priority_key" => {
            into.priority.get_or_insert_default().priority_key = priority()?.priority_key;
        }
        "priority.fairness_key" => {
            let own = into.priority.get_or_insert_default();
            own.fairness_key.clone_from(&priority()?.fairness_key);
        }
        "priority.fairness_weight" => {
            into.priority.get_or_insert_default().fairness_weight = priority()?.fairness_weight;
        }
        "retry_policy" => {
            let before = into.retry_policy.take().unwrap_or_default();
            let new = into.retry_policy.insert(retry::with_defaults(policy()?));
            if new.non_retryable_error_types.is_empty() {
                new.non_retryable_error_types = before.non_retryable_error_types;
            }
        }
        "retry_policy.initial_interval" => {
            into.retry_policy.get_or_insert_default().initial_interval = policy()?.initial_interval;
        }
        "retry_policy.backoff_coefficient" => {
            into.retry_policy
                .get_or_insert_default()
                .backoff_coefficient = policy()?.backoff_coefficient;
        }
        "retry_policy.maximum_interval" => {
            into.retry_policy.get_or_insert_default().maximum_interval = policy()?.maximum_interval;
        }
        "retry_policy.maximum_attempts" => {
            into.retry_policy.get_or_insert_default().maximum_attempts = policy()?.maximum_attempts;
        }
        _ => {}
    }
    Ok(())
}
