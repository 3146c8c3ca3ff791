//! A worker claims the attempt. It is recorded before the worker gets it, so that an attempt is handed out at
//! most once.

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::workflowservice::v1::PollActivityTaskQueueResponse;

use crate::activity::record::{ChangeKind, Started};
use crate::activity::state::State;
use crate::activity::step::Step;
use crate::execution::Kind;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::input::StartActivityTask;
use crate::workflow::token::ActivityTaskToken;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn start(
    step: &mut Step<'_>,
    claim: StartActivityTask,
) -> Result<Reply, Rejection> {
    let core = &step.state.core;
    // The same claim, delivered twice, gets the same answer.
    let again = step.state.status().has_attempt() && core.claim == claim.request_id;
    if !again {
        let good = step.state.is_ready(step.time())
            && core.stamp == claim.scheduled_event_id
            && core.attempt == claim.attempt;
        if !good {
            return Err(Rejection::TaskGone);
        }
        step.change(ChangeKind::Started(Started {
            identity: claim.identity,
            request_id: claim.request_id,
            sdk_name: claim.sdk.0,
            sdk_version: claim.sdk.1,
        }));
    }
    Ok(Reply::ActivityTask(Box::new(task(step.state))))
}

/// What the worker gets: an ordinary activity task without a workflow (behaviour, section 10.4).
fn task(state: &State) -> PollActivityTaskQueueResponse {
    let core = &state.core;
    let start = state.start();
    let options = state.options();
    let token = ActivityTaskToken {
        namespace_id: Bytes::copy_from_slice(state.namespace_id.as_bytes()),
        workflow_id: state.activity_id.to_string(),
        run_id: Bytes::copy_from_slice(state.run_id.as_bytes()),
        scheduled_event_id: core.stamp,
        attempt: core.attempt,
        started_time: core.started_time,
        kind: Kind::Activity.number().into(),
    };
    PollActivityTaskQueueResponse {
        task_token: token.encode_to_vec().into(),
        workflow_namespace: core.namespace.clone(),
        workflow_execution: Some(WorkflowExecution::default()),
        activity_type: start.activity_type.clone(),
        activity_id: state.activity_id.to_string(),
        activity_run_id: state.run_id.to_string(),
        header: start.header.clone(),
        input: start.input.clone(),
        heartbeat_details: core.heartbeat_details.clone(),
        scheduled_time: Some(Timestamp(core.schedule_time).to_proto()),
        current_attempt_scheduled_time: Some(Timestamp(core.dispatch_time).to_proto()),
        started_time: Some(Timestamp(core.started_time).to_proto()),
        attempt: core.attempt,
        schedule_to_close_timeout: options.schedule_to_close_timeout,
        start_to_close_timeout: options.start_to_close_timeout,
        heartbeat_timeout: options.heartbeat_timeout,
        retry_policy: options.retry_policy,
        priority: options.priority,
        ..PollActivityTaskQueueResponse::default()
    }
}
