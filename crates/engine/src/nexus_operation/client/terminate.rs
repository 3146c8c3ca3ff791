//! TerminateNexusOperationExecution: it is over, and its handler hears nothing of it.

use proto::temporal::api::enums::v1::NexusOperationExecutionStatus as Status;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, TerminatedFailureInfo};

use super::precondition;
use crate::nexus_operation::input::Terminate;
use crate::nexus_operation::record::Closed;
use crate::nexus_operation::step::Step;
use crate::rejection::Rejection;

pub(in crate::nexus_operation) fn terminate(
    step: &mut Step<'_>,
    request: Terminate,
) -> Result<(), Rejection> {
    let status = step.state.status();
    if status == Status::Terminated {
        let before = &step.state.core.terminate_request_id;
        if *before == request.request_id {
            return Ok(());
        }
        return Err(precondition(format!(
            "already terminated with request ID {before}"
        )));
    }
    if !step.state.is_open() {
        return Err(precondition(format!("invalid transition from {status:?}")));
    }
    step.close(Closed {
        status: Status::Terminated as i32,
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
    Ok(())
}
