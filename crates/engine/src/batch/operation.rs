//! What a batch operation asks of each of its targets: a request of the API, with a request id that is always the
//! same for the same target, so that asking twice after a crash is asking once.

use prost::Message;
use proto::temporal::api::batch::v1 as batch;
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::common::v1::reset_options;
use proto::temporal::api::workflowservice::v1 as api;
use proto::temporal::api::workflowservice::v1::StartBatchOperationRequest;
use proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;
use uuid::Uuid;

/// An execution that a batch operation is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The workflow id, or the id of a standalone activity.
    pub id: String,
    /// One run of it, or empty for the current one.
    pub run_id: String,
}

/// A call of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The RPC.
    pub method: &'static str,
    /// Its encoded request.
    pub request: Vec<u8>,
}

/// What a call's status means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or nothing left to be done: a target that is gone needs no operation.
    Done,
    /// May go better another time.
    Again,
    /// Will not go better.
    Failed,
}

/// Judges a gRPC status code.
pub fn outcome(code: i32) -> Outcome {
    /// OK, NOT_FOUND.
    const DONE: [i32; 2] = [0, 5];
    /// UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE.
    const AGAIN: [i32; 6] = [2, 4, 8, 10, 13, 14];
    if DONE.contains(&code) {
        Outcome::Done
    } else if AGAIN.contains(&code) {
        Outcome::Again
    } else {
        Outcome::Failed
    }
}

/// Whether an operation is for standalone activities, not for workflows.
pub fn is_about_activities(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::TerminateActivitiesOperation(_)
            | Operation::CancelActivitiesOperation(_)
            | Operation::DeleteActivitiesOperation(_)
    )
}

/// The RPC that is called for each target.
pub fn method(operation: &Operation) -> &'static str {
    match operation {
        Operation::TerminationOperation(_) => "TerminateWorkflowExecution",
        Operation::SignalOperation(_) => "SignalWorkflowExecution",
        Operation::CancellationOperation(_) => "RequestCancelWorkflowExecution",
        Operation::DeletionOperation(_) => "DeleteWorkflowExecution",
        Operation::ResetOperation(_) => "ResetWorkflowExecution",
        Operation::UpdateWorkflowOptionsOperation(_) => "UpdateWorkflowExecutionOptions",
        Operation::UnpauseActivitiesOperation(_) => "UnpauseActivity",
        Operation::ResetActivitiesOperation(_) => "ResetActivity",
        Operation::UpdateActivityOptionsOperation(_) => "UpdateActivityOptions",
        Operation::CancelActivitiesOperation(_) => "RequestCancelActivityExecution",
        Operation::TerminateActivitiesOperation(_) => "TerminateActivityExecution",
        Operation::DeleteActivitiesOperation(_) => "DeleteActivityExecution",
    }
}

/// The query that finds the targets: closed executions are left out where there is nothing to do with them.
pub fn filter(request: &StartBatchOperationRequest) -> String {
    let query = &request.visibility_query;
    match &request.operation {
        Some(
            Operation::DeletionOperation(_)
            | Operation::ResetOperation(_)
            | Operation::DeleteActivitiesOperation(_),
        )
        | None => query.clone(),
        Some(_) => {
            format!("({query}) AND (ExecutionStatus = 'Running' OR ExecutionStatus = 'Paused')")
        }
    }
}

impl Call {
    /// The call for one target. `reset_to` is the event that a reset goes back to.
    pub fn new(
        job: &StartBatchOperationRequest,
        operation: &Operation,
        target: &Target,
        reset_to: i64,
    ) -> Self {
        let request = match operation {
            Operation::CancelActivitiesOperation(_)
            | Operation::TerminateActivitiesOperation(_)
            | Operation::DeleteActivitiesOperation(_) => about_activity(job, operation, target),
            Operation::UnpauseActivitiesOperation(_)
            | Operation::ResetActivitiesOperation(_)
            | Operation::UpdateActivityOptionsOperation(_) => {
                about_activities_of(job, operation, target)
            }
            _ => about_workflow(job, operation, target, reset_to),
        };
        Self {
            method: method(operation),
            request,
        }
    }
}

/// The same for the same call of the same job, and different otherwise.
fn request_id(job: &StartBatchOperationRequest, verb: &str, target: &Target) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for part in [job.job_id.as_str(), verb, &target.id, &target.run_id] {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    }
    Uuid::from_u128(hash).to_string()
}

impl Target {
    fn workflow(&self) -> Option<WorkflowExecution> {
        Some(WorkflowExecution {
            workflow_id: self.id.clone(),
            run_id: self.run_id.clone(),
        })
    }
}

fn about_workflow(
    job: &StartBatchOperationRequest,
    operation: &Operation,
    target: &Target,
    reset_to: i64,
) -> Vec<u8> {
    let namespace = job.namespace.clone();
    let workflow_execution = target.workflow();
    match operation {
        Operation::TerminationOperation(given) => api::TerminateWorkflowExecutionRequest {
            namespace,
            workflow_execution,
            reason: job.reason.clone(),
            details: given.details.clone(),
            identity: given.identity.clone(),
            ..Default::default()
        }
        .encode_to_vec(),
        Operation::SignalOperation(given) => api::SignalWorkflowExecutionRequest {
            namespace,
            workflow_execution,
            signal_name: given.signal.clone(),
            input: given.input.clone(),
            header: given.header.clone(),
            identity: given.identity.clone(),
            request_id: request_id(job, "signal", target),
            ..Default::default()
        }
        .encode_to_vec(),
        Operation::CancellationOperation(given) => api::RequestCancelWorkflowExecutionRequest {
            namespace,
            workflow_execution,
            identity: given.identity.clone(),
            request_id: request_id(job, "cancel", target),
            reason: job.reason.clone(),
            ..Default::default()
        }
        .encode_to_vec(),
        Operation::ResetOperation(given) => reset(job, given, target, reset_to).encode_to_vec(),
        Operation::UpdateWorkflowOptionsOperation(given) => {
            api::UpdateWorkflowExecutionOptionsRequest {
                namespace,
                workflow_execution,
                workflow_execution_options: given.workflow_execution_options.clone(),
                update_mask: given.update_mask.clone(),
                identity: given.identity.clone(),
            }
            .encode_to_vec()
        }
        _ => api::DeleteWorkflowExecutionRequest {
            namespace,
            workflow_execution,
        }
        .encode_to_vec(),
    }
}

fn reset(
    job: &StartBatchOperationRequest,
    given: &batch::BatchOperationReset,
    target: &Target,
    reset_to: i64,
) -> api::ResetWorkflowExecutionRequest {
    let options = given.options.clone().unwrap_or_default();
    let reset_reapply_type = match given.options {
        Some(_) => options.reset_reapply_type,
        None => given.reset_reapply_type,
    };
    let workflow_task_finish_event_id = match options.target {
        Some(reset_options::Target::WorkflowTaskId(id)) => id,
        _ => reset_to,
    };
    api::ResetWorkflowExecutionRequest {
        namespace: job.namespace.clone(),
        workflow_execution: target.workflow(),
        reason: job.reason.clone(),
        workflow_task_finish_event_id,
        request_id: request_id(job, "reset", target),
        reset_reapply_type,
        reset_reapply_exclude_types: options.reset_reapply_exclude_types,
        post_reset_operations: given.post_reset_operations.clone(),
        identity: given.identity.clone(),
    }
}

fn about_activities_of(
    job: &StartBatchOperationRequest,
    operation: &Operation,
    target: &Target,
) -> Vec<u8> {
    let namespace = job.namespace.clone();
    let execution = target.workflow();
    match operation {
        Operation::UnpauseActivitiesOperation(given) => {
            use api::unpause_activity_request::Activity as Of;
            use batch::batch_operation_unpause_activities::Activity;
            api::UnpauseActivityRequest {
                namespace,
                execution,
                identity: given.identity.clone(),
                activity: given.activity.as_ref().map(|activity| match activity {
                    Activity::Type(kind) => Of::Type(kind.clone()),
                    Activity::MatchAll(_) => Of::UnpauseAll(true),
                }),
                reset_attempts: given.reset_attempts,
                reset_heartbeat: given.reset_heartbeat,
                jitter: given.jitter,
            }
            .encode_to_vec()
        }
        Operation::ResetActivitiesOperation(given) => {
            use api::reset_activity_request::Activity as Of;
            use batch::batch_operation_reset_activities::Activity;
            api::ResetActivityRequest {
                namespace,
                execution,
                identity: given.identity.clone(),
                activity: given.activity.as_ref().map(|activity| match activity {
                    Activity::Type(kind) => Of::Type(kind.clone()),
                    Activity::MatchAll(_) => Of::MatchAll(true),
                }),
                reset_heartbeat: given.reset_heartbeat,
                keep_paused: given.keep_paused,
                jitter: given.jitter,
                restore_original_options: given.restore_original_options,
            }
            .encode_to_vec()
        }
        Operation::UpdateActivityOptionsOperation(given) => {
            use api::update_activity_options_request::Activity as Of;
            use batch::batch_operation_update_activity_options::Activity;
            api::UpdateActivityOptionsRequest {
                namespace,
                execution,
                identity: given.identity.clone(),
                activity: given.activity.as_ref().map(|activity| match activity {
                    Activity::Type(kind) => Of::Type(kind.clone()),
                    Activity::MatchAll(_) => Of::MatchAll(true),
                }),
                activity_options: given.activity_options.clone(),
                update_mask: given.update_mask.clone(),
                restore_original: given.restore_original,
            }
            .encode_to_vec()
        }
        _ => Vec::new(),
    }
}

fn about_activity(
    job: &StartBatchOperationRequest,
    operation: &Operation,
    target: &Target,
) -> Vec<u8> {
    let namespace = job.namespace.clone();
    let (activity_id, run_id) = (target.id.clone(), target.run_id.clone());
    match operation {
        Operation::CancelActivitiesOperation(given) => api::RequestCancelActivityExecutionRequest {
            namespace,
            activity_id,
            run_id,
            identity: given.identity.clone(),
            request_id: request_id(job, "cancel-activity", target),
            reason: given.reason.clone(),
        }
        .encode_to_vec(),
        Operation::TerminateActivitiesOperation(given) => api::TerminateActivityExecutionRequest {
            namespace,
            activity_id,
            run_id,
            identity: given.identity.clone(),
            request_id: request_id(job, "terminate-activity", target),
            reason: given.reason.clone(),
        }
        .encode_to_vec(),
        _ => api::DeleteActivityExecutionRequest {
            namespace,
            activity_id,
            run_id,
        }
        .encode_to_vec(),
    }
}
