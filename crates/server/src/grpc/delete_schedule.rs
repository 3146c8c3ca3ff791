//! DeleteSchedule. The schedule ends, and stays known as ended until the namespace's retention is over.

use engine::schedule::Input;
use proto::temporal::api::workflowservice::v1::{DeleteScheduleRequest, DeleteScheduleResponse};

use super::call::NamespaceCall;
use super::{Server, schedule};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DeleteScheduleRequest>,
) -> Result<DeleteScheduleResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let id = schedule::id(&request.schedule_id);
    server
        .node
        .shards
        .step(&namespace, id, None, Input::Delete)
        .await?;
    Ok(DeleteScheduleResponse {})
}
