//! RespondActivityTaskCanceled and its by-id form.

use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::enums::v1::ActivityExecutionStatus;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{CanceledFailureInfo, Failure};

use super::resolve;
use crate::activity::record::Closed;
use crate::activity::state::Status;
use crate::activity::step::Step;
use crate::rejection::Rejection;
use crate::workflow::input::ActivityTarget;
use crate::workflow::transition::Reply;

pub(in crate::activity) fn cancel(
    step: &mut Step<'_>,
    target: &ActivityTarget,
    details: Option<Payloads>,
) -> Result<Reply, Rejection> {
    resolve(step.state, target)?;
    if step.state.status() != Status::CancelRequested {
        return Err(Rejection::invalid(
            "unable to mark activity as canceled without activity being request canceled first",
        ));
    }
    record(step, details);
    Ok(Reply::Done)
}

/// Records that it stopped because somebody asked it to.
pub(in crate::activity) fn record(step: &mut Step<'_>, details: Option<Payloads>) {
    let cancel = step.state.core.cancel.as_ref();
    let identity = cancel.map_or_else(String::new, |cancel| cancel.identity.clone());
    step.close(Closed {
        status: ActivityExecutionStatus::Canceled as i32,
        failure: Some(Failure {
            message: "Activity canceled".to_owned(),
            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
                details,
                identity,
            })),
            ..Failure::default()
        }),
        ..Closed::default()
    });
}
