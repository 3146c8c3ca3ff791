//! RespondActivityTaskFailed and its by-id form: another attempt, or the end (behaviour, section 5.4).

use std::time::Duration;

use prost::Message;
use proto::temporal::api::enums::v1::ActivityExecutionStatus;
use proto::temporal::api::failure::v1::Failure;

use super::resolve;
use crate::activity::record::{AttemptEnded, ChangeKind, Closed, Heartbeat};
use crate::activity::state::Status;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::retry::{self, Decision};
use crate::workflow::command::server_failure;
use crate::workflow::input::{ActivityFailed, ActivityTarget};
use crate::workflow::kept_failure;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn fail(
    step: &mut Step<'_>,
    target: &ActivityTarget,
    mut failed: ActivityFailed,
) -> Result<Reply, Rejection> {
    resolve(step.state, target)?;
    let limit = step.env.limits.blob_size_error;
    if failed.failure.as_ref().map_or(0, Message::encoded_len) > limit {
        failed.failure = Some(server_failure("Failure exceeds size limit.", true));
    }
    record(step, failed);
    Ok(Reply::ActivityTaskFailed)
}

/// Records the end of an attempt that failed: a retry, or the close.
pub(in crate::activity) fn record(step: &mut Step<'_>, failed: ActivityFailed) {
    if failed.last_heartbeat_details.is_some() {
        step.change(ChangeKind::Heartbeat(Heartbeat {
            details: failed.last_heartbeat_details,
        }));
    }
    let empty = Failure::default();
    let failure = failed.failure.as_ref();
    let of_worker = retry::next_retry_delay(failure.unwrap_or(&empty)).is_some();
    match decide(step, failure.unwrap_or(&empty)) {
        Decision::Retry { after } => retry_after(step, failed.failure, after, of_worker),
        Decision::NoRetry(retry_state) => {
            // A caller must see that it is over, also when the worker gave no reason.
            let failure = failed.failure.unwrap_or_else(|| Failure {
                message: "activity task failed without failure details".to_owned(),
                ..Failure::default()
            });
            step.close(Closed {
                status: ActivityExecutionStatus::Failed as i32,
                failure: Some(failure),
                retry_state: retry_state as i32,
                identity: failed.identity,
                of_attempt: true,
                ..Closed::default()
            });
        }
    }
}

/// Whether another attempt follows. After a reset, one does, whatever the failure.
pub(in crate::activity) fn decide(step: &Step<'_>, failure: &Failure) -> Decision {
    let state = &step.state;
    if state.status() == Status::ResetRequested {
        return Decision::Retry {
            after: Duration::ZERO,
        };
    }
    let attempt = retry::Attempt {
        policy: state.retry_policy(),
        attempt: state.core.attempt,
        cancel_requested: state.status() == Status::CancelRequested,
        expires_at_ns: state.expires_at().map(|at| at.0),
    };
    retry::decide_activity(attempt, failure, step.time().0)
}

/// Records that another attempt follows, and offers it if it is ready at once.
pub(in crate::activity) fn retry_after(
    step: &mut Step<'_>,
    failure: Option<Failure>,
    after: Duration,
    interval_of_worker: bool,
) {
    let limit = step.env.limits.activity_failure_size_max;
    let at = step.state.not_before_delay(step.time().after(after));
    step.change(ChangeKind::AttemptEnded(Box::new(AttemptEnded {
        failure: failure.map(|failure| kept_failure(failure, limit)),
        interval: i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        interval_of_worker,
        dispatch_time: at.0,
    })));
    step.offer_if_ready();
}
