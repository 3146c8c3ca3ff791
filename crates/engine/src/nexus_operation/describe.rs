//! DescribeNexusOperationExecution and PollNexusOperationExecution: what a state shows.

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::{Payload, SearchAttributes};
use proto::temporal::api::enums::v1::{NexusOperationWaitStage, PendingNexusOperationState};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::nexus::v1::{
    NexusOperationExecutionCancellationInfo, NexusOperationExecutionInfo,
};
use proto::temporal::api::workflowservice::v1::{
    DescribeNexusOperationExecutionResponse, PollNexusOperationExecutionResponse,
    describe_nexus_operation_execution_response as described,
    poll_nexus_operation_execution_response as polled,
};
use uuid::Uuid;

use super::state::State;
use crate::rejection::Rejection;
use crate::time::{Timestamp, duration, wire};

/// What a caller wants to see besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// The input.
    pub input: bool,
    /// How it ended.
    pub outcome: bool,
}

/// A place in the life of an operation: a client that has seen this much waits for more.
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

/// The outcome of a closed operation.
pub fn outcome(state: &State) -> Option<Result<Payload, Failure>> {
    if state.is_open() {
        return None;
    }
    let core = &state.core;
    if let Some(result) = &core.result {
        return Some(Ok(result.clone()));
    }
    let of_attempt = state.operation.start.last_failure.as_deref();
    let failure = core.failure.as_ref().or(of_attempt);
    Some(Err(failure.cloned().unwrap_or_default()))
}

/// What a state shows.
pub fn describe(
    state: &State,
    shown: Shown,
    now: Timestamp,
) -> DescribeNexusOperationExecutionResponse {
    let outcome = outcome(state).filter(|_| shown.outcome);
    let input = &state.operation.scheduled.input;
    DescribeNexusOperationExecutionResponse {
        run_id: state.run_id.to_string(),
        info: Some(info(state, now)),
        input: input.clone().filter(|_| shown.input),
        long_poll_token: token_of(state),
        completion_callbacks: Vec::new(),
        outcome: outcome.map(|outcome| match outcome {
            Ok(result) => described::Outcome::Result(result),
            Err(failure) => described::Outcome::Failure(failure),
        }),
    }
}

/// How far a state is, for those who wait.
pub fn poll(state: &State) -> PollNexusOperationExecutionResponse {
    let stage = if state.is_open() {
        NexusOperationWaitStage::Started
    } else {
        NexusOperationWaitStage::Closed
    };
    PollNexusOperationExecutionResponse {
        run_id: state.run_id.to_string(),
        wait_stage: stage.into(),
        operation_token: state.operation.operation_token.to_string(),
        outcome: outcome(state).map(|outcome| match outcome {
            Ok(result) => polled::Outcome::Result(result),
            Err(failure) => polled::Outcome::Failure(failure),
        }),
    }
}

fn info(state: &State, now: Timestamp) -> NexusOperationExecutionInfo {
    let core = &state.core;
    let start = state.start();
    let operation = &state.operation;
    let scheduled = &operation.scheduled;
    let asking = &operation.start;
    let pending = if state.is_open() {
        operation.state(now)
    } else {
        PendingNexusOperationState::Unspecified
    };
    let backs_off = pending == PendingNexusOperationState::BackingOff;
    let since = operation.scheduled_time;
    let expires = scheduled
        .schedule_to_close_timeout
        .map(|span| since.after(duration(Some(&span))));
    let attached = core.attached.iter().flat_map(|attached| &attached.links);
    let links = start.links.iter().chain(attached).chain(&core.links);
    NexusOperationExecutionInfo {
        operation_id: state.operation_id.to_string(),
        run_id: state.run_id.to_string(),
        endpoint: scheduled.endpoint.clone(),
        service: scheduled.service.clone(),
        operation: scheduled.operation.clone(),
        status: core.status,
        state: pending.into(),
        schedule_to_close_timeout: scheduled.schedule_to_close_timeout,
        schedule_to_start_timeout: scheduled.schedule_to_start_timeout,
        start_to_close_timeout: scheduled.start_to_close_timeout,
        attempt: state.attempt(now),
        schedule_time: Some(since.to_proto()),
        expiration_time: expires.map(Timestamp::to_proto),
        close_time: state.close_time().map(Timestamp::to_proto),
        last_attempt_complete_time: asking.last_complete_time.map(Timestamp::to_proto),
        last_attempt_failure: asking.last_failure.as_deref().cloned(),
        next_attempt_schedule_time: backs_off.then(|| asking.due.to_proto()),
        execution_duration: Some(wire(state.close_time().unwrap_or(now).since(since))),
        cancellation_info: cancellation(state, now),
        blocked_reason: String::new(),
        request_id: scheduled.request_id.clone(),
        operation_token: operation.operation_token.to_string(),
        state_transition_count: i64::try_from(core.seq).unwrap_or(i64::MAX),
        search_attributes: Some(search_attributes(state)),
        nexus_header: scheduled.nexus_header.clone(),
        user_metadata: start.user_metadata.clone(),
        links: links.cloned().collect(),
        identity: start.identity.clone(),
        state_size_bytes: core.size,
    }
}

fn cancellation(state: &State, now: Timestamp) -> Option<NexusOperationExecutionCancellationInfo> {
    let request = state.core.cancel.as_ref()?;
    let cancellation = state.operation.cancellation.as_ref()?;
    let asking = &cancellation.asking;
    let backs_off = cancellation.is_pending() && asking.backs_off(now);
    // The attempt that is under way or due counts.
    let coming = cancellation.is_pending() && !backs_off;
    Some(NexusOperationExecutionCancellationInfo {
        requested_time: Some(Timestamp(state.core.cancel_time).to_proto()),
        state: cancellation.state(now).into(),
        attempt: asking.attempt + i32::from(coming),
        last_attempt_complete_time: asking.last_complete_time.map(Timestamp::to_proto),
        last_attempt_failure: asking.last_failure.as_deref().cloned(),
        next_attempt_schedule_time: backs_off.then(|| asking.due.to_proto()),
        blocked_reason: String::new(),
        reason: request.reason.clone(),
    })
}

pub(super) fn search_attributes(state: &State) -> SearchAttributes {
    state.start().search_attributes.clone().unwrap_or_default()
}
