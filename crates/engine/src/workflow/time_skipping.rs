//! Runs that skip time: when nobody is at work for one, its own time jumps to what comes next. Off unless a
//! namespace allows it and the run's options ask for it.

use proto::temporal::api::common::v1::{
    TimeSkippingConfig, TimeSkippingFastForwardInfo, TimeSkippingStatePropagation,
};
use proto::temporal::api::enums::v1::FastForwardPollingResult as Polled;
use proto::temporal::api::history::v1::WorkflowExecutionTimeSkippingTransitionedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::state::activity::Activity;
use super::state::{FirstTask, State};
use super::step::Step;
use crate::time::{Timestamp, wire};

/// Where a jump leads.
#[derive(Debug, PartialEq, Eq)]
struct Jump {
    /// `None`: nowhere, but the fast-forward is over.
    to: Option<Timestamp>,
    /// The fast-forward is over with it.
    ends_fast_forward: bool,
}

/// Jumps at the end of a step that left nobody at work.
pub(crate) fn skip(step: &mut Step<'_>) {
    let now = step.time();
    if is_idle(step.state, now)
        && let Some(jump) = next(step.state, now)
    {
        record(step, &jump);
    }
}

/// A fast-forward whose target is there by the clock's own pace, also while somebody is at work.
pub(crate) fn end_fast_forward(step: &mut Step<'_>) {
    let own = step.state.core.time_skipping.as_ref();
    let target = own.and_then(|own| own.pending_fast_forward());
    if target.is_some_and(|target| target <= step.time()) {
        let jump = Jump {
            to: None,
            ends_fast_forward: true,
        };
        record(step, &jump);
    }
}

fn record(step: &mut Step<'_>, jump: &Jump) {
    let wall_clock_time = Some(step.now.time.to_proto());
    step.write(
        Attributes::WorkflowExecutionTimeSkippingTransitionedEventAttributes(
            WorkflowExecutionTimeSkippingTransitionedEventAttributes {
                target_time: jump.to.map(Timestamp::to_proto),
                disabled_after_fast_forward: jump.ends_fast_forward,
                wall_clock_time,
            },
        ),
    );
}

/// Whether the run may skip time, and nobody is at work for it: neither a worker nor another execution.
fn is_idle(state: &State, now: Timestamp) -> bool {
    let enabled = state.core.time_skipping.as_ref();
    let enabled = enabled.is_some_and(|own| own.is_enabled());
    let at_work = |activity: &Activity| !(activity.backs_off() && activity.scheduled_time > now);
    enabled
        && state.is_open()
        && !state.is_paused()
        && state.core.workflow_task.is_none()
        && !state.activities.iter().any(|(_, a)| at_work(a))
        && state.nexus_operations.is_empty()
        && state.children.is_empty()
        && state.external_signals.is_empty()
        && state.external_cancels.is_empty()
}

/// What comes next of all that an idle run waits for.
fn next(state: &State, now: Timestamp) -> Option<Jump> {
    let core = &state.core;
    let timers = state.timers.first_due().map(|(at, _)| at);
    let retries = state.activities.iter().map(|(_, a)| a.scheduled_time);
    // A run that has not begun does not jump to its end.
    let (delay, ends) = match core.first_task {
        FirstTask::Scheduled => (None, [core.run_deadline, core.execution_deadline]),
        FirstTask::Delayed(at) => (Some(at), [None, None]),
        FirstTask::AwaitsParent => (None, [None, None]),
    };
    let all = retries.chain(timers).chain(delay);
    let first = all.chain(ends.into_iter().flatten()).min();
    let own = core.time_skipping.as_ref();
    let fast_forward = own.and_then(|own| own.pending_fast_forward());
    match (first, fast_forward) {
        (_, Some(end)) if end <= now => Some(Jump {
            to: None,
            ends_fast_forward: true,
        }),
        (first, Some(end)) if first.is_none_or(|at| at >= end) => Some(Jump {
            to: Some(end),
            ends_fast_forward: true,
        }),
        // What is due is about to be looked at.
        (first, _) => first.filter(|at| *at > now).map(|at| Jump {
            to: Some(at),
            ends_fast_forward: false,
        }),
    }
}

/// What the next run of a chain has of this one: everything.
pub(crate) fn for_next_run(
    state: &State,
) -> (
    Option<TimeSkippingConfig>,
    Option<TimeSkippingStatePropagation>,
) {
    let Some(own) = &state.core.time_skipping else {
        return (None, None);
    };
    let inherited = TimeSkippingStatePropagation {
        initial_skipped_duration: Some(wire(own.ahead)),
        fast_forward_target_time: own.fast_forward.map(|it| it.target.to_proto()),
        initial_skip_count: own.skip_count,
    };
    (own.config.clone(), Some(inherited))
}

/// What a child has of its parent: its time, and the configuration unless that is not to be handed on. A
/// fast-forward is the parent's own.
pub(crate) fn for_child(
    state: &State,
) -> (
    Option<TimeSkippingConfig>,
    Option<TimeSkippingStatePropagation>,
) {
    let Some(own) = &state.core.time_skipping else {
        return (None, None);
    };
    let inherited = (!own.ahead.is_zero()).then(|| TimeSkippingStatePropagation {
        initial_skipped_duration: Some(wire(own.ahead)),
        ..TimeSkippingStatePropagation::default()
    });
    let config = own.config.clone();
    let config = config.filter(|config| !config.disable_propagation);
    let config = config.map(|config| TimeSkippingConfig {
        fast_forward_config: None,
        ..config
    });
    (config, inherited)
}

/// How a fast-forward stands for one who waits for its end.
#[derive(Clone, Debug, PartialEq)]
pub struct FastForwardPoll {
    /// It has come to this.
    pub result: Polled,
    /// Why it cannot complete any more.
    pub failed_reason: &'static str,
    /// The run's present fast-forward.
    pub info: Option<TimeSkippingFastForwardInfo>,
    /// The chain goes on with another run, which inherits the fast-forward.
    pub goes_on: bool,
}

/// How the fast-forward of an id stands. `since`: the target that it had when the wait began.
pub fn poll_fast_forward(state: &State, id: &str, since: Option<Timestamp>) -> FastForwardPoll {
    let own = state.core.time_skipping.as_ref();
    let info = own.and_then(|own| own.fast_forward_info());
    let stands = own.and_then(|own| own.fast_forward);
    let goes_on = !state.is_open() && state.successor_run_id().is_some();
    let failed = |reason| (Polled::FastForwardFailed, reason);
    let (result, failed_reason) = match (stands, &info) {
        (Some(stands), Some(info)) if info.fast_forward_id == id => {
            if since.is_some_and(|since| since != stands.target) {
                failed("the fast-forward was reset")
            } else if stands.completed {
                (Polled::FastForwardCompleted, "")
            } else if !state.is_open() && !goes_on {
                failed("the execution ended before the fast-forward completed")
            } else if !own.is_some_and(|own| own.is_enabled()) {
                failed("time skipping was disabled before the fast-forward completed")
            } else {
                (Polled::PollTimeout, "")
            }
        }
        _ => failed(
            "the requested fast_forward_id does not match the execution's current fast-forward",
        ),
    };
    FastForwardPoll {
        result,
        failed_reason,
        info,
        goes_on,
    }
}
