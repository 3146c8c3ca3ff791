//! Which requests for a batch operation are taken, and what the others are told.

use proto::temporal::api::batch::v1 as batch;
use proto::temporal::api::enums::v1::{ExecutionType, ResetType};
use proto::temporal::api::workflowservice::v1::StartBatchOperationRequest;
use proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;

use super::operation::is_about_activities;
use crate::rejection::Rejection;

const NO_ACTIVITY: &str = "Either activity type must be set, or match all should be set to true";

/// Checks a request.
///
/// # Errors
/// INVALID_ARGUMENT with the documented texts.
pub fn validate(request: &StartBatchOperationRequest) -> Result<(), Rejection> {
    check(request).map_err(Rejection::InvalidArgument)
}

fn check(request: &StartBatchOperationRequest) -> Result<(), String> {
    let selectors = [
        !request.visibility_query.is_empty(),
        !request.executions.is_empty(),
        !request.target_executions.is_empty(),
    ];
    let selectors = selectors.into_iter().filter(|selector| *selector).count();
    let operation = match &request.operation {
        Some(operation) if !request.reason.is_empty() && selectors > 0 => operation,
        _ => {
            return Err(
                "must provide required parameters: BatchType,Reason,Namespace, AND one of \
                        (Query OR Executions OR TargetExecutions)"
                    .to_owned(),
            );
        }
    };
    if request.job_id.is_empty() {
        return Err("JobId is not set on request.".to_owned());
    }
    if selectors > 1 {
        return Err(
            "visibility query, executions, and target executions are mutually exclusive".to_owned(),
        );
    }
    target_types(request, operation)?;
    match operation {
        Operation::SignalOperation(signal) if signal.signal.is_empty() => {
            Err("must provide signal name".to_owned())
        }
        Operation::UpdateWorkflowOptionsOperation(update) => {
            if update.workflow_execution_options.is_none() {
                return Err("must provide UpdateOptions".to_owned());
            }
            if update.update_mask.is_none() {
                return Err("must provide UpdateMask".to_owned());
            }
            Ok(())
        }
        Operation::ResetOperation(reset) => reset_target(reset),
        Operation::UnpauseActivitiesOperation(unpause) => {
            use batch::batch_operation_unpause_activities::Activity;
            match &unpause.activity {
                None => Err("activity filter must be set".to_owned()),
                Some(Activity::Type(kind)) => activity(!kind.is_empty()),
                Some(Activity::MatchAll(all)) => activity(*all),
            }
        }
        Operation::ResetActivitiesOperation(reset) => {
            use batch::batch_operation_reset_activities::Activity;
            match &reset.activity {
                None => Err("must provide ActivityType or MatchAll".to_owned()),
                Some(Activity::Type(kind)) => activity(!kind.is_empty()),
                Some(Activity::MatchAll(all)) => activity(*all),
            }
        }
        Operation::UpdateActivityOptionsOperation(update) => activity_options(update),
        _ => Ok(()),
    }
}

/// Explicit targets must be of the kind that the operation is for.
fn target_types(request: &StartBatchOperationRequest, operation: &Operation) -> Result<(), String> {
    let expected = if is_about_activities(operation) {
        ExecutionType::Activity
    } else {
        ExecutionType::Workflow
    };
    let wrong = request
        .target_executions
        .iter()
        .enumerate()
        .find(|(_, target)| target.r#type() != expected);
    let Some((at, target)) = wrong else {
        return Ok(());
    };
    Err(format!(
        "target_executions[{at}] has type {:?}, but operation \
         *workflowservice.StartBatchOperationRequest_{} requires {expected:?}",
        target.r#type(),
        name(operation),
    ))
}

fn reset_target(reset: &batch::BatchOperationReset) -> Result<(), String> {
    match &reset.options {
        Some(options) if options.target.is_none() => Err("batch reset missing target".to_owned()),
        Some(_) => Ok(()),
        None => match ResetType::try_from(reset.reset_type) {
            Ok(ResetType::Unspecified) => Err("unknown batch reset type Unspecified".to_owned()),
            Ok(_) => Ok(()),
            Err(_) => Err(format!("unknown batch reset type {}", reset.reset_type)),
        },
    }
}

fn activity_options(update: &batch::BatchOperationUpdateActivityOptions) -> Result<(), String> {
    use batch::batch_operation_update_activity_options::Activity;
    match (update.activity_options.is_some(), update.restore_original) {
        (true, true) => {
            return Err("cannot set both activity options and restore original".to_owned());
        }
        (false, false) => {
            return Err(
                "Either activity type must be set, or restore original should be set to true"
                    .to_owned(),
            );
        }
        _ => {}
    }
    match &update.activity {
        None => activity(false),
        Some(Activity::Type(kind)) => activity(!kind.is_empty()),
        Some(Activity::MatchAll(all)) => activity(*all),
    }
}

fn activity(is_named: bool) -> Result<(), String> {
    if is_named {
        Ok(())
    } else {
        Err(NO_ACTIVITY.to_owned())
    }
}

/// The operation as error texts name it.
fn name(operation: &Operation) -> &'static str {
    match operation {
        Operation::TerminationOperation(_) => "TerminationOperation",
        Operation::SignalOperation(_) => "SignalOperation",
        Operation::CancellationOperation(_) => "CancellationOperation",
        Operation::DeletionOperation(_) => "DeletionOperation",
        Operation::ResetOperation(_) => "ResetOperation",
        Operation::UpdateWorkflowOptionsOperation(_) => "UpdateWorkflowOptionsOperation",
        Operation::UnpauseActivitiesOperation(_) => "UnpauseActivitiesOperation",
        Operation::ResetActivitiesOperation(_) => "ResetActivitiesOperation",
        Operation::UpdateActivityOptionsOperation(_) => "UpdateActivityOptionsOperation",
        Operation::CancelActivitiesOperation(_) => "CancelActivitiesOperation",
        Operation::TerminateActivitiesOperation(_) => "TerminateActivitiesOperation",
        Operation::DeleteActivitiesOperation(_) => "DeleteActivitiesOperation",
    }
}
