//! What a schedule shows of itself: DescribeSchedule and ListScheduleMatchingTimes.

use bytes::Bytes;
use proto::temporal::api::schedule::v1::ScheduleInfo;
use proto::temporal::api::workflowservice::v1::DescribeScheduleResponse;

use super::spec::{self, Next};
use super::state::State;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// So many times to come are shown.
const FUTURE_MAX: usize = 10;
/// So many matching times are listed.
const MATCHING_MAX: usize = 1000;
/// A list of matching times looks so often for the next one.
const LOOKS_MAX: usize = MATCHING_MAX + 20;

/// DescribeSchedule.
///
/// # Errors
/// The schedule has ended.
pub fn describe(state: &State, now: Timestamp) -> Result<DescribeScheduleResponse, Rejection> {
    if !state.is_open() {
        return Err(Rejection::NotFound("schedule not found".to_owned()));
    }
    let core = &state.core;
    let mut schedule = core.schedule.clone();
    if let Some(spec) = schedule
        .as_mut()
        .and_then(|schedule| schedule.spec.as_mut())
    {
        spec::fill_ranges(spec);
    }
    let time = |at: i64| (at != 0).then(|| Timestamp(at).to_proto());
    let running = core.running.iter();
    let recent = core.recent.iter();
    let info = ScheduleInfo {
        action_count: core.action_count,
        missed_catchup_window: core.missed_catchup_window,
        overlap_skipped: core.overlap_skipped,
        buffer_dropped: core.buffer_dropped,
        buffer_size: i64::try_from(core.buffer.len()).unwrap_or(i64::MAX),
        running_workflows: running.map(|running| running.execution.clone()).collect(),
        recent_actions: recent.map(|recent| recent.result.clone()).collect(),
        future_action_times: future_times(state, now, FUTURE_MAX),
        create_time: time(core.create_time),
        update_time: time(core.update_time),
        invalid_schedule_error: state
            .spec_error()
            .map_or_else(String::new, ToString::to_string),
        ..ScheduleInfo::default()
    };
    let memo = core.memo.clone().filter(|memo| !memo.fields.is_empty());
    let attributes = core.search_attributes.clone();
    Ok(DescribeScheduleResponse {
        schedule,
        info: Some(info),
        memo,
        search_attributes: attributes.filter(|all| !all.indexed_fields.is_empty()),
        conflict_token: Bytes::copy_from_slice(&core.conflict_token.to_be_bytes()),
    })
}

/// The next times of its own accord, no more than it may take actions.
pub(super) fn future_times(state: &State, now: Timestamp, most: usize) -> Vec<proto::Timestamp> {
    let limit = state.schedule_state().filter(|s| s.limited_actions);
    let left = limit.map_or(most, |s| usize::try_from(s.remaining_actions).unwrap_or(0));
    // What lies in a pause will not be.
    let processed = Timestamp(state.core.processed_to);
    let mut at = if state.may_act(false) {
        processed
    } else {
        processed.max(now)
    };
    let mut times = Vec::new();
    let mut looks = 0;
    while times.len() < most.min(left) && looks < 2 * most {
        looks += 1;
        at = match state.next_after(at) {
            Next::Never => break,
            Next::NotUntil(searched) => searched,
            Next::At { actual, .. } => {
                if actual.0 >= state.core.update_time {
                    times.push(actual.to_proto());
                }
                actual
            }
        };
    }
    times
}

/// ListScheduleMatchingTimes: the times after one and up to another.
///
/// # Errors
/// Exclusions hide too many times.
pub fn matching_times(
    state: &State,
    after: Timestamp,
    until: Timestamp,
) -> Result<Vec<proto::Timestamp>, Rejection> {
    if let Some(error) = state.spec_error() {
        return Err(Rejection::invalid(format!("invalid schedule: {error}")));
    }
    let mut times = Vec::new();
    let mut at = after;
    for _ in 0..LOOKS_MAX {
        if times.len() >= MATCHING_MAX {
            return Ok(times);
        }
        at = match state.next_after(at) {
            Next::NotUntil(searched) if searched <= until => searched,
            Next::At { actual, .. } if actual <= until => {
                times.push(actual.to_proto());
                actual
            }
            _ => return Ok(times),
        };
    }
    Err(Rejection::invalid(
        "the schedule calendar specification has too many exclusions. Please modify the specification.",
    ))
}
