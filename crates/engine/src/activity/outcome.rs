//! How an activity ended, as clients see it.

use proto::temporal::api::activity::v1::ActivityExecutionOutcome;
use proto::temporal::api::activity::v1::activity_execution_outcome::Value;

use super::state::{State, Status};

/// The outcome of a closed activity.
pub fn outcome(state: &State) -> Option<ActivityExecutionOutcome> {
    if state.is_open() {
        return None;
    }
    let core = &state.core;
    Some(if state.status() == Status::Completed {
        ActivityExecutionOutcome {
            value: Some(Value::Result(core.result.clone().unwrap_or_default())),
            ..ActivityExecutionOutcome::default()
        }
    } else {
        ActivityExecutionOutcome {
            value: Some(Value::Failure(core.failure.clone().unwrap_or_default())),
            retry_state: core.retry_state,
        }
    })
}
