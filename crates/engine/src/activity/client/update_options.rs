//! UpdateActivityExecutionOptions without a workflow: field by field, or all as they were at the start
//! (behaviour, section 5.6).

use std::time::Duration;

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::workflowservice::v1::UpdateActivityExecutionOptionsRequest;

use super::{is_repeat, precondition};
use crate::activity::record::{ChangeKind, OptionsUpdated};
use crate::activity::state::{State, Status};
use crate::activity::step::Step;
use crate::field_mask;
use crate::rejection::Rejection;
use crate::retry;
use crate::time::Timestamp;
use crate::workflow::merged_options;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn update(
    step: &mut Step<'_>,
    request: &UpdateActivityExecutionOptionsRequest,
) -> Result<Reply, Rejection> {
    let state = &*step.state;
    if is_repeat(&request.request_id, &state.core.update_request_id) {
        return Ok(Reply::ActivityOptions(Box::new(state.options())));
    }
    let status = state.status();
    if !status.is_open() || matches!(status, Status::CancelRequested | Status::ResetRequested) {
        return Err(precondition(format!(
            "Cannot update options for activity in state {status:?}"
        )));
    }
    let paths = request.update_mask.as_ref().map(|mask| &mask.paths[..]);
    let paths: Vec<String> = paths
        .unwrap_or_default()
        .iter()
        .map(|path| field_mask::snake(path))
        .collect();
    let names = |name: &str| paths.iter().any(|path| path.starts_with(name));
    if names("start_delay") && !can_delay(state, step.time()) {
        return Err(precondition(
            "cannot update start_delay: the first activity attempt has already been dispatched",
        ));
    }
    let options = match &request.activity_options {
        Some(given) if !request.restore_original => {
            let names = (&*state.activity_id, state.activity_type());
            let mut options = merged_options(state.options(), given, &paths, names)?;
            if paths.iter().any(|path| path == "start_delay") {
                options.start_delay = given.start_delay;
            }
            options
        }
        _ => original(state),
    };
    let interval = interval(
        state,
        &options,
        request.restore_original || names("retry_policy"),
    );
    step.row_changed = true;
    let mut updated = OptionsUpdated {
        request_id: request.request_id.clone(),
        options: Some(options.clone()),
        interval: i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX),
        dispatch_time: 0,
    };
    updated.dispatch_time = dispatch_time(step, &options, interval).0;
    step.change(ChangeKind::OptionsUpdated(Box::new(updated)));
    step.offer_if_ready();
    Ok(Reply::ActivityOptions(Box::new(options)))
}

/// Whether the delay before the first attempt still matters.
fn can_delay(state: &State, now: Timestamp) -> bool {
    let rests = state.status() == Status::Paused && state.core.first_started_time == 0;
    state.first_dispatch_time() > now || rests
}

/// The options of the start; a delay that has passed stays as it was.
fn original(state: &State) -> ActivityOptions {
    let mut options = state.original_options();
    if state.core.first_started_time != 0 {
        options.start_delay = state.options().start_delay;
    }
    options
}

/// The wait before a retry that is pending: by the new policy, unless the worker chose it.
fn interval(state: &State, options: &ActivityOptions, policy_changed: bool) -> Duration {
    let core = &state.core;
    let before = Duration::from_nanos(u64::try_from(core.retry_interval).unwrap_or(0));
    let waits = matches!(state.status(), Status::Scheduled | Status::Paused);
    match &options.retry_policy {
        Some(policy)
            if policy_changed && waits && !before.is_zero() && !core.retry_interval_of_worker =>
        {
            retry::next_interval(policy, core.attempt - 1, None)
        }
        _ => before,
    }
}

/// When the attempt that waits is ready: after its interval, or at once, no earlier than the delay allows.
fn dispatch_time(step: &Step<'_>, options: &ActivityOptions, interval: Duration) -> Timestamp {
    let core = &step.state.core;
    if !interval.is_zero() {
        return Timestamp(core.ended_time).after(interval);
    }
    if core.first_started_time != 0 {
        return step.time();
    }
    let delay = crate::time::duration(options.start_delay.as_ref());
    step.time().max(Timestamp(core.schedule_time).after(delay))
}
