//! CountActivityExecutions, in all or by status.

use engine::execution::Kind;
use engine::visibility::Scope;
use proto::temporal::api::enums::v1::ActivityExecutionStatus;
use proto::temporal::api::workflowservice::v1::count_activity_executions_response::AggregationGroup;
use proto::temporal::api::workflowservice::v1::{
    CountActivityExecutionsRequest, CountActivityExecutionsResponse,
};

use super::Server;
use super::call::NamespaceCall;
use crate::error::WireError;
use crate::visibility::Scoped;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<CountActivityExecutionsRequest>,
) -> Result<CountActivityExecutionsResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let query = Scoped::parse(
        &request.query,
        &namespace,
        Scope::Activities,
        Kind::Activity,
    )?;
    let store = server.node.store.as_ref();
    let (count, groups) = query.count(store, namespace.id, status_name).await?;
    let groups = groups
        .into_iter()
        .map(|(group_values, count)| AggregationGroup {
            group_values,
            count,
        });
    Ok(CountActivityExecutionsResponse {
        count,
        groups: groups.collect(),
    })
}

/// A status as queries write it.
fn status_name(number: i64) -> &'static str {
    use ActivityExecutionStatus as Status;
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
        Some(Status::Paused) => "Paused",
        Some(Status::Unspecified) | None => "Unspecified",
    }
}
