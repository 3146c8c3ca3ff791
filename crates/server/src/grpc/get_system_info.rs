//! GetSystemInfo: what clients ask first.

use proto::temporal::api::workflowservice::v1::get_system_info_response::Capabilities;
use proto::temporal::api::workflowservice::v1::{GetSystemInfoRequest, GetSystemInfoResponse};

use super::Server;
use super::call::{Call, SERVER_VERSION};
use crate::error::WireError;

pub(super) async fn handle(
    _: Server,
    _: Call<GetSystemInfoRequest>,
) -> Result<GetSystemInfoResponse, WireError> {
    Ok(GetSystemInfoResponse {
        server_version: SERVER_VERSION.to_owned(),
        // What is not served is not claimed: clients look here before they use it.
        capabilities: Some(Capabilities {
            signal_and_query_header: true,
            internal_error_differentiation: true,
            activity_failure_include_heartbeat: true,
            supports_schedules: true,
            encoded_failure_attributes: true,
            build_id_based_versioning: true,
            upsert_memo: true,
            eager_workflow_start: true,
            sdk_metadata: true,
            count_group_by_execution_status: true,
            nexus: true,
            ..Default::default()
        }),
    })
}
