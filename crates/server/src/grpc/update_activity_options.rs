//! UpdateActivityOptions, for activities of a workflow by id or type.

use engine::workflow::Input;
use engine::workflow::transition::Reply;
use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::workflowservice::v1::{
    UpdateActivityOptionsRequest, UpdateActivityOptionsResponse,
};

use super::call::NamespaceCall;
use super::{Server, activity_operator, validate};
use crate::error::WireError;
use crate::shard::Stepped;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UpdateActivityOptionsRequest>,
) -> Result<UpdateActivityOptionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let workflow =
        activity_operator::workflow_of(request.execution.as_ref(), request.activity.is_some())?;
    let options = request.activity_options.as_ref();
    validate::priority(options.and_then(|options| options.priority.as_ref()))?;
    let input = Input::UpdateActivityOptions(Box::new(request));
    let (id, run_id) = (workflow.workflow_id, workflow.run_id);
    let stepped = activity_operator::step(&server, &namespace, id, run_id, input).await?;
    Ok(UpdateActivityOptionsResponse {
        activity_options: options_of(stepped),
    })
}

/// The options that a change led to. The policy's error types cannot be changed and are not shown.
pub(super) fn options_of(stepped: Stepped) -> Option<ActivityOptions> {
    let Reply::ActivityOptions(mut options) = stepped.reply else {
        return None;
    };
    if let Some(policy) = &mut options.retry_policy {
        policy.non_retryable_error_types.clear();
    }
    Some(*options)
}
