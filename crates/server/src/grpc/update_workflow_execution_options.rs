//! UpdateWorkflowExecutionOptions: the worker version and the priority of a run, and how it skips time.

use engine::limits::Limits;
use engine::workflow::Input;
use engine::workflow::transition::Reply;
use proto::temporal::api::workflow::v1::WorkflowExecutionOptions;
use proto::temporal::api::workflowservice::v1::{
    UpdateWorkflowExecutionOptionsRequest, UpdateWorkflowExecutionOptionsResponse,
};

use super::call::NamespaceCall;
use super::{Server, deployment, time_skipping, validate};
use crate::error::WireError;

/// The fields that a mask may name.
const PATHS: [&str; 12] = [
    "versioning_override",
    "versioning_override.pinned",
    "versioning_override.auto_upgrade",
    "versioning_override.one_time",
    "versioning_override.behavior",
    "versioning_override.deployment",
    "versioning_override.pinned_version",
    "priority",
    "priority.priority_key",
    "priority.fairness_key",
    "priority.fairness_weight",
    "time_skipping_config",
];

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UpdateWorkflowExecutionOptionsRequest>,
) -> Result<UpdateWorkflowExecutionOptionsResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let execution = request.workflow_execution.clone().unwrap_or_default();
    if execution.workflow_id.is_empty() {
        return Err(WireError::invalid("WorkflowId is not set on request."));
    }
    let Some(mask) = &request.update_mask else {
        return Err(WireError::invalid("UpdateMask is required"));
    };
    let Some(options) = &mut request.workflow_execution_options else {
        return Err(WireError::invalid("WorkflowExecutionOptions is required"));
    };
    check_paths(&mask.paths)?;
    check(options, &server.limits)?;
    let run_id = validate::run_id(&execution.run_id, "RunId is not valid UUID.")?;
    let input = Input::UpdateWorkflowOptions(Box::new(request));
    let shards = &server.node.shards;
    let stepped = shards.step(&namespace, execution.workflow_id, run_id, input);
    let Reply::WorkflowOptions(options, changed) = stepped.await?.reply else {
        return Ok(UpdateWorkflowExecutionOptionsResponse::default());
    };
    if changed.is_some() {
        let pinned = options.versioning_override.as_ref();
        deployment::reactivate(&server, namespace.id, pinned).await;
    }
    Ok(UpdateWorkflowExecutionOptionsResponse {
        workflow_execution_options: Some(*options),
        update_time: changed.map(engine::time::Timestamp::to_proto),
    })
}

fn check_paths(paths: &[String]) -> Result<(), WireError> {
    let known = |path: &str| {
        PATHS.contains(&path)
            || path.starts_with("versioning_override.pinned.")
            || path.starts_with("time_skipping_config.")
    };
    match paths.iter().find(|path| !known(path)) {
        None => Ok(()),
        Some(path) => Err(WireError::invalid(format!(
            "error parsing UpdateMask: proto: invalid path {path:?} for message \
             \"temporal.api.workflow.v1.WorkflowExecutionOptions\""
        ))),
    }
}

/// Checks options; an override is for the run to check, which knows its queue and its version.
pub(super) fn check(
    options: &mut WorkflowExecutionOptions,
    limits: &Limits,
) -> Result<(), WireError> {
    validate::priority(options.priority.as_ref())?;
    time_skipping::check(options.time_skipping_config.as_mut(), limits)
}
