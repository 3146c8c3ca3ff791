//! Which way a query goes (behaviour, section 7.1).

use std::sync::Arc;

use proto::temporal::api::enums::v1::{QueryRejectCondition, WorkflowExecutionStatus as Status};

use super::state::workflow_task::Sticky;
use super::state::{FirstTask, State};
use crate::deployment::Directive;
use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// Where a query goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Route {
    /// Nowhere: the caller asked not to query a run in this status, or nobody can because it is paused.
    Rejected(Status),
    /// To a worker on its own: to the one that has the run cached if any, else to the normal queue.
    Direct {
        /// The normal queue.
        task_queue: Arc<str>,
        /// The worker that has the run cached.
        sticky: Option<Arc<Sticky>>,
        /// The version of worker that can answer.
        directive: Directive,
    },
    /// With the next workflow task, so that it sees what that task brings.
    WithWorkflowTask,
}

/// What a query-only task tells its worker besides the query.
#[derive(Clone, Debug)]
pub struct QueryTask {
    /// The workflow's type.
    pub workflow_type: String,
    /// Started event of the last completed workflow task.
    pub previous_started_event_id: EventId,
    /// The run's normal queue.
    pub task_queue: Arc<str>,
    /// Stored events to send: from this one...
    pub history_from: EventId,
    /// ...to this one; fewer than `history_from` for a sticky worker, which gets none.
    pub history_to: EventId,
}

/// Decides the way of a query whose caller waits until `deadline`.
///
/// # Errors
/// When the run cannot be queried now.
pub fn route(
    state: &State,
    reject_condition: i32,
    deadline: Timestamp,
) -> Result<Route, Rejection> {
    let core = &state.core;
    let condition =
        QueryRejectCondition::try_from(reject_condition).unwrap_or(QueryRejectCondition::None);
    let reject = match condition {
        QueryRejectCondition::NotOpen => !state.is_open(),
        QueryRejectCondition::NotCompletedCleanly => {
            !state.is_open() && core.status != Status::Completed
        }
        QueryRejectCondition::None | QueryRejectCondition::Unspecified => false,
    };
    if reject {
        return Ok(Route::Rejected(core.status));
    }
    if state.is_paused() {
        return Ok(Route::Rejected(core.status));
    }
    let direct = Route::Direct {
        task_queue: core.start.task_queue.clone(),
        sticky: core.sticky.clone(),
        directive: state.directive(),
    };
    let none_completed = core.previous_started_event_id == 0;
    if !state.is_open() {
        if none_completed {
            return Err(Rejection::WorkflowNotReady(
                "Workflow execution closed before WorkflowTaskStarted event".to_owned(),
            ));
        }
        return Ok(direct);
    }
    if let FirstTask::Delayed(at) = core.first_task
        && core.workflow_task.is_none()
        && state.clock_time(at) > deadline
    {
        return Err(Rejection::WorkflowNotReady(
            "Workflow task is not scheduled yet.".to_owned(),
        ));
    }
    match &core.workflow_task {
        Some(task) if task.attempt >= 3 => Err(Rejection::WorkflowNotReady(
            "Unable to query workflow due to Workflow Task in failed state.".to_owned(),
        )),
        Some(_) => Ok(Route::WithWorkflowTask),
        None if none_completed => Ok(Route::WithWorkflowTask),
        None => Ok(direct),
    }
}

/// What a query-only task carries: all of history, or none for the worker that has it cached.
pub fn task(state: &State, sticky: bool) -> QueryTask {
    QueryTask {
        workflow_type: state.core.start.workflow_type.to_string(),
        previous_started_event_id: state.core.previous_started_event_id,
        task_queue: state.core.start.task_queue.clone(),
        history_from: 1,
        history_to: if sticky { 0 } else { state.last_event_id() },
    }
}
