//! DescribeTaskQueue: pollers and backlog of one queue.

use std::collections::{BTreeMap, BTreeSet};

use engine::deployment::Version;
use engine::matching::Stats;
use engine::time::{Timestamp, wire};
use proto::temporal::api::enums::v1::{
    BuildIdTaskReachability, DescribeTaskQueueMode, RateLimitSource, TaskQueueType,
};
use proto::temporal::api::taskqueue::v1::{
    PollerInfo, TaskIdBlock, TaskQueue, TaskQueueConfig, TaskQueueStats, TaskQueueStatus,
    TaskQueueTypeInfo, TaskQueueVersionInfo, TaskQueueVersioningInfo,
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

/// The rate that the reference's queues have unless told otherwise. Ours have none, and tools
/// expect one.
const RATE_LIMIT: f32 = 4000.0;

/// Build ids whose reachability may be asked for in one call.
const REACHABILITY_MAX: usize = 5;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<DescribeTaskQueueRequest>,
) -> Result<DescribeTaskQueueResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let named = request.task_queue.as_ref();
    if request.api_mode == DescribeTaskQueueMode::Enhanced as i32 {
        let (queue, sticky) = validate::served_queue(named, &server.limits)?;
        return enhanced(&server, &request, namespace.id, queue, sticky);
    }
    let partition = partition(named)?;
    let queue = match partition {
        Some(queue) => queue,
        None => validate::served_queue(named, &server.limits)?.0,
    };
    let number = match request.task_queue_type() {
        TaskQueueType::Unspecified => TaskQueueType::Workflow,
        known => known,
    };
    let described = if partition.is_some() {
        QueueDescription::default()
    } else {
        describe(&server, namespace.id, queue, kind(number))
    };
    let (rate, source) = rate_limit(&described);
    let by_priority = described.stats_by_priority.iter();
    let status = TaskQueueStatus {
        backlog_count_hint: i64::try_from(described.stats.backlog_count).unwrap_or(i64::MAX),
        rate_per_second: rate.into(),
        task_id_block: Some(TaskIdBlock::default()),
        ..Default::default()
    };
    let configs = &server.node.task_queue_configs;
    let config = || configs.get(namespace.id, queue, number);
    Ok(DescribeTaskQueueResponse {
        pollers: pollers(&described),
        stats: request.report_stats.then(|| stats(&described.stats)),
        stats_by_priority_key: by_priority
            .filter(|_| request.report_stats)
            .map(|(key, of_key)| (*key, stats(of_key)))
            .collect(),
        versioning_info: Some(versioning_info(
            &server,
            namespace.id,
            queue,
            request.task_queue_type(),
        )),
        config: request
            .report_config
            .then(|| config().map(|config| TaskQueueConfig::clone(&config)))
            .flatten(),
        effective_rate_limit: Some(EffectiveRateLimit {
            requests_per_second: rate,
            rate_limit_source: source.into(),
        }),
        task_queue_status: request.include_task_queue_status.then_some(status),
        ..Default::default()
    })
}

/// The queue that a name of one of its other partitions is about. Those have nothing here: a queue is one
/// partition, but tools ask for all that other servers would have.
fn partition(queue: Option<&TaskQueue>) -> Result<Option<&str>, WireError> {
    let name = queue.map_or("", |queue| queue.name.as_str());
    let Some(rest) = name.strip_prefix(validate::RESERVED_PREFIX) else {
        return Ok(None);
    };
    let parts = rest.rsplit_once('/');
    match parts.map(|(queue, number)| (queue, number.parse::<u32>())) {
        Some((queue, Ok(1..))) if !queue.is_empty() => Ok(Some(queue)),
        _ => Err(WireError::invalid(format!(
            "invalid task queue partition name {name}"
        ))),
    }
}

/// Where the queue's unpinned tasks go.
fn versioning_info(
    server: &Frontend,
    namespace: Uuid,
    queue: &str,
    kind: TaskQueueType,
) -> TaskQueueVersioningInfo {
    let kind = match kind {
        TaskQueueType::Unspecified => TaskQueueType::Workflow,
        kind => kind,
    };
    let routing = server.node.deployments.routes().of(namespace);
    let current = routing.current(kind, queue);
    let (ramping, percentage, changed) = routing.ramping(kind, queue);
    let dotted = Version::dotted_or_unversioned;
    TaskQueueVersioningInfo {
        current_deployment_version: current.map(Version::to_wire),
        current_version: dotted(current),
        ramping_deployment_version: ramping.map(Version::to_wire),
        ramping_version: if percentage > 0.0 || ramping.is_some() {
            dotted(ramping)
        } else {
            String::new()
        },
        ramping_version_percentage: percentage,
        update_time: changed.map(Timestamp::to_proto),
    }
}

/// The mode that groups by version.
fn enhanced(
    server: &Frontend,
    request: &DescribeTaskQueueRequest,
    namespace: Uuid,
    queue: &str,
    sticky: bool,
) -> Result<DescribeTaskQueueResponse, WireError> {
    if sticky {
        return Err(WireError::invalid(
            "Enhanced DescribeTaskQueue is not valid for a sticky queue, use \
             api_mode=UNSPECIFIED or a normal queue.",
        ));
    }
    let selection = request.versions.as_ref();
    let build_ids = selection.map_or(&[][..], |selection| &selection.build_ids);
    if request.report_task_reachability && build_ids.len() > REACHABILITY_MAX {
        return Err(WireError::invalid(format!(
            "Too many build ids queried at once with ReportTaskReachability==true, limit: \
             {REACHABILITY_MAX}"
        )));
    }
    let mut versions: BTreeSet<&str> = build_ids.iter().map(String::as_str).collect();
    if selection.is_none_or(|selection| selection.unversioned) {
        versions.insert("");
    }
    let info = |version: &str| TaskQueueVersionInfo {
        types_info: types_info(server, request, namespace, queue, version),
        task_reachability: match (request.report_task_reachability, version) {
            (false, _) => BuildIdTaskReachability::Unspecified,
            (true, "") => BuildIdTaskReachability::Reachable,
            (true, _) => BuildIdTaskReachability::Unreachable,
        }
        .into(),
    };
    Ok(DescribeTaskQueueResponse {
        versions_info: versions
            .into_iter()
            .map(|version| (version.to_owned(), info(version)))
            .collect(),
        ..Default::default()
    })
}

/// Of a version by the queue's types. The one without a name is for workers without a version.
fn types_info(
    server: &Frontend,
    request: &DescribeTaskQueueRequest,
    namespace: Uuid,
    queue: &str,
    version: &str,
) -> BTreeMap<i32, TaskQueueTypeInfo> {
    let mut asked = request.task_queue_types.clone();
    if asked.is_empty() {
        asked = [TaskQueueType::Workflow, TaskQueueType::Activity]
            .map(i32::from)
            .to_vec();
    }
    let part = match version {
        "" => Some(None),
        named => named
            .split_once(':')
            .map(|(deployment, build)| Some(Version::new(deployment, build))),
    };
    let info = |number: i32| {
        let kind = TaskQueueType::try_from(number).ok().and_then(kind);
        let described =
            kind.zip(part.as_ref())
                .map_or_else(QueueDescription::default, |(kind, part)| {
                    let matching = &server.node.matching;
                    matching.describe_version(namespace, queue, kind, part.as_ref())
                });
        TaskQueueTypeInfo {
            pollers: if request.report_pollers {
                pollers(&described)
            } else {
                Vec::new()
            },
            stats: request.report_stats.then(|| stats(&described.stats)),
        }
    };
    asked
        .into_iter()
        .map(|number| (number, info(number)))
        .collect()
}

/// What is served of a type.
fn kind(number: TaskQueueType) -> Option<QueueKind> {
    QueueKind::ALL
        .into_iter()
        .find(|kind| kind.task_queue_type() == number)
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

pub(super) fn stats(stats: &Stats) -> TaskQueueStats {
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
        worker_version_capabilities: poller.version_capabilities.clone(),
    };
    described.pollers.iter().map(shown).collect()
}
