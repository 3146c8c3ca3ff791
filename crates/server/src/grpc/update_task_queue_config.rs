//! UpdateTaskQueueConfig: rate limits and fairness weights of one queue.

use engine::limits::Limits;
use engine::time::Timestamp;
use proto::temporal::api::enums::v1::TaskQueueType;
use proto::temporal::api::taskqueue::v1::{ConfigMetadata, RateLimitConfig, TaskQueueConfig};
use proto::temporal::api::workflowservice::v1::update_task_queue_config_request::RateLimitUpdate;
use proto::temporal::api::workflowservice::v1::{
    UpdateTaskQueueConfigRequest, UpdateTaskQueueConfigResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;
use crate::matching::QueueKind;

/// Fairness keys with a weight of their own, per queue.
const WEIGHTS_MAX: usize = 1000;
/// Bytes of a fairness key (behaviour, section 6.7).
const FAIRNESS_KEY_MAX: usize = 64;
/// Bytes of a reason.
const REASON_MAX: usize = 1000;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UpdateTaskQueueConfigRequest>,
) -> Result<UpdateTaskQueueConfigResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    check(&request, &server.limits)?;
    let kind = request.task_queue_type();
    let now = server.node.clock.now();
    let change = |config: &mut TaskQueueConfig| change(config, &request, now);
    let configs = &server.node.task_queue_configs;
    let config = configs
        .change(namespace.id, &request.task_queue, kind, change)
        .await?;
    for queue_kind in QueueKind::ALL {
        if queue_kind.task_queue_type() == kind {
            let matching = &server.node.matching;
            matching.configure(namespace.id, &request.task_queue, queue_kind);
        }
    }
    Ok(UpdateTaskQueueConfigResponse {
        config: Some(TaskQueueConfig::clone(&config)),
    })
}

fn check(request: &UpdateTaskQueueConfigRequest, limits: &Limits) -> Result<(), WireError> {
    let is_workflow = request.task_queue_type() == TaskQueueType::Workflow;
    for (update, name, what) in [
        (
            &request.update_queue_rate_limit,
            "UpdateQueueRateLimit",
            "rate limit",
        ),
        (
            &request.update_fairness_key_rate_limit_default,
            "UpdateFairnessKeyRateLimitDefault",
            "fairness key rate limit",
        ),
    ] {
        let Some(update) = update else { continue };
        let Some(limit) = &update.rate_limit else {
            continue;
        };
        if is_workflow {
            return Err(WireError::invalid(format!(
                "Setting {what} on workflow task queues is not allowed."
            )));
        }
        let rate = limit.requests_per_second;
        if rate.is_nan() || rate < 0.0 {
            return Err(WireError::invalid(format!(
                "RequestsPerSecond for {name} rate limit must be non-negative."
            )));
        }
        text(&update.reason, &format!("{name}.Reason"), REASON_MAX)?;
    }
    text(&request.identity, "Identity", limits.id_length_max)?;
    check_weights(request)?;
    let changes = request.update_queue_rate_limit.is_some()
        || request.update_fairness_key_rate_limit_default.is_some()
        || !request.set_fairness_weight_overrides.is_empty()
        || !request.unset_fairness_weight_overrides.is_empty();
    if changes || request.task_queue.starts_with(validate::RESERVED_PREFIX) {
        validate::task_queue_name(&request.task_queue, limits)?;
    }
    Ok(())
}

fn text(value: &str, name: &str, bytes_max: usize) -> Result<(), WireError> {
    if value.len() <= bytes_max {
        return Ok(());
    }
    Err(WireError::invalid(format!(
        "{name} field too long (max {bytes_max} characters)."
    )))
}

fn check_weights(request: &UpdateTaskQueueConfigRequest) -> Result<(), WireError> {
    let set = &request.set_fairness_weight_overrides;
    let unset = &request.unset_fairness_weight_overrides;
    let count = set.len() + unset.len();
    if count > WEIGHTS_MAX {
        return Err(WireError::invalid(format!(
            "too many fairness weight overrides in request: got {count}, maximum {WEIGHTS_MAX}"
        )));
    }
    for key in set.keys().chain(unset) {
        if key.is_empty() {
            return Err(WireError::invalid(
                "fairness weight override key must not be empty",
            ));
        }
        if key.len() > FAIRNESS_KEY_MAX {
            return Err(WireError::invalid("fairness key length exceeds limit"));
        }
    }
    for (key, weight) in set {
        if weight.is_nan() || *weight <= 0.0 {
            return Err(WireError::invalid(format!(
                "invalid fairness weight weight for key {key:?}: must be greater than zero"
            )));
        }
    }
    match unset.iter().find(|key| set.contains_key(*key)) {
        None => Ok(()),
        Some(key) => Err(WireError::invalid(format!(
            "fairness weight override key {key:?} present in both set and unset lists"
        ))),
    }
}

fn change(
    config: &mut TaskQueueConfig,
    request: &UpdateTaskQueueConfigRequest,
    now: Timestamp,
) -> Result<(), WireError> {
    let limit = |update: &RateLimitUpdate| RateLimitConfig {
        rate_limit: update.rate_limit,
        metadata: Some(ConfigMetadata {
            reason: update.reason.clone(),
            update_identity: request.identity.clone(),
            update_time: Some(now.to_proto()),
        }),
    };
    if let Some(update) = &request.update_queue_rate_limit {
        config.queue_rate_limit = Some(limit(update));
    }
    if let Some(update) = &request.update_fairness_key_rate_limit_default {
        config.fairness_keys_rate_limit_default = Some(limit(update));
    }
    let weights = &mut config.fairness_weight_overrides;
    for key in &request.unset_fairness_weight_overrides {
        weights.remove(key);
    }
    let set = &request.set_fairness_weight_overrides;
    weights.extend(set.iter().map(|(key, weight)| (key.clone(), *weight)));
    if weights.len() > WEIGHTS_MAX {
        return Err(WireError::invalid(
            "fairness weight overrides update rejected: exceeding maximum key size",
        ));
    }
    Ok(())
}
