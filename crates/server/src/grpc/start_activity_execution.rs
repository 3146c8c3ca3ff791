//! StartActivityExecution: a job.

use engine::Namespace;
use engine::limits::Limits;
use engine::retry;
use engine::retry::timeouts::{ActivityTimeouts, capped, normalise, to_wire};
use prost::Message;
use proto::temporal::api::common::v1::Link;
use proto::temporal::api::common::v1::link::{Activity, Variant};
use proto::temporal::api::enums::v1::{
    ActivityIdConflictPolicy, ActivityIdReusePolicy, TaskQueueKind,
};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::{
    StartActivityExecutionRequest, StartActivityExecutionResponse,
};
use uuid::Uuid;

use super::call::NamespaceCall;
use super::standalone_activity::{length, user_metadata};
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<StartActivityExecutionRequest>,
) -> Result<StartActivityExecutionResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    check(&mut request, &namespace, &server.limits)?;
    let activity_id = request.activity_id.clone();
    let shards = &server.node.shards;
    let started = shards.start_activity(&namespace, request).await?;
    let run_id = started.run_id.to_string();
    Ok(StartActivityExecutionResponse {
        run_id: run_id.clone(),
        started: started.started,
        link: Some(Link {
            variant: Some(Variant::Activity(Activity {
                namespace: namespace.name.to_string(),
                activity_id,
                run_id,
            })),
        }),
    })
}

/// Checks a request in the reference's order, and fills in what it leaves open.
fn check(
    request: &mut StartActivityExecutionRequest,
    namespace: &Namespace,
    limits: &Limits,
) -> Result<(), WireError> {
    let invalid = |text: String| Err(WireError::invalid(text));
    if request.request_id.is_empty() {
        request.request_id = Uuid::new_v4().to_string();
    }
    if let Err(error) = capped(request.start_delay.as_ref()) {
        return invalid(format!("invalid StartDelay: {error}"));
    }
    let (queue, _) = validate::task_queue(request.task_queue.as_ref(), limits)?;
    request.task_queue = Some(TaskQueue {
        name: queue.to_owned(),
        kind: TaskQueueKind::Normal.into(),
        normal_name: String::new(),
    });
    let activity_type = request.activity_type.as_ref().map_or("", |t| &t.name);
    if request.activity_id.is_empty() {
        return invalid("activityId is not set".to_owned());
    }
    if activity_type.is_empty() {
        return invalid("activityType is not set".to_owned());
    }
    let policy = request.retry_policy.take().unwrap_or_default();
    request.retry_policy =
        Some(retry::completed(&policy).map_err(|e| WireError::invalid(e.to_string()))?);
    length("activityId", &request.activity_id, limits)?;
    length("activityType", activity_type, limits)?;
    if let Err(error) = validate::priority(request.priority.as_ref()) {
        return invalid(format!("invalid priorities: {}", error.message));
    }
    timeouts(request)?;
    length("request ID", &request.request_id, limits)?;
    length("identity", &request.identity, limits)?;
    policies(request)?;
    if request.input.as_ref().map_or(0, Message::encoded_len) > limits.blob_size_error {
        return invalid("input exceeds length limit".to_owned());
    }
    user_metadata(request.user_metadata.as_ref())?;
    validate::search_attributes(&mut request.search_attributes, namespace, limits)?;
    if !request.completion_callbacks.is_empty() {
        if !limits.activity_callbacks_enabled {
            return invalid("completion callbacks are not enabled for this namespace".to_owned());
        }
        engine::nexus::callback::check(&mut request.completion_callbacks, limits)?;
    }
    validate::all_links(&request.links, &request.completion_callbacks)?;
    on_conflict(request)
}

fn timeouts(request: &mut StartActivityExecutionRequest) -> Result<(), WireError> {
    let activity_type = request.activity_type.as_ref().map_or("", |t| &t.name);
    let asked = ActivityTimeouts::from_wire(
        request.schedule_to_close_timeout.as_ref(),
        request.schedule_to_start_timeout.as_ref(),
        request.start_to_close_timeout.as_ref(),
        request.heartbeat_timeout.as_ref(),
    );
    let normal = asked
        .and_then(|asked| {
            let run_timeout = std::time::Duration::ZERO;
            normalise(asked, run_timeout, &request.activity_id, activity_type)
        })
        .map_err(|error| WireError::invalid(error.to_string()))?;
    request.schedule_to_close_timeout = Some(to_wire(normal.schedule_to_close));
    request.schedule_to_start_timeout = Some(to_wire(normal.schedule_to_start));
    request.start_to_close_timeout = Some(to_wire(normal.start_to_close));
    request.heartbeat_timeout = Some(to_wire(normal.heartbeat));
    Ok(())
}

fn policies(request: &mut StartActivityExecutionRequest) -> Result<(), WireError> {
    if request.id_reuse_policy == 0 {
        request.set_id_reuse_policy(ActivityIdReusePolicy::AllowDuplicate);
    }
    if request.id_conflict_policy == 0 {
        request.set_id_conflict_policy(ActivityIdConflictPolicy::Fail);
    }
    if ActivityIdReusePolicy::try_from(request.id_reuse_policy).is_err() {
        let text = format!("unsupported ID reuse policy: {}", request.id_reuse_policy);
        return Err(WireError::invalid(text));
    }
    if ActivityIdConflictPolicy::try_from(request.id_conflict_policy).is_err() {
        let policy = request.id_conflict_policy;
        let text = format!("unsupported ID conflict policy: {policy}");
        return Err(WireError::invalid(text));
    }
    Ok(())
}

fn on_conflict(request: &StartActivityExecutionRequest) -> Result<(), WireError> {
    let Some(options) = &request.on_conflict_options else {
        return Ok(());
    };
    if options.attach_completion_callbacks && !options.attach_request_id {
        return Err(WireError::invalid(
            "on_conflict_options: attach_completion_callbacks requires attach_request_id to be set",
        ));
    }
    let nothing = request.links.is_empty() && request.completion_callbacks.is_empty();
    if options.attach_request_id && nothing {
        return Err(WireError::invalid(
            "on_conflict_options: attach_request_id requires at least one completion callback or link",
        ));
    }
    Ok(())
}
