//! CreateSchedule.

use bytes::Bytes;
use engine::schedule::state::INITIAL_CONFLICT_TOKEN;
use prost::Message;
use proto::temporal::api::workflowservice::v1::{CreateScheduleRequest, CreateScheduleResponse};

use super::call::NamespaceCall;
use super::{Server, patch_schedule, schedule, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<CreateScheduleRequest>,
) -> Result<CreateScheduleResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let limits = &server.limits;
    schedule::new_id(&request.schedule_id, limits)?;
    if request.request_id.is_empty() {
        return Err(WireError::invalid("RequestId is not set on request."));
    }
    validate::request_id(&request.request_id, limits)?;
    let wanted = request.schedule.get_or_insert_default();
    schedule::canonicalize(wanted)?;
    schedule::check_action(wanted, &namespace, limits)?;
    validate::search_attributes(&mut request.search_attributes, &namespace, limits)?;
    validate::blob_size(
        request.schedule.as_ref().map_or(0, Message::encoded_len),
        limits,
    )?;
    validate::memo(request.memo.as_ref(), limits)?;
    if let Some(patch) = &request.initial_patch {
        patch_schedule::check(patch, limits)?;
    }
    server
        .node
        .shards
        .create_schedule(&namespace, request)
        .await?;
    Ok(CreateScheduleResponse {
        conflict_token: Bytes::copy_from_slice(&INITIAL_CONFLICT_TOKEN.to_be_bytes()),
    })
}
