//! DescribeWorkerDeploymentVersion, with what waits in its queues if asked for.

use engine::deployment::TaskQueue;
use proto::temporal::api::workflowservice::v1::describe_worker_deployment_version_response::VersionTaskQueue;
use proto::temporal::api::workflowservice::v1::{
    DescribeWorkerDeploymentVersionRequest, DescribeWorkerDeploymentVersionResponse,
};

use super::{check_version, named_version};
use crate::deployments::kind_of;
use crate::error::WireError;
use crate::grpc::call::NamespaceCall;
use crate::grpc::{Server, describe_task_queue};

pub(in crate::grpc) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeWorkerDeploymentVersionRequest>,
) -> Result<DescribeWorkerDeploymentVersionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let named = request.deployment_version.as_ref();
    if request.version.is_empty() && named.is_none() {
        return Err(WireError::invalid("deployment version cannot be empty"));
    }
    let named = named.filter(|_| request.version.is_empty());
    let name = named_version(named, &request.version)?;
    check_version(&server, &name)?;
    let deployment = server
        .node
        .deployments
        .get(namespace.id, &name.deployment_name);
    let found = deployment
        .as_ref()
        .and_then(|deployment| Some((deployment, deployment.version(&name.build_id)?)));
    let Some((deployment, version)) = found else {
        return Err(WireError::not_found("Worker Deployment Version not found"));
    };
    let shown = |queue: &TaskQueue| {
        let mut shown = VersionTaskQueue {
            name: queue.name.clone(),
            r#type: queue.kind,
            ..VersionTaskQueue::default()
        };
        if let Some(kind) = kind_of(queue.kind()).filter(|_| request.report_task_queue_stats) {
            let matching = &server.node.matching;
            let part = matching.describe_version(namespace.id, &queue.name, kind, Some(&name));
            shown.stats = Some(describe_task_queue::stats(&part.stats));
            shown.stats_by_priority_key = part
                .stats_by_priority
                .iter()
                .map(|(key, stats)| (*key, describe_task_queue::stats(stats)))
                .collect();
        }
        shown
    };
    Ok(DescribeWorkerDeploymentVersionResponse {
        worker_deployment_version_info: Some(deployment.version_info(version)),
        version_task_queues: version.task_queues.iter().map(shown).collect(),
    })
}
