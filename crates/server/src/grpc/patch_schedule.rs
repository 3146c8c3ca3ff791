//! PatchSchedule.

use engine::limits::Limits;
use engine::schedule::Input;
use prost::Message;
use proto::temporal::api::schedule::v1::SchedulePatch;
use proto::temporal::api::workflowservice::v1::{PatchScheduleRequest, PatchScheduleResponse};

use super::call::NamespaceCall;
use super::{Server, schedule, validate};
use crate::error::WireError;

/// Bytes of the note of a pause.
const NOTES_MAX: usize = 1000;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<PatchScheduleRequest>,
) -> Result<PatchScheduleResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let Some(patch) = &request.patch else {
        return Err(WireError::invalid("Patch is not set on request."));
    };
    validate::request_id(&request.request_id, &server.limits)?;
    if patch.pause.len() > NOTES_MAX || patch.unpause.len() > NOTES_MAX {
        return Err(WireError::invalid("Schedule notes exceeds limit."));
    }
    check(patch, &server.limits)?;
    let id = schedule::id(&request.schedule_id);
    let input = Input::Patch(Box::new(request));
    server.node.shards.step(&namespace, id, None, input).await?;
    Ok(PatchScheduleResponse {})
}

/// What holds for a patch of a new schedule, too.
pub(super) fn check(patch: &SchedulePatch, limits: &Limits) -> Result<(), WireError> {
    validate::blob_size(patch.encoded_len(), limits)
}
