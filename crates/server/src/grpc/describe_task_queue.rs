//! DescribeTaskQueue: pollers and backlog of one queue.

use std::collections::BTreeMap;

use engine::matching::Stats;
use engine::time::{Timestamp, wire};
use proto::temporal::api::enums::v1::{DescribeTaskQueueMode, RateLimitSource, TaskQueueType};
use proto::temporal::api::taskqueue::v1::{
    PollerInfo, TaskIdBlock, TaskQueueStats, TaskQueueStatus, TaskQueueTypeInfo,
    TaskQueueVersionInfo, TaskQueueVersioningInfo,
};
use proto::temporal::api::workflowservice::v1::describe_task_queue_response::EffectiveRateLimit;
use proto::temporal::api::workflowservice::v1::{
    DescribeTaskQueueRequest, DescribeTaskQueueResponse,
};
use uuid::Uuid;

use super::call::NamespaceCall;
use super::{Frontend, Server, validate};
use crate::error::WireError;
use crate::matching::{QueueDescription, QueueKind};

/// How the reference calls "no version".
const UNVERSIONED: &str = "__unversioned__";
/// The rate that the reference's queues have unless told otherwise. Ours have none, and tools
/// expect one.
const RATE_LIMIT: f32 = 4000.0;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeTaskQueueRequest>,
) -> Result<DescribeTaskQueueResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let (queue, _) = validate::task_queue(request.task_queue.as_ref(), &server.limits)?;
    if request.api_mode == DescribeTaskQueueMode::Enhanced as i32 {
        return Ok(enhanced(&server, &request, namespace.id, queue));
    }
    let kind = match request.task_queue_type() {
        TaskQueueType::Activity => Some(QueueKind::Activity),
        TaskQueueType::Unspecified | TaskQueueType::Workflow => Some(QueueKind::Workflow),
        TaskQueueType::Nexus => Some(QueueKind::Nexus),
    };
    let described = describe(&server, namespace.id, queue, kind);
    let by_priority = described.stats_by_priority.iter();
    let status = TaskQueueStatus {
        backlog_count_hint: i64::try_from(described.stats.backlog_count).unwrap_or(i64::MAX),
        rate_per_second: rate_limit(&described).0.into(),
        task_id_block: Some(TaskIdBlock::default()),
        ..Default::default()
    };
    Ok(DescribeTaskQueueResponse {
        pollers: pollers(&described),
        stats: request.report_stats.then(|| stats(&described.stats)),
        stats_by_priority_key: by_priority
            .filter(|_| request.report_stats)
            .map(|(key, of_key)| (*key, stats(of_key)))
            .collect(),
        versioning_info: Some(TaskQueueVersioningInfo {
            current_version: UNVERSIONED.to_owned(),
            ..Default::default()
        }),
        effective_rate_limit: Some(EffectiveRateLimit {
            requests_per_second: rate_limit(&described).0,
            rate_limit_source: rate_limit(&described).1.into(),
        }),
        task_queue_status: request.include_task_queue_status.then_some(status),
        ..Default::default()
    })
}

/// The mode that groups by version, of which there is only the empty one.
fn enhanced(
    server: &Frontend,
    request: &DescribeTaskQueueRequest,
    namespace: Uuid,
    queue: &str,
) -> DescribeTaskQueueResponse {
    let all = [TaskQueueType::Workflow, TaskQueueType::Activity].map(|kind| kind as i32);
    let asked = if request.task_queue_types.is_empty() {
        all.to_vec()
    } else {
        request.task_queue_types.clone()
    };
    let types_info = asked.into_iter().map(|number| {
        let kind = match TaskQueueType::try_from(number) {
            Ok(TaskQueueType::Workflow) => Some(QueueKind::Workflow),
            Ok(TaskQueueType::Activity) => Some(QueueKind::Activity),
            Ok(TaskQueueType::Nexus) => Some(QueueKind::Nexus),
            _ => None,
        };
        let described = describe(server, namespace, queue, kind);
        let info = TaskQueueTypeInfo {
            pollers: if request.report_pollers {
                pollers(&described)
            } else {
                Vec::new()
            },
            stats: request.report_stats.then(|| stats(&described.stats)),
        };
        (number, info)
    });
    let unversioned = TaskQueueVersionInfo {
        types_info: types_info.collect(),
        ..Default::default()
    };
    DescribeTaskQueueResponse {
        versions_info: BTreeMap::from([(String::new(), unversioned)]),
        ..Default::default()
    }
}

fn describe(
    server: &Frontend,
    namespace: Uuid,
    queue: &str,
    kind: Option<QueueKind>,
) -> QueueDescription {
    kind.map_or_else(QueueDescription::default, |kind| {
        server.node.matching.describe(namespace, queue, kind)
    })
}

/// The rate limit in force, and who set it.
fn rate_limit(described: &QueueDescription) -> (f32, RateLimitSource) {
    use engine::matching::RateLimitSource as Source;
    match described.rate_limit {
        None => (RATE_LIMIT, RateLimitSource::System),
        // The wire has no more digits.
        Some((rate, Source::System)) => (rate as f32, RateLimitSource::System),
        Some((rate, Source::Worker)) => (rate as f32, RateLimitSource::Worker),
        Some((rate, Source::Api)) => (rate as f32, RateLimitSource::Api),
    }
}

fn stats(stats: &Stats) -> TaskQueueStats {
    TaskQueueStats {
        approximate_backlog_count: i64::try_from(stats.backlog_count).unwrap_or(i64::MAX),
        approximate_backlog_age: Some(wire(stats.backlog_age)),
        tasks_add_rate: stats.add_rate,
        tasks_dispatch_rate: stats.dispatch_rate,
        rate_limiting_active: stats.rate_limiting_active,
    }
}

fn pollers(described: &QueueDescription) -> Vec<PollerInfo> {
    let shown = |poller: &engine::matching::PollerInfo| PollerInfo {
        last_access_time: Some(Timestamp(poller.last_access_ns).to_proto()),
        identity: poller.identity.clone(),
        rate_per_second: poller.rate_per_second,
        deployment_options: poller.deployment_options.clone(),
        ..Default::default()
    };
    described.pollers.iter().map(shown).collect()
}
