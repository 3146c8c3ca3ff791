//! PauseActivity, for activities of a workflow by id or type: no further attempt is handed out.

use engine::workflow::Input;
use proto::temporal::api::workflowservice::v1::{PauseActivityRequest, PauseActivityResponse};

use super::call::NamespaceCall;
use super::{Server, activity_operator};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PauseActivityRequest>,
) -> Result<PauseActivityResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let workflow =
        activity_operator::workflow_of(request.execution.as_ref(), request.activity.is_some())?;
    let input = Input::PauseActivity(Box::new(request));
    let (id, run_id) = (workflow.workflow_id, workflow.run_id);
    activity_operator::step(&server, &namespace, id, run_id, input).await?;
    Ok(PauseActivityResponse {})
}
