//! ResetActivity, for activities of a workflow by id or type: the next attempt is the first one again.

use engine::workflow::Input;
use proto::temporal::api::workflowservice::v1::{ResetActivityRequest, ResetActivityResponse};

use super::call::NamespaceCall;
use super::{Server, activity_operator};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ResetActivityRequest>,
) -> Result<ResetActivityResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let workflow =
        activity_operator::workflow_of(request.execution.as_ref(), request.activity.is_some())?;
    let input = Input::ResetActivity(Box::new(request));
    let (id, run_id) = (workflow.workflow_id, workflow.run_id);
    activity_operator::step(&server, &namespace, id, run_id, input).await?;
    Ok(ResetActivityResponse {})
}
