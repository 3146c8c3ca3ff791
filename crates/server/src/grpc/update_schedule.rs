//! UpdateSchedule.

use engine::schedule::Input;
use prost::Message;
use proto::temporal::api::workflowservice::v1::{UpdateScheduleRequest, UpdateScheduleResponse};

use super::call::NamespaceCall;
use super::{Server, schedule, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UpdateScheduleRequest>,
) -> Result<UpdateScheduleResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let limits = &server.limits;
    validate::request_id(&request.request_id, limits)?;
    let wanted = request.schedule.get_or_insert_default();
    schedule::check_action(wanted, &namespace, limits)?;
    schedule::canonicalize(wanted)?;
    validate::search_attributes(&mut request.search_attributes, &namespace, limits)?;
    let Some(action) = request.schedule.as_ref().and_then(schedule::action) else {
        return Err(WireError::invalid(
            "Only StartWorkflow action is supported for schedules",
        ));
    };
    let payload_size = action.input.as_ref().map_or(0, Message::encoded_len)
        + request.memo.as_ref().map_or(0, Message::encoded_len);
    validate::blob_size(payload_size, limits)?;
    if request.memo.is_some() {
        return Err(WireError::failed_precondition(
            "memo updates are not supported on workflow-backed schedules",
        ));
    }
    validate::blob_size(
        request.schedule.as_ref().map_or(0, Message::encoded_len),
        limits,
    )?;
    let id = schedule::id(&request.schedule_id);
    let input = Input::Update(Box::new(request));
    server.node.shards.step(&namespace, id, None, input).await?;
    Ok(UpdateScheduleResponse {})
}
