//! UpdateWorkflowExecution: sends an update and waits until it has come as far as the caller wants.

use engine::Namespace;
use engine::limits::Limits;
use engine::nexus::callback;
use engine::workflow::UpdateWorkflow;
use proto::temporal::api::common::v1::link::{Variant, Workflow};
use proto::temporal::api::common::v1::{Link, WorkflowExecution};
use proto::temporal::api::enums::v1::{EventType, UpdateWorkflowExecutionLifecycleStage as Stage};
use proto::temporal::api::update::v1::{Outcome, UpdateRef, outcome};
use proto::temporal::api::workflowservice::v1::{
    UpdateWorkflowExecutionRequest, UpdateWorkflowExecutionResponse,
};
use tonic::Code;
use uuid::Uuid;

use super::call::{Metadata, NamespaceCall};
use super::signal_workflow_execution::request_link;
use super::validate::Execution;
use super::{Frontend, Server, validate};
use crate::error::WireError;
use crate::waiters::{UpdateWait, Updated};

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UpdateWorkflowExecutionRequest>,
) -> Result<UpdateWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        request,
        namespace,
        metadata,
    } = call;
    let Checked {
        execution,
        update,
        stage,
    } = check(request, &server.limits)?;
    let asked = Asked::of(&execution.workflow_id, &update);
    let wait = wait(&server, &metadata, stage);
    let updated = server
        .node
        .update(
            &namespace,
            &execution.workflow_id,
            execution.run_id,
            update,
            wait,
        )
        .await?;
    Ok(asked.response(&namespace, updated))
}

/// A request that is sound.
pub(super) struct Checked {
    pub(super) execution: Execution,
    pub(super) update: UpdateWorkflow,
    pub(super) stage: Stage,
}

/// Checks a request in the reference's order, and fills in what it leaves open.
pub(super) fn check(
    request: UpdateWorkflowExecutionRequest,
    limits: &Limits,
) -> Result<Checked, WireError> {
    let execution = validate::execution(request.workflow_execution.as_ref())?;
    let mut update = request.request.unwrap_or_default();
    let Some(meta) = &mut update.meta else {
        return Err(WireError::invalid("Update meta is not set on request."));
    };
    validate::length(&meta.update_id, limits, "UpdateId length exceeds limit.")?;
    if meta.update_id.is_empty() {
        meta.update_id = Uuid::new_v4().to_string();
    }
    let Some(input) = &update.input else {
        return Err(WireError::invalid("Update input is not set on request."));
    };
    if input.name.is_empty() {
        return Err(WireError::invalid("Update name is not set on request."));
    }
    let stage = match request.wait_policy.unwrap_or_default().lifecycle_stage() {
        Stage::Unspecified => Stage::Completed,
        Stage::Admitted => {
            return Err(WireError::new(
                Code::PermissionDenied,
                "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported.",
            )
            .with(&proto::temporal::api::errordetails::v1::PermissionDeniedFailure::default()));
        }
        stage => stage,
    };
    callback::check(&mut update.completion_callbacks, limits)?;
    // A callback shows its links itself.
    let callbacks = &update.completion_callbacks;
    update.links.retain(|link| {
        !callbacks
            .iter()
            .any(|callback| callback.links.contains(link))
    });
    validate::all_links(&update.links, callbacks)?;
    Ok(Checked {
        execution,
        update: UpdateWorkflow {
            first_execution_run_id: request.first_execution_run_id,
            request: update,
        },
        stage,
    })
}

/// How long a caller waits: until its own deadline, or until it hears how far the update is.
pub(super) fn wait(server: &Frontend, metadata: &Metadata, stage: Stage) -> UpdateWait {
    UpdateWait::new(stage, metadata.deadline, server.history_wait)
}

/// What an answer repeats of its request.
pub(super) struct Asked {
    workflow_id: String,
    update_id: String,
    request_id: String,
}

impl Asked {
    pub(super) fn of(workflow_id: &str, update: &UpdateWorkflow) -> Self {
        let meta = update.request.meta.as_ref();
        Self {
            workflow_id: workflow_id.to_owned(),
            update_id: meta.map_or_else(String::new, |meta| meta.update_id.clone()),
            request_id: update.request.request_id.clone(),
        }
    }

    pub(super) fn response(
        self,
        namespace: &Namespace,
        updated: Updated,
    ) -> UpdateWorkflowExecutionResponse {
        let run_id = updated.run_id.to_string();
        let link = match updated.stage {
            Stage::Completed if is_failure(updated.outcome.as_ref()) => {
                Some(rejected_link(namespace, &self.workflow_id, &run_id))
            }
            Stage::Accepted | Stage::Completed => Some(request_link(
                namespace,
                &self.workflow_id,
                &run_id,
                &self.request_id,
                EventType::WorkflowExecutionUpdateAccepted,
            )),
            Stage::Unspecified | Stage::Admitted => None,
        };
        UpdateWorkflowExecutionResponse {
            update_ref: Some(reference(self.workflow_id, run_id, self.update_id)),
            outcome: updated.outcome,
            stage: updated.stage.into(),
            link,
        }
    }
}

/// The name of an update.
pub(super) fn reference(workflow_id: String, run_id: String, update_id: String) -> UpdateRef {
    UpdateRef {
        workflow_execution: Some(WorkflowExecution {
            workflow_id,
            run_id,
        }),
        update_id,
    }
}

fn is_failure(outcome: Option<&Outcome>) -> bool {
    let value = outcome.and_then(|outcome| outcome.value.as_ref());
    matches!(value, Some(outcome::Value::Failure(_)))
}

/// A rejected update has no event to link to.
fn rejected_link(namespace: &Namespace, workflow_id: &str, run_id: &str) -> Link {
    Link {
        variant: Some(Variant::Workflow(Workflow {
            namespace: namespace.name.to_string(),
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
            reason: "Update rejected".to_owned(),
        })),
    }
}
