//! A worker claims an activity task. The attempt is recorded before the worker gets it, so that an
//! attempt is handed out at most once (DESIGN invariant 6).

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::workflowservice::v1::PollActivityTaskQueueResponse;

use crate::execution::Kind;
use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::input::StartActivityTask;
use crate::workflow::priority;
use crate::workflow::record::{ActivityStarted, ChangeKind};
use crate::workflow::state::State;
use crate::workflow::step::Step;
use crate::workflow::token::ActivityTaskToken;
use crate::workflow::transition::{Reply, Transition};
use crate::workflow::versioning;

pub(crate) fn start(
    mut step: Step<'_>,
    claim: &StartActivityTask,
) -> Result<Transition, Rejection> {
    let id = claim.scheduled_event_id;
    let open = step.state.is_open();
    let Some(activity) = step
        .state
        .activities
        .get(&id)
        .filter(|a| open && !a.closing)
    else {
        return step.reject(Rejection::TaskGone);
    };
    let stale = activity.attempt != claim.attempt || activity.stamp != claim.stamp;
    if stale || activity.scheduled_time > step.time() {
        return step.reject(Rejection::TaskGone);
    }
    if let Some(started) = &activity.started {
        // The same claim, delivered twice, gets the same answer.
        if *started.request_id != claim.request_id {
            return step.reject(Rejection::TaskGone);
        }
    } else if activity.may_start() {
        let offered = claim.directive.as_ref();
        match versioning::activity_task_for(&mut step, claim.version.as_ref(), offered) {
            Ok(versioning::Start::Now) => {}
            Ok(versioning::Start::AfterTransition) => {
                return Ok(step.finish(Err(Rejection::TaskGone)));
            }
            Err(rejection) => return step.reject(rejection),
        }
        record(&mut step, id, &claim.identity, &claim.request_id);
    } else {
        return step.reject(Rejection::TaskGone);
    }
    match task(step.state, id) {
        Some(task) => step.done(Reply::ActivityTask(Box::new(task))),
        None => step.reject(Rejection::TaskGone),
    }
}

/// Starts an activity for the worker whose completion scheduled it.
pub(crate) fn eager(
    step: &mut Step<'_>,
    id: EventId,
    identity: &str,
) -> Option<PollActivityTaskQueueResponse> {
    // The same completion may have cancelled it.
    step.state.activities.get(&id).filter(|a| a.may_start())?;
    let request_id = step.now.uuid().to_string();
    record(step, id, identity, &request_id);
    task(step.state, id)
}

fn record(step: &mut Step<'_>, id: EventId, identity: &str, request_id: &str) {
    step.change(ChangeKind::ActivityStarted(ActivityStarted {
        scheduled_event_id: id,
        time: step.time().0,
        identity: identity.to_owned(),
        request_id: request_id.to_owned(),
    }));
}

/// What the worker gets (behaviour, section 5.2).
fn task(state: &State, id: EventId) -> Option<PollActivityTaskQueueResponse> {
    let activity = state.activities.get(&id)?;
    let started = activity.started.as_ref()?;
    let scheduled = &activity.scheduled;
    let token = ActivityTaskToken {
        namespace_id: Bytes::copy_from_slice(state.namespace_id.as_bytes()),
        workflow_id: state.workflow_id.to_string(),
        run_id: Bytes::copy_from_slice(state.run_id.as_bytes()),
        scheduled_event_id: id,
        attempt: activity.attempt,
        started_time: started.time.0,
        kind: Kind::Workflow.number().into(),
    };
    Some(PollActivityTaskQueueResponse {
        task_token: token.encode_to_vec().into(),
        workflow_namespace: state.core.start.namespace.to_string(),
        workflow_type: state.core.start.attributes.workflow_type.clone(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: state.workflow_id.to_string(),
            run_id: state.run_id.to_string(),
        }),
        activity_type: scheduled.activity_type.clone(),
        activity_id: scheduled.activity_id.clone(),
        header: scheduled.header.clone(),
        input: scheduled.input.clone(),
        heartbeat_details: activity.heartbeat_details.as_deref().cloned(),
        scheduled_time: Some(activity.first_scheduled_time.to_proto()),
        current_attempt_scheduled_time: Some(Timestamp::to_proto(activity.scheduled_time)),
        started_time: Some(started.time.to_proto()),
        attempt: activity.attempt,
        schedule_to_close_timeout: scheduled.schedule_to_close_timeout,
        start_to_close_timeout: scheduled.start_to_close_timeout,
        heartbeat_timeout: scheduled.heartbeat_timeout,
        retry_policy: scheduled.retry_policy.clone(),
        priority: priority::in_effect(scheduled.priority.as_ref(), state),
        ..PollActivityTaskQueueResponse::default()
    })
}
