//! PauseActivityExecution: no further attempt is handed out.

use engine::activity;
use engine::workflow::Input;
use proto::temporal::api::workflowservice::v1::pause_activity_request::Activity;
use proto::temporal::api::workflowservice::v1::{
    PauseActivityExecutionRequest, PauseActivityExecutionResponse, PauseActivityRequest,
};

use super::Server;
use super::activity_operator::{self, OnActivity};
use super::call::NamespaceCall;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PauseActivityExecutionRequest>,
) -> Result<PauseActivityExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let run_id = activity_operator::check(&mut request, &server)?;
    if request.reason.len() > server.limits.blob_size_error {
        return Err(WireError::invalid("reason exceeds length limit"));
    }
    activity_operator::carry_out(&server, &namespace, run_id, request).await?;
    Ok(PauseActivityExecutionResponse {})
}

impl OnActivity for PauseActivityExecutionRequest {
    fn in_workflow(self) -> Input {
        Input::PauseActivity(Box::new(PauseActivityRequest {
            identity: self.identity,
            activity: Some(Activity::Id(self.activity_id)),
            reason: self.reason,
            request_id: self.request_id,
            ..PauseActivityRequest::default()
        }))
    }

    fn standalone(self) -> activity::Input {
        activity::Input::Pause(Box::new(self))
    }
}
