//! UpdateWorkflowExecution: an update is admitted, in memory only, and a workflow task brings it to the
//! worker (behaviour, section 7.2).

use std::sync::Arc;

use prost::Message;
use proto::temporal::api::history::v1::WorkflowExecutionOptionsUpdatedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::workflow_execution_options_updated_event_attributes::WorkflowUpdateOptionsUpdate;
use proto::temporal::api::update::v1::Request;

use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::workflow::state::update::{AdmittedUpdate, update_id};
use crate::workflow::state::{FirstTask, State};
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Reply, Transition};
use crate::workflow::update::{UpdateStage, UpdateWorkflow, update_stage};

/// The close that failed once gets its chance; and what waits for a run that goes on is to be tried there.
pub(crate) const CLOSING: &str =
    "workflow operation can not be applied because workflow is closing";

pub(crate) fn update(mut step: Step<'_>, update: UpdateWorkflow) -> Result<Transition, Rejection> {
    match admit(&mut step, update) {
        Ok(stage) => step.done(Reply::Update(stage)),
        Err(rejection) => step.reject(rejection),
    }
}

/// Takes an update, or finds that it is known, and says how far it is.
pub(crate) fn admit(step: &mut Step<'_>, update: UpdateWorkflow) -> Result<UpdateStage, Rejection> {
    let UpdateWorkflow {
        first_execution_run_id,
        request,
    } = update;
    super::terminate::check_chain(step, &first_execution_run_id)?;
    let state = &*step.state;
    let known = update_stage(state, update_id(&request));
    if !state.is_open() {
        return known.ok_or(Rejection::AlreadyCompleted);
    }
    refuse_unready(step)?;
    if let Some(stage) = known {
        attach(step, &stage, request)?;
        return Ok(stage);
    }
    check_limits(state, &request, step.env.limits)?;
    push(step.state, request);
    bring(step);
    Ok(UpdateStage::Admitted)
}

/// Somebody else, or the same caller again, waits for the end of an update that is known.
fn attach(step: &mut Step<'_>, stage: &UpdateStage, request: Request) -> Result<(), Rejection> {
    let count = request.completion_callbacks.len();
    if count == 0 {
        return Ok(());
    }
    if request.request_id.is_empty() {
        return Err(Rejection::invalid(
            "invalid *update.Request: request_id is required when completion_callbacks are set",
        ));
    }
    let state = &*step.state;
    let (known, max) = (state.callbacks.len(), step.env.limits.callbacks_max);
    let is_known = state.request_ids.contains(request.request_id.as_str());
    if is_known || !matches!(stage, UpdateStage::Admitted | UpdateStage::Accepted) {
        return Ok(());
    }
    if known + count > max {
        return Err(Rejection::FailedPrecondition(format!(
            "cannot attach more than {max} callbacks to a workflow ({known} callbacks already attached)"
        )));
    }
    if *stage == UpdateStage::Accepted {
        let (attributes, extras) = attached(&request);
        step.external(attributes, extras);
        return Ok(());
    }
    // Its acceptance will be the first that history knows of it.
    let id = update_id(&request).to_owned();
    let mut admitted = step.state.volatile.admitted.iter_mut();
    if let Some(update) = admitted.find(|update| *update.id == *id) {
        let own = update.request.iter().chain(&update.attached);
        if !own
            .into_iter()
            .any(|other| other.request_id == request.request_id)
        {
            update.attached.push(Arc::new(request));
        }
    }
    Ok(())
}

/// The event that says who else waits for an update's end.
pub(crate) fn attached(request: &Request) -> (Attributes, Extras) {
    let update = WorkflowUpdateOptionsUpdate {
        update_id: update_id(request).to_owned(),
        attached_request_id: request.request_id.clone(),
        attached_completion_callbacks: request.completion_callbacks.clone(),
    };
    let attributes = WorkflowExecutionOptionsUpdatedEventAttributes {
        workflow_update_options: vec![update],
        ..WorkflowExecutionOptionsUpdatedEventAttributes::default()
    };
    let extras = Extras {
        links: request.links.clone(),
        ..Extras::default()
    };
    (
        Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(attributes),
        extras,
    )
}

/// A new run's first workflow task brings the update that comes with its start.
pub(crate) fn admit_with_start(step: &mut Step<'_>, request: Request) {
    push(step.state, request);
}

/// A run that cannot look at updates now refuses them all, known ones too.
fn refuse_unready(step: &Step<'_>) -> Result<(), Rejection> {
    let core = &step.state.core;
    if step.state.is_paused() {
        return Err(Rejection::FailedPrecondition(
            "Workflow is paused. Cannot update the workflow.".to_owned(),
        ));
    }
    if core.workflow_task_attempt >= 3 {
        return Err(Rejection::WorkflowNotReady(
            "Unable to perform workflow execution update due to Workflow Task in failed state."
                .to_owned(),
        ));
    }
    if step.state.volatile.close_contended && step.task_started() {
        return Err(Rejection::BusyWorkflow(CLOSING.to_owned()));
    }
    Ok(())
}

/// The limits of behaviour section 3.3. Zero is none.
fn check_limits(state: &State, request: &Request, limits: &Limits) -> Result<(), Rejection> {
    let count_max = limits.updates_in_flight_max;
    if count_max > 0 && state.updates_in_flight() >= count_max {
        return Err(Rejection::ConcurrentLimit(format!(
            "limit on number of concurrent in-flight updates has been reached ({count_max})"
        )));
    }
    check_total(state, limits)?;
    let size: usize = state.volatile.admitted.iter().map(|u| u.size).sum();
    check_size(size, request, limits)
}

/// Whether the run may have one more update at all.
pub(crate) fn check_total(state: &State, limits: &Limits) -> Result<(), Rejection> {
    let max = limits.updates_total_max;
    if max == 0 || state.updates_total() < max {
        return Ok(());
    }
    Err(Rejection::FailedPrecondition(format!(
        "The limit on the total number of distinct updates in this workflow has been reached ({max}). Make sure \
         any duplicate updates share an Update ID so the server can deduplicate them, and consider rejecting \
         updates that you aren't going to process. You can also Continue-as-New to avoid this; we recommend you \
         check Continue-as-New Suggested in your Workflow."
    )))
}

/// Whether a request fits beside `taken` bytes of others.
pub(crate) fn check_size(
    taken: usize,
    request: &Request,
    limits: &Limits,
) -> Result<(), Rejection> {
    let max = limits.updates_in_flight_size_max;
    if max == 0 || taken + request.encoded_len() < max {
        return Ok(());
    }
    Err(Rejection::ConcurrentLimit(format!(
        "limit on total payload size of in-flight updates has been reached ({max} bytes)"
    )))
}

fn push(state: &mut State, request: Request) {
    let id: Arc<str> = update_id(&request).into();
    state.volatile.admitted.push(AdmittedUpdate {
        size: id.len() + request.encoded_len(),
        id,
        request: Some(Arc::new(request)),
        sent: false,
        attached: Vec::new(),
    });
}

/// As [`bring`], for updates that came when there could be no workflow task.
pub(crate) fn bring_waiting(step: &mut Step<'_>) {
    if step.state.is_open() && !step.state.volatile.admitted.is_empty() && !step.state.is_paused() {
        bring(step);
    }
}

/// A pending workflow task brings the update, or the one that follows a started one; else one comes into
/// being for it alone, also while the first one is delayed. A child's first task is on its way.
fn bring(step: &mut Step<'_>) {
    let core = &step.state.core;
    if core.workflow_task.is_some() || core.first_task == FirstTask::AwaitsParent {
        return;
    }
    step.schedule_speculative_workflow_task();
    step.offer_workflow_task();
}
