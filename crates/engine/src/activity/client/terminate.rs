//! TerminateActivityExecution.

use proto::temporal::api::enums::v1::ActivityExecutionStatus;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, TerminatedFailureInfo};

use super::precondition;
use crate::activity::input::Terminate;
use crate::activity::record::Closed;
use crate::activity::state::Status;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn terminate(
    step: &mut Step<'_>,
    request: Terminate,
) -> Result<Reply, Rejection> {
    let status = step.state.status();
    if status == Status::Terminated {
        let before = &step.state.core.terminate_request_id;
        if *before == request.request_id {
            return Ok(Reply::Done);
        }
        return Err(precondition(format!(
            "already terminated with request ID {before}"
        )));
    }
    if !status.is_open() {
        return Err(precondition(format!("invalid transition from {status:?}")));
    }
    step.close(Closed {
        status: ActivityExecutionStatus::Terminated as i32,
        failure: Some(Failure {
            message: request.reason,
            failure_info: Some(FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo {
                identity: request.identity,
            })),
            ..Failure::default()
        }),
        request_id: request.request_id,
        ..Closed::default()
    });
    Ok(Reply::Done)
}
