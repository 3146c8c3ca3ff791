//! DescribeActivityExecution: what a state shows (behaviour, section 10.4).

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::activity::v1::{ActivityExecutionInfo, CallbackInfo, callback_info};
use proto::temporal::api::callback::v1::CallbackInfo as Delivery;
use proto::temporal::api::common::v1::SearchAttributes;
use proto::temporal::api::enums::v1::CallbackState;
use proto::temporal::api::workflowservice::v1::DescribeActivityExecutionResponse;
use uuid::Uuid;

use super::outcome::outcome;
use super::state::{Callback, Phase, State, Status};
use crate::rejection::Rejection;
use crate::time::{Timestamp, wire};

/// What a caller wants to see besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// The input.
    pub input: bool,
    /// How it ended.
    pub outcome: bool,
    /// Progress.
    pub heartbeat_details: bool,
    /// How the last attempt ended.
    pub last_failure: bool,
}

/// A place in the life of an activity: a client that has seen this much waits for more.
#[derive(Clone, PartialEq, Message)]
struct Watch {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    run_id: Bytes,
    /// Records that it has seen.
    #[prost(uint64, tag = "2")]
    seq: u64,
}

/// The token of what a state shows.
pub fn token_of(state: &State) -> Bytes {
    let watch = Watch {
        run_id: Bytes::copy_from_slice(state.run_id.as_bytes()),
        seq: state.core.seq,
    };
    watch.encode_to_vec().into()
}

/// How many records the holder of a token has seen of this run.
///
/// # Errors
/// The documented refusals of a token that means nothing, or another run.
pub fn watched(token: &Bytes, run_id: Uuid) -> Result<u64, Rejection> {
    let watch = Watch::decode(token.clone())
        .ok()
        .filter(|watch| watch.run_id.len() == 16)
        .ok_or_else(|| Rejection::invalid("invalid long poll token"))?;
    if *watch.run_id != *run_id.as_bytes() {
        return Err(Rejection::invalid(
            "long poll token does not match execution",
        ));
    }
    Ok(watch.seq)
}

/// What a state shows.
pub fn describe(state: &State, shown: Shown, now: Timestamp) -> DescribeActivityExecutionResponse {
    let callbacks = state.core.callbacks.iter();
    DescribeActivityExecutionResponse {
        run_id: state.run_id.to_string(),
        info: Some(info(state, shown, now)),
        input: state.start().input.clone().filter(|_| shown.input),
        outcome: outcome(state).filter(|_| shown.outcome),
        long_poll_token: token_of(state),
        callbacks: callbacks
            .map(|callback| callback_info(callback, now))
            .collect(),
    }
}

fn info(state: &State, shown: Shown, now: Timestamp) -> ActivityExecutionInfo {
    let core = &state.core;
    let start = state.start();
    let options = state.options();
    let time = |nanos: i64| (nanos != 0).then(|| Timestamp(nanos).to_proto());
    let close_time = state.close_time();
    let schedule_time = Timestamp(core.schedule_time);
    let pending = state.status() == Status::Scheduled
        && core.dispatch_time > now.0
        && core.dispatch_time != 0;
    let interval = u64::try_from(core.retry_interval).unwrap_or(0);
    let attached = core.attached.iter().flat_map(|attached| &attached.links);
    ActivityExecutionInfo {
        activity_id: state.activity_id.to_string(),
        run_id: state.run_id.to_string(),
        activity_type: start.activity_type.clone(),
        status: state.status().shown() as i32,
        run_state: state.run_state() as i32,
        task_queue: state.task_queue().to_owned(),
        schedule_to_close_timeout: options.schedule_to_close_timeout,
        schedule_to_start_timeout: options.schedule_to_start_timeout,
        start_to_close_timeout: options.start_to_close_timeout,
        heartbeat_timeout: options.heartbeat_timeout,
        retry_policy: options.retry_policy,
        heartbeat_details: core
            .heartbeat_details
            .clone()
            .filter(|_| shown.heartbeat_details),
        last_heartbeat_time: time(core.heartbeat_time),
        last_started_time: time(core.started_time),
        attempt: core.attempt,
        execution_duration: close_time.map(|at| wire(at.since(schedule_time))),
        schedule_time: Some(schedule_time.to_proto()),
        expiration_time: state.expires_at().map(Timestamp::to_proto),
        close_time: close_time.map(Timestamp::to_proto),
        last_failure: core.last_failure.clone().filter(|_| shown.last_failure),
        last_worker_identity: core.worker_identity.clone(),
        current_retry_interval: (pending && interval > 0)
            .then(|| wire(std::time::Duration::from_nanos(interval))),
        last_attempt_complete_time: time(core.ended_time),
        next_attempt_schedule_time: pending.then(|| Timestamp(core.dispatch_time).to_proto()),
        priority: options.priority,
        state_transition_count: i64::try_from(core.seq).unwrap_or(i64::MAX),
        state_size_bytes: core.size,
        search_attributes: Some(search_attributes(state)),
        header: start.header.clone(),
        user_metadata: start.user_metadata.clone(),
        canceled_reason: core
            .cancel
            .as_ref()
            .map_or_else(String::new, |cancel| cancel.reason.clone()),
        links: start.links.iter().chain(attached).cloned().collect(),
        total_heartbeat_count: core.heartbeat_count,
        start_delay: options.start_delay,
        execution_time: Some(state.first_dispatch_time().to_proto()),
        sdk_name: core.sdk_name.clone(),
        sdk_version: core.sdk_version.clone(),
        ..ActivityExecutionInfo::default()
    }
}

fn callback_info(callback: &Callback, now: Timestamp) -> CallbackInfo {
    let time = |nanos: i64| (nanos != 0).then(|| Timestamp(nanos).to_proto());
    let backing_off = callback.is_to_be_called() && callback.attempt > 0 && callback.due > now.0;
    let state = match callback.phase() {
        Phase::Standby => CallbackState::Standby,
        Phase::Pending if backing_off => CallbackState::BackingOff,
        Phase::Pending => CallbackState::Scheduled,
        Phase::Succeeded => CallbackState::Succeeded,
        Phase::Failed => CallbackState::Failed,
    };
    let closed = callback_info::trigger::Variant::ActivityClosed(callback_info::ActivityClosed {});
    CallbackInfo {
        trigger: Some(callback_info::Trigger {
            variant: Some(closed),
        }),
        info: Some(Delivery {
            callback: callback.callback.clone(),
            registration_time: time(callback.registration_time),
            state: state.into(),
            attempt: callback.attempt,
            last_attempt_complete_time: time(callback.last_complete_time),
            last_attempt_failure: callback.last_failure.clone(),
            next_attempt_schedule_time: time(callback.due).filter(|_| backing_off),
            ..Delivery::default()
        }),
    }
}

pub(super) fn search_attributes(state: &State) -> SearchAttributes {
    state.start().search_attributes.clone().unwrap_or_default()
}
