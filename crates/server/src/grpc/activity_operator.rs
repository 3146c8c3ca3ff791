//! What operators' commands on activities share: the older ones name a workflow and activities by id or type,
//! the newer ones one activity, of a workflow or standalone (behaviour, section 5.6).

use std::sync::Arc;

use engine::retry::timeouts;
use engine::workflow::Input;
use engine::{Namespace, activity};
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::workflowservice::v1 as api;
use uuid::Uuid;

use super::{Frontend, validate};
use crate::error::WireError;
use crate::shard::Stepped;

/// The refusal of a request that names no activity.
pub(super) const NO_ACTIVITY: &str =
    "Either Activity.Id or Activity.Type should be set on request.";

/// The workflow of an older command.
pub(super) fn workflow_of(
    execution: Option<&WorkflowExecution>,
    names_activity: bool,
) -> Result<validate::Execution, WireError> {
    let empty = WorkflowExecution::default();
    let execution = execution.unwrap_or(&empty);
    if execution.workflow_id.is_empty() {
        return Err(WireError::invalid("WorkflowId is not set on request."));
    }
    if !names_activity {
        return Err(WireError::invalid(NO_ACTIVITY));
    }
    Ok(validate::Execution {
        workflow_id: execution.workflow_id.clone(),
        run_id: validate::run_id(&execution.run_id, "RunId is not valid UUID.")?,
    })
}

/// What the newer commands have in common.
pub(super) struct Command<'a> {
    pub(super) activity_id: &'a str,
    pub(super) run_id: &'a str,
    pub(super) identity: &'a str,
    pub(super) request_id: &'a mut String,
}

/// A newer command: on an activity of a workflow if it names one, else on a standalone activity.
pub(super) trait OnActivity: NamesActivity {
    /// For the workflow.
    fn in_workflow(self) -> Input;
    /// For the activity itself.
    fn standalone(self) -> activity::Input;
}

/// What every newer command says.
pub(super) trait NamesActivity {
    /// Its parts that are checked.
    fn command(&mut self) -> Command<'_>;
    /// The workflow, or nothing.
    fn workflow_id(&self) -> &str;
}

macro_rules! names_activity {
    ($($request:ident),* $(,)?) => {
        $(impl NamesActivity for api::$request {
            fn command(&mut self) -> Command<'_> {
                Command {
                    activity_id: &self.activity_id,
                    run_id: &self.run_id,
                    identity: &self.identity,
                    request_id: &mut self.request_id,
                }
            }

            fn workflow_id(&self) -> &str {
                &self.workflow_id
            }
        })*
    };
}

names_activity!(
    PauseActivityExecutionRequest,
    ResetActivityExecutionRequest,
    UnpauseActivityExecutionRequest,
    UpdateActivityExecutionOptionsRequest,
);

/// Carries a newer command out where the activity is.
pub(super) async fn carry_out(
    server: &Frontend,
    namespace: &Arc<Namespace>,
    run_id: Option<Uuid>,
    mut request: impl OnActivity,
) -> Result<Stepped, WireError> {
    let shards = &server.node.shards;
    let workflow_id = request.workflow_id().to_owned();
    let stepped = if workflow_id.is_empty() {
        let activity_id = request.command().activity_id.to_owned();
        let input = request.standalone();
        shards.step(namespace, activity_id, run_id, input).await?
    } else {
        let input = request.in_workflow();
        shards.step(namespace, workflow_id, run_id, input).await?
    };
    Ok(stepped)
}

/// Checks a newer command, and gives it a request id if it has none. Gives the run that it names.
pub(super) fn check(
    request: &mut impl OnActivity,
    server: &Frontend,
) -> Result<Option<Uuid>, WireError> {
    let command = request.command();
    let max = server.limits.id_length_max;
    let too_long = |name: &str, length: usize| {
        WireError::invalid(format!(
            "{name} exceeds length limit. Length={length} Limit={max}"
        ))
    };
    if command.request_id.is_empty() {
        *command.request_id = Uuid::new_v4().to_string();
    }
    if command.request_id.len() > max {
        return Err(too_long("request ID", command.request_id.len()));
    }
    if command.activity_id.is_empty() {
        return Err(WireError::invalid("activity ID is required"));
    }
    if command.activity_id.len() > max {
        return Err(too_long("activity ID", command.activity_id.len()));
    }
    if command.identity.len() > max {
        return Err(too_long("identity", command.identity.len()));
    }
    validate::run_id(command.run_id, "invalid run id: must be a valid UUID")
}

/// A jitter that a newer command asks for.
pub(super) fn check_jitter(jitter: Option<&proto::Duration>) -> Result<(), WireError> {
    timeouts::capped(jitter)
        .map(drop)
        .map_err(|cause| WireError::invalid(format!("invalid jitter: {cause}")))
}

/// Hands an older command to the workflow that the activities are of.
pub(super) async fn step(
    server: &Frontend,
    namespace: &Arc<Namespace>,
    workflow_id: String,
    run_id: Option<Uuid>,
    input: Input,
) -> Result<Stepped, WireError> {
    let shards = &server.node.shards;
    Ok(shards.step(namespace, workflow_id, run_id, input).await?)
}
