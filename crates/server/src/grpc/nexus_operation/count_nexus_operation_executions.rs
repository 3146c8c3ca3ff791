//! CountNexusOperationExecutions, in all or by status.

use engine::execution::Kind;
use engine::visibility::Scope;
use proto::temporal::api::enums::v1::NexusOperationExecutionStatus as Status;
use proto::temporal::api::workflowservice::v1::count_nexus_operation_executions_response::AggregationGroup;
use proto::temporal::api::workflowservice::v1::{
    CountNexusOperationExecutionsRequest, CountNexusOperationExecutionsResponse,
};

use crate::error::WireError;
use crate::grpc::Server;
use crate::grpc::call::NamespaceCall;
use crate::visibility::Scoped;

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<CountNexusOperationExecutionsRequest>,
) -> Result<CountNexusOperationExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let query = Scoped::parse(
        &request.query,
        &namespace,
        Scope::NexusOperations,
        Kind::NexusOperation,
    )?;
    let store = server.node.store.as_ref();
    let (count, groups) = query.count(store, namespace.id, status_name).await?;
    let groups = groups
        .into_iter()
        .map(|(group_values, count)| AggregationGroup {
            group_values,
            count,
        });
    Ok(CountNexusOperationExecutionsResponse {
        count,
        groups: groups.collect(),
    })
}

/// A status as queries write it.
fn status_name(number: i64) -> &'static str {
    let status = i32::try_from(number)
        .ok()
        .and_then(|n| Status::try_from(n).ok());
    match status {
        Some(Status::Running) => "Running",
        Some(Status::Completed) => "Completed",
        Some(Status::Failed) => "Failed",
        Some(Status::Canceled) => "Canceled",
        Some(Status::Terminated) => "Terminated",
        Some(Status::TimedOut) => "TimedOut",
        Some(Status::Unspecified) | None => "Unspecified",
    }
}
