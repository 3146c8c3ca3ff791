//! ResetActivityExecution: the next attempt is the first one again.

use engine::activity;
use engine::workflow::Input;
use proto::temporal::api::workflowservice::v1::reset_activity_request::Activity;
use proto::temporal::api::workflowservice::v1::{
    ResetActivityExecutionRequest, ResetActivityExecutionResponse, ResetActivityRequest,
};

use super::Server;
use super::activity_operator::{self, OnActivity};
use super::call::NamespaceCall;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ResetActivityExecutionRequest>,
) -> Result<ResetActivityExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let run_id = activity_operator::check(&mut request, &server)?;
    activity_operator::check_jitter(request.jitter.as_ref())?;
    activity_operator::carry_out(&server, &namespace, run_id, request).await?;
    Ok(ResetActivityExecutionResponse {})
}

impl OnActivity for ResetActivityExecutionRequest {
    fn in_workflow(self) -> Input {
        Input::ResetActivity(Box::new(ResetActivityRequest {
            identity: self.identity,
            activity: Some(Activity::Id(self.activity_id)),
            reset_heartbeat: self.reset_heartbeat,
            keep_paused: self.keep_paused,
            jitter: self.jitter,
            restore_original_options: self.restore_original_options,
            ..ResetActivityRequest::default()
        }))
    }

    fn standalone(self) -> activity::Input {
        activity::Input::Reset(Box::new(self))
    }
}
