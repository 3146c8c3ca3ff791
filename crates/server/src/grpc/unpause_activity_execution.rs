//! UnpauseActivityExecution: attempts are handed out again.

use engine::activity;
use engine::workflow::Input;
use proto::temporal::api::workflowservice::v1::unpause_activity_request::Activity;
use proto::temporal::api::workflowservice::v1::{
    UnpauseActivityExecutionRequest, UnpauseActivityExecutionResponse, UnpauseActivityRequest,
};

use super::Server;
use super::activity_operator::{self, OnActivity};
use super::call::NamespaceCall;
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UnpauseActivityExecutionRequest>,
) -> Result<UnpauseActivityExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let run_id = activity_operator::check(&mut request, &server)?;
    activity_operator::check_jitter(request.jitter.as_ref())?;
    activity_operator::carry_out(&server, &namespace, run_id, request).await?;
    Ok(UnpauseActivityExecutionResponse {})
}

impl OnActivity for UnpauseActivityExecutionRequest {
    fn in_workflow(self) -> Input {
        Input::UnpauseActivity(Box::new(UnpauseActivityRequest {
            identity: self.identity,
            activity: Some(Activity::Id(self.activity_id)),
            jitter: self.jitter,
            ..UnpauseActivityRequest::default()
        }))
    }

    fn standalone(self) -> activity::Input {
        activity::Input::Unpause(Box::new(self))
    }
}
