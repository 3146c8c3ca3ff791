//! The run's and the chain's own time-outs (behaviour, sections 3.4 and 6.4).

use proto::temporal::api::enums::v1::{RetryState, TimeoutType};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, TimeoutFailureInfo};
use proto::temporal::api::history::v1::WorkflowExecutionTimedOutEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;

use crate::workflow::chain;
use crate::workflow::close;
use crate::workflow::step::Step;

/// Closes a run whose time is up. Returns whether it did.
pub(super) fn time_out(step: &mut Step<'_>) -> bool {
    let now = step.time();
    let due = |at: Option<crate::time::Timestamp>| at.is_some_and(|at| at <= now);
    let chain_over = due(step.state.core.execution_deadline);
    if !chain_over && !due(step.state.core.run_deadline) {
        return false;
    }
    close::fail_started_task_for_close(step);
    let failure = Failure {
        message: "workflow timeout".to_owned(),
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: TimeoutType::StartToClose as i32,
            last_heartbeat_details: None,
        })),
        ..Failure::default()
    };
    // The end of the chain's time ends the chain; the end of a run's time may be retried.
    let (retry_state, next) = if chain_over {
        (RetryState::Timeout, None)
    } else {
        chain::next_after_failure(step, &failure)
    };
    let new_execution_run_id = next
        .as_ref()
        .map_or_else(String::new, |n| n.run_id.to_string());
    step.write(Attributes::WorkflowExecutionTimedOutEventAttributes(
        WorkflowExecutionTimedOutEventAttributes {
            retry_state: retry_state as i32,
            new_execution_run_id,
        },
    ));
    if let Some(next) = next {
        chain::open_next(step, next, Some(failure), None);
    }
    true
}
