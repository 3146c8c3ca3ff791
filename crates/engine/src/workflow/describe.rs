//! DescribeWorkflowExecution, from the state alone (behaviour, section 9.3).

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::enums::v1::{
    CallbackState, EventType, PendingActivityState, PendingWorkflowTaskState,
};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflow::v1::pending_activity_info::PauseInfo;
use proto::temporal::api::workflow::v1::pending_activity_info::pause_info::{Manual, PausedBy};
use proto::temporal::api::workflow::v1::{
    CallbackInfo, NexusOperationCancellationInfo, PendingActivityInfo, PendingChildExecutionInfo,
    PendingNexusOperationInfo, PendingWorkflowTaskInfo, RequestIdInfo, ResetPoints,
    WorkflowExecutionConfig, WorkflowExecutionExtendedInfo, WorkflowExecutionInfo,
    WorkflowExecutionPauseInfo, callback_info,
};
use proto::temporal::api::workflowservice::v1::DescribeWorkflowExecutionResponse;

use super::index_row;
use super::open::normal_queue;
use super::state::activity::{Activity, Pause};
use super::state::callback::{Callback, Phase};
use super::state::child::Child;
use super::state::nexus_operation::{Cancellation, NexusOperation};
use super::state::{FirstTask, State};
use crate::time::{Timestamp, wire};

/// The state of a run as clients see it.
pub fn describe(state: &State, now: Timestamp) -> DescribeWorkflowExecutionResponse {
    let now = state.own_time(now);
    let start = &state.core.start;
    DescribeWorkflowExecutionResponse {
        execution_config: Some(WorkflowExecutionConfig {
            task_queue: Some(normal_queue(&start.task_queue)),
            workflow_execution_timeout: start.attributes.workflow_execution_timeout,
            workflow_run_timeout: start.attributes.workflow_run_timeout,
            default_workflow_task_timeout: Some(wire(start.workflow_task_timeout)),
            user_metadata: start.user_metadata.clone(),
        }),
        workflow_execution_info: Some(info(state)),
        pending_activities: state
            .activities
            .iter()
            .filter(|(_, activity)| !activity.closing)
            .map(|(_, activity)| pending_activity(activity, now))
            .collect(),
        pending_children: state
            .children
            .iter()
            .filter(|(_, child)| !child.closing)
            .map(|(id, child)| pending_child(*id, child))
            .collect(),
        pending_workflow_task: pending_workflow_task(state),
        callbacks: state
            .callbacks
            .iter()
            .map(|(_, callback)| callback_info(callback, now))
            .collect(),
        pending_nexus_operations: state
            .nexus_operations
            .iter()
            .filter(|(_, operation)| !operation.closing)
            .map(|(id, operation)| pending_nexus_operation(*id, operation, now))
            .collect(),
        workflow_extended_info: Some(extended(state, now)),
    }
}

fn info(state: &State) -> WorkflowExecutionInfo {
    let core = &state.core;
    let start = &core.start.attributes;
    let own = WorkflowExecution {
        workflow_id: state.workflow_id.to_string(),
        run_id: state.run_id.to_string(),
    };
    let close_time = state.close_time();
    WorkflowExecutionInfo {
        execution: Some(own.clone()),
        r#type: start.workflow_type.clone(),
        start_time: Some(core.start.time.to_proto()),
        close_time: close_time.map(Timestamp::to_proto),
        status: core.status as i32,
        history_length: history_length(state),
        parent_namespace_id: start.parent_workflow_namespace_id.clone(),
        parent_execution: start.parent_workflow_execution.clone(),
        execution_time: Some(state.execution_time().to_proto()),
        memo: Some(core.memo.as_ref().clone()),
        search_attributes: Some(index_row::search_attributes(state)),
        auto_reset_points: Some(ResetPoints {
            points: core.reset_points.to_vec(),
        }),
        task_queue: core.start.task_queue.to_string(),
        state_transition_count: i64::try_from(core.seq).unwrap_or(i64::MAX),
        history_size_bytes: core.history_size,
        versioning_info: state.versioning_info(),
        worker_deployment_name: core
            .versioning
            .as_ref()
            .map_or_else(String::new, |v| v.deployment_name.to_string()),
        most_recent_worker_version_stamp: core.worker_version.as_deref().cloned(),
        execution_duration: close_time.map(|at| wire(at.since(state.execution_time()))),
        root_execution: Some(start.root_workflow_execution.clone().unwrap_or(own)),
        first_run_id: state.first_execution_run_id().to_owned(),
        priority: state.priority().cloned(),
        ..WorkflowExecutionInfo::default()
    }
}

/// Events, with the start of the task that is with a worker now, which the journal does not hold yet.
fn history_length(state: &State) -> i64 {
    let unstored = super::unstored_events(state).certain.len();
    state.last_event_id() + i64::try_from(unstored).unwrap_or(0)
}

fn extended(state: &State, now: Timestamp) -> WorkflowExecutionExtendedInfo {
    let core = &state.core;
    // "None" shows as the first instant of the calendar.
    let or_never = |at: Option<Timestamp>| {
        at.map_or(
            proto::Timestamp {
                seconds: -62_135_596_800,
                nanos: 0,
            },
            Timestamp::to_proto,
        )
    };
    WorkflowExecutionExtendedInfo {
        execution_expiration_time: core.execution_deadline.map(Timestamp::to_proto),
        run_expiration_time: Some(or_never(core.run_deadline)),
        cancel_requested: core.cancel_requested,
        time_skipping_info: core.time_skipping.as_ref().map(|own| own.info(now)),
        original_start_time: Some(core.start.original_time.to_proto()),
        last_reset_time: core
            .start
            .reset
            .as_ref()
            .map(|reset| Timestamp(reset.time).to_proto()),
        reset_run_id: core
            .reset_run_id
            .map_or_else(String::new, |id| id.to_string()),
        request_id_infos: state
            .request_ids
            .iter()
            // Requests that started the run or attached themselves to it, and its updates'; no others.
            .filter(|(id, seen)| {
                let shown = [
                    EventType::WorkflowExecutionStarted,
                    EventType::WorkflowExecutionOptionsUpdated,
                    EventType::WorkflowExecutionUpdateAdmitted,
                    EventType::WorkflowExecutionUpdateAccepted,
                ];
                shown.iter().any(|kind| *kind as i32 == seen.event_type)
                    || **id == core.start.request_id
            })
            .map(|(id, seen)| {
                let started = **id == *core.start.request_id;
                let info = RequestIdInfo {
                    // A signal that shares its id with the start gives its event's id, not its type.
                    event_type: if started {
                        EventType::WorkflowExecutionStarted as i32
                    } else {
                        seen.event_type
                    },
                    event_id: seen.event_id,
                    buffered: seen.event_id == 0,
                };
                (id.to_string(), info)
            })
            .collect(),
        pause_info: core
            .pause
            .as_deref()
            .map(|pause| WorkflowExecutionPauseInfo {
                identity: pause.identity.to_string(),
                paused_time: Some(pause.time.to_proto()),
                reason: pause.reason.to_string(),
            }),
    }
}

fn pending_activity(activity: &Activity, now: Timestamp) -> PendingActivityInfo {
    let started = activity.started.is_some();
    let state = match (started, activity.cancel_requested_event_id != 0) {
        (_, true) => PendingActivityState::CancelRequested,
        (true, false) => PendingActivityState::Started,
        (false, false) => PendingActivityState::Scheduled,
    };
    let paused = activity.pause.is_some();
    let state = match state {
        PendingActivityState::Scheduled if paused => PendingActivityState::Paused,
        PendingActivityState::Started if paused => PendingActivityState::PauseRequested,
        state => state,
    };
    let waits = !started && !paused;
    let backing_off = waits && activity.attempt > 1 && activity.scheduled_time > now;
    let interval = activity
        .last_ended_time
        .map(|ended| activity.scheduled_time.since(ended));
    PendingActivityInfo {
        activity_id: activity.scheduled.activity_id.clone(),
        activity_type: activity.scheduled.activity_type.clone(),
        state: state as i32,
        heartbeat_details: activity.heartbeat_details.as_deref().cloned(),
        last_heartbeat_time: activity.heartbeat_time.map(Timestamp::to_proto),
        last_started_time: activity.started.as_ref().map(|s| s.time.to_proto()),
        attempt: activity.attempt,
        maximum_attempts: activity
            .retry_policy()
            .map_or(0, |policy| policy.maximum_attempts),
        scheduled_time: Some(activity.scheduled_time.to_proto()),
        expiration_time: activity.expires_at().map(Timestamp::to_proto),
        last_failure: activity.last_failure.as_deref().cloned(),
        last_worker_identity: activity.last_identity.to_string(),
        current_retry_interval: interval.filter(|_| backing_off).map(wire),
        last_attempt_complete_time: activity.last_ended_time.map(Timestamp::to_proto),
        next_attempt_schedule_time: backing_off.then(|| activity.scheduled_time.to_proto()),
        priority: activity.scheduled.priority.clone(),
        activity_options: Some(options(activity)),
        paused,
        pause_info: activity.pause.as_deref().map(pause_info),
        ..PendingActivityInfo::default()
    }
}

fn options(activity: &Activity) -> ActivityOptions {
    ActivityOptions {
        // Here the reference gives the name twice, and no kind.
        task_queue: activity
            .scheduled
            .task_queue
            .as_ref()
            .map(|queue| TaskQueue {
                name: queue.name.clone(),
                normal_name: queue.name.clone(),
                ..TaskQueue::default()
            }),
        ..activity.options()
    }
}

fn pause_info(pause: &Pause) -> PauseInfo {
    PauseInfo {
        pause_time: Some(pause.time.to_proto()),
        paused_by: Some(PausedBy::Manual(Manual {
            identity: pause.identity.to_string(),
            reason: pause.reason.to_string(),
        })),
    }
}

fn pending_child(id: i64, child: &Child) -> PendingChildExecutionInfo {
    PendingChildExecutionInfo {
        workflow_id: child.initiated.workflow_id.clone(),
        run_id: child
            .started
            .map_or_else(String::new, |(run_id, _)| run_id.to_string()),
        workflow_type_name: child
            .initiated
            .workflow_type
            .as_ref()
            .map_or_else(String::new, |t| t.name.clone()),
        initiated_id: id,
        parent_close_policy: child.initiated.parent_close_policy,
    }
}

fn pending_workflow_task(state: &State) -> Option<PendingWorkflowTaskInfo> {
    let task = state.core.workflow_task.as_ref()?;
    debug_assert!(
        task.speculative || state.core.first_task == FirstTask::Scheduled,
        "a pending task was scheduled"
    );
    let phase = if task.started.is_some() {
        PendingWorkflowTaskState::Started
    } else {
        PendingWorkflowTaskState::Scheduled
    };
    Some(PendingWorkflowTaskInfo {
        state: phase as i32,
        scheduled_time: Some(task.scheduled_time.to_proto()),
        original_scheduled_time: Some(task.original_scheduled_time.to_proto()),
        started_time: task.started.as_ref().map(|started| started.time.to_proto()),
        attempt: task.attempt,
    })
}

fn pending_nexus_operation(
    id: i64,
    operation: &NexusOperation,
    now: Timestamp,
) -> PendingNexusOperationInfo {
    let scheduled = &operation.scheduled;
    let start = &operation.start;
    let backing_off = operation.started.is_none() && start.backs_off(now);
    let token = operation.operation_token.to_string();
    PendingNexusOperationInfo {
        endpoint: scheduled.endpoint.clone(),
        service: scheduled.service.clone(),
        operation: scheduled.operation.clone(),
        operation_id: token.clone(),
        operation_token: token,
        scheduled_event_id: id,
        schedule_to_close_timeout: scheduled.schedule_to_close_timeout,
        schedule_to_start_timeout: scheduled.schedule_to_start_timeout,
        start_to_close_timeout: scheduled.start_to_close_timeout,
        scheduled_time: Some(operation.scheduled_time.to_proto()),
        state: operation.state(now).into(),
        attempt: start.attempt,
        last_attempt_complete_time: start.last_complete_time.map(Timestamp::to_proto),
        last_attempt_failure: start.last_failure.as_deref().cloned(),
        next_attempt_schedule_time: backing_off.then(|| start.due.to_proto()),
        cancellation_info: operation
            .cancellation
            .as_ref()
            .map(|cancellation| cancellation_info(cancellation, now)),
        blocked_reason: String::new(),
    }
}

fn cancellation_info(
    cancellation: &Cancellation,
    now: Timestamp,
) -> NexusOperationCancellationInfo {
    let asking = &cancellation.asking;
    let backing_off = cancellation.is_pending() && asking.backs_off(now);
    NexusOperationCancellationInfo {
        requested_time: cancellation.requested_time.map(Timestamp::to_proto),
        state: cancellation.state(now).into(),
        attempt: asking.attempt,
        last_attempt_complete_time: asking.last_complete_time.map(Timestamp::to_proto),
        last_attempt_failure: asking.last_failure.as_deref().cloned(),
        next_attempt_schedule_time: backing_off.then(|| asking.due.to_proto()),
        blocked_reason: String::new(),
    }
}

fn callback_info(callback: &Callback, now: Timestamp) -> CallbackInfo {
    let asking = &callback.asking;
    let backing_off = callback.is_to_be_called() && asking.backs_off(now);
    let state = match callback.phase {
        Phase::Standby => CallbackState::Standby,
        Phase::Pending if backing_off => CallbackState::BackingOff,
        Phase::Pending => CallbackState::Scheduled,
        Phase::Succeeded => CallbackState::Succeeded,
        Phase::Failed => CallbackState::Failed,
    };
    CallbackInfo {
        callback: Some(callback.callback.as_ref().clone()),
        trigger: Some(callback_info::Trigger {
            variant: Some(trigger(callback)),
        }),
        registration_time: Some(callback.registration_time.to_proto()),
        state: state.into(),
        attempt: asking.attempt,
        last_attempt_complete_time: asking.last_complete_time.map(Timestamp::to_proto),
        last_attempt_failure: asking.last_failure.as_deref().cloned(),
        next_attempt_schedule_time: backing_off.then(|| asking.due.to_proto()),
        ..CallbackInfo::default()
    }
}

fn trigger(callback: &Callback) -> callback_info::trigger::Variant {
    use callback_info::trigger::Variant;
    match &callback.update {
        None => Variant::WorkflowClosed(callback_info::WorkflowClosed {}),
        Some(id) => Variant::UpdateWorkflowExecutionCompleted(
            callback_info::UpdateWorkflowExecutionCompleted {
                update_id: id.to_string(),
            },
        ),
    }
}
