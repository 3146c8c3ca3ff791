//! ListWorkers, CountWorkers and DescribeWorker: the other side of worker heartbeats.

use bytes::Bytes;
use engine::search_attributes::{SearchAttributeType, Value};
use engine::time::Timestamp;
use engine::visibility::{self, Field, FilterError, Options};
use proto::temporal::api::enums::v1::WorkerStatus;
use proto::temporal::api::worker::v1::{WorkerHeartbeat, WorkerInfo, WorkerListInfo};
use proto::temporal::api::workflowservice::v1::{
    CountWorkersRequest, CountWorkersResponse, DescribeWorkerRequest, DescribeWorkerResponse,
    ListWorkersRequest, ListWorkersResponse,
};
use uuid::Uuid;

use super::call::NamespaceCall;
use super::{Frontend, Server};
use crate::error::WireError;

/// Workers on a page at most; also what an unset page size means.
const PAGE_SIZE_MAX: usize = 1000;

pub(super) async fn list(
    server: Server,
    call: NamespaceCall<ListWorkersRequest>,
) -> Result<ListWorkersResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let all = matching(&server, namespace.id, &request.query)?;
    // The token is the key of the last worker of the page before.
    let after = &request.next_page_token;
    let rest: Vec<_> = all
        .into_iter()
        .filter(|w| w.worker_instance_key.as_bytes() > after.as_ref())
        .collect();
    let size = match usize::try_from(request.page_size) {
        Ok(size) if (1..=PAGE_SIZE_MAX).contains(&size) => size,
        _ => PAGE_SIZE_MAX,
    };
    let page = &rest[..size.min(rest.len())];
    let last = page.last().filter(|_| rest.len() > page.len());
    Ok(ListWorkersResponse {
        next_page_token: last
            .map(|last| Bytes::from(last.worker_instance_key.clone()))
            .unwrap_or_default(),
        workers: page.iter().map(shown).collect(),
        workers_info: page
            .iter()
            .map(|worker| WorkerInfo {
                worker_heartbeat: Some(worker.clone()),
            })
            .collect(),
    })
}

pub(super) async fn count(
    server: Server,
    call: NamespaceCall<CountWorkersRequest>,
) -> Result<CountWorkersResponse, WireError> {
    let all = matching(&server, call.namespace.id, &call.request.query)?;
    Ok(CountWorkersResponse {
        count: i64::try_from(all.len()).unwrap_or(i64::MAX),
    })
}

pub(super) async fn describe(
    server: Server,
    call: NamespaceCall<DescribeWorkerRequest>,
) -> Result<DescribeWorkerResponse, WireError> {
    let key = call.request.worker_instance_key;
    let all = server.worker_heartbeats.all(call.namespace.id);
    let found = all
        .into_iter()
        .find(|worker| worker.worker_instance_key == key);
    let found = found.ok_or_else(|| WireError::not_found(format!("Worker {key} not found")))?;
    Ok(DescribeWorkerResponse {
        worker_info: Some(WorkerInfo {
            worker_heartbeat: Some(found),
        }),
    })
}

/// The workers that a query lets through, by key. One that is no SQL is refused; one that makes no other sense
/// lets none through.
fn matching(
    server: &Frontend,
    namespace: Uuid,
    query: &str,
) -> Result<Vec<WorkerHeartbeat>, WireError> {
    let filter = match visibility::parse(query, &kind, Options::default()) {
        Ok(query) => query.filter,
        Err(FilterError::Malformed { position, near }) => {
            return Err(WireError::invalid(format!(
                "malformed query: syntax error at position {position}{near}"
            )));
        }
        Err(_) => return Ok(Vec::new()),
    };
    let mut all = server.worker_heartbeats.all(namespace);
    all.retain(|worker| filter.matches(&|field| value(worker, field)));
    all.sort_by(|a, b| a.worker_instance_key.cmp(&b.worker_instance_key));
    Ok(all)
}

/// What queries may ask for, besides the names that workflows have too.
fn kind(name: &str) -> Option<SearchAttributeType> {
    match name {
        "WorkerInstanceKey" | "WorkerIdentity" | "HostName" | "SdkName" | "SdkVersion"
        | "Status" | "DeploymentName" | "BuildId" => Some(SearchAttributeType::Keyword),
        "LastHeartbeatTime" => Some(SearchAttributeType::Datetime),
        _ => None,
    }
}

fn value(worker: &WorkerHeartbeat, field: &Field) -> Option<Value> {
    let text = |text: &str| Some(Value::Keyword(text.to_owned()));
    let time = |time: &proto::Timestamp| Value::Datetime(Timestamp::from_proto(time).0);
    let host = worker.host_info.as_ref();
    let version = worker.deployment_version.as_ref();
    match field.name() {
        "WorkerInstanceKey" => text(&worker.worker_instance_key),
        "WorkerIdentity" => text(&worker.worker_identity),
        "HostName" => host.and_then(|host| text(&host.host_name)),
        "TaskQueue" => text(&worker.task_queue),
        "SdkName" => text(&worker.sdk_name),
        "SdkVersion" => text(&worker.sdk_version),
        "Status" => text(status_name(worker.status())),
        "DeploymentName" => version.and_then(|version| text(&version.deployment_name)),
        "BuildId" => version.and_then(|version| text(&version.build_id)),
        "StartTime" => worker.start_time.as_ref().map(time),
        "LastHeartbeatTime" => worker.heartbeat_time.as_ref().map(time),
        _ => None,
    }
}

fn status_name(status: WorkerStatus) -> &'static str {
    match status {
        WorkerStatus::Running => "Running",
        WorkerStatus::ShuttingDown => "ShuttingDown",
        WorkerStatus::Shutdown => "Shutdown",
        WorkerStatus::Unspecified => "Unspecified",
    }
}

fn shown(worker: &WorkerHeartbeat) -> WorkerListInfo {
    let host = worker.host_info.clone().unwrap_or_default();
    WorkerListInfo {
        worker_instance_key: worker.worker_instance_key.clone(),
        worker_identity: worker.worker_identity.clone(),
        task_queue: worker.task_queue.clone(),
        deployment_version: worker.deployment_version.clone(),
        sdk_name: worker.sdk_name.clone(),
        sdk_version: worker.sdk_version.clone(),
        status: worker.status,
        start_time: worker.start_time,
        host_name: host.host_name,
        worker_grouping_key: host.worker_grouping_key,
        process_id: host.process_id,
        plugins: worker.plugins.clone(),
        drivers: worker.drivers.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_found_by_their_fields() {
        let worker = WorkerHeartbeat {
            worker_instance_key: "k".into(),
            task_queue: "q".into(),
            sdk_name: "temporal-python".into(),
            status: WorkerStatus::Running.into(),
            start_time: Some(proto::Timestamp {
                seconds: 1_000,
                nanos: 0,
            }),
            ..Default::default()
        };
        let found = |query: &str| {
            visibility::parse(query, &kind, Options::default())
                .is_ok_and(|query| query.filter.matches(&|field| value(&worker, field)))
        };
        for (query, expected) in [
            ("", true),
            ("TaskQueue = 'q'", true),
            ("TaskQueue = 'other'", false),
            ("SdkName STARTS_WITH 'temporal'", true),
            (
                "Status = 'Running' AND StartTime < '2020-01-01T00:00:00Z'",
                true,
            ),
            ("HostName = 'h'", false),
            ("Nope = 1", false),
        ] {
            assert_eq!(found(query), expected, "{query}");
        }
    }
}
