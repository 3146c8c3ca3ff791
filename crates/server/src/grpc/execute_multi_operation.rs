//! ExecuteMultiOperation: a start and an update in one (behaviour, section 6.3).

use engine::Namespace;
use engine::rejection::Rejection;
use proto::temporal::api::errordetails::v1::MultiOperationExecutionFailure;
use proto::temporal::api::errordetails::v1::multi_operation_execution_failure::OperationStatus;
use proto::temporal::api::failure::v1::MultiOperationExecutionAborted;
use proto::temporal::api::workflowservice::v1::execute_multi_operation_request::operation::Operation;
use proto::temporal::api::workflowservice::v1::execute_multi_operation_response::Response;
use proto::temporal::api::workflowservice::v1::execute_multi_operation_response::response::Response as Part;
use proto::temporal::api::workflowservice::v1::{
    ExecuteMultiOperationRequest, ExecuteMultiOperationResponse, StartWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
};
use tonic::Code;

use super::call::NamespaceCall;
use super::update_workflow_execution::{Asked, Checked};
use super::{Frontend, Server, start_workflow_execution, update_workflow_execution};
use crate::error::WireError;
use crate::waiters::UpdateWithStartError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<ExecuteMultiOperationRequest>,
) -> Result<ExecuteMultiOperationResponse, WireError> {
    let NamespaceCall {
        request,
        namespace,
        metadata,
    } = call;
    let (start, update) = operations(request)?;
    let (start, checked) = check(&server, &namespace, start, update)?;
    let Checked { update, stage, .. } = checked;
    let workflow_id = start.workflow_id.clone();
    let asked = Asked::of(&workflow_id, &update);
    let wait = update_workflow_execution::wait(&server, &metadata, stage);
    let done = server
        .node
        .update_with_start(&namespace, start, update, wait)
        .await;
    let (started, updated) = done.map_err(|error| match error {
        UpdateWithStartError::Start(error) => failed([Some(error.into()), Some(aborted())]),
        UpdateWithStartError::Update(error, false) => failed([Some(aborted()), Some(error.into())]),
        UpdateWithStartError::Update(error, true) => failed([None, Some(error.into())]),
        UpdateWithStartError::Closing => {
            let text = Rejection::UpdateAborted.to_string();
            failed([Some(aborted()), Some(WireError::new(Code::Aborted, text))])
        }
    })?;
    let mut start = start_workflow_execution::response(&namespace, &workflow_id, &started, None);
    if !start.started {
        // Nothing was started: the chain is not told, as the reference does.
        start.first_execution_run_id.clear();
    }
    let update = asked.response(&namespace, updated);
    let parts = [Part::StartWorkflow(start), Part::UpdateWorkflow(update)];
    Ok(ExecuteMultiOperationResponse {
        responses: parts
            .map(|part| Response {
                response: Some(part),
            })
            .into(),
    })
}

/// The two operations, in the only order that is taken.
fn operations(
    request: ExecuteMultiOperationRequest,
) -> Result<
    (
        StartWorkflowExecutionRequest,
        UpdateWorkflowExecutionRequest,
    ),
    WireError,
> {
    let refused = || WireError::invalid("Operations have to be exactly [Start, Update].");
    let operations: [_; 2] = request.operations.try_into().map_err(|_| refused())?;
    match operations.map(|operation| operation.operation) {
        [
            Some(Operation::StartWorkflow(start)),
            Some(Operation::UpdateWorkflow(update)),
        ] => Ok((start, update)),
        _ => Err(refused()),
    }
}

/// Checks both; what is wrong with either is told of both.
fn check(
    server: &Frontend,
    namespace: &Namespace,
    mut start: StartWorkflowExecutionRequest,
    update: UpdateWorkflowExecutionRequest,
) -> Result<(StartWorkflowExecutionRequest, Checked), WireError> {
    let of_start = check_start(server, namespace, &mut start);
    let mut of_update = check_update(server, namespace, update);
    if let (Ok(()), Ok(checked)) = (&of_start, &of_update)
        && checked.execution.workflow_id != start.workflow_id
    {
        of_update = Err(WireError::invalid(
            "WorkflowId is not consistent with previous operation(s).",
        ));
    }
    match (of_start, of_update) {
        (Ok(()), Ok(checked)) => Ok((start, checked)),
        (of_start, of_update) => Err(failed([
            Some(of_start.err().unwrap_or_else(aborted)),
            Some(of_update.err().unwrap_or_else(aborted)),
        ])),
    }
}

const OTHER_NAMESPACE: &str = "Operation namespace did not match request's namespace.";

fn check_start(
    server: &Frontend,
    namespace: &Namespace,
    start: &mut StartWorkflowExecutionRequest,
) -> Result<(), WireError> {
    if !start.namespace.is_empty() && start.namespace != *namespace.name {
        return Err(WireError::invalid(OTHER_NAMESPACE));
    }
    let now = server.node.clock.now();
    start_workflow_execution::check(start, namespace, &server.limits, now)?;
    if !start.cron_schedule.is_empty() {
        return Err(WireError::invalid("CronSchedule is not allowed."));
    }
    if start.request_eager_execution {
        return Err(WireError::invalid(
            "RequestEagerExecution is not supported.",
        ));
    }
    if !engine::time::duration(start.workflow_start_delay.as_ref()).is_zero() {
        return Err(WireError::invalid("WorkflowStartDelay is not supported."));
    }
    Ok(())
}

fn check_update(
    server: &Frontend,
    namespace: &Namespace,
    update: UpdateWorkflowExecutionRequest,
) -> Result<Checked, WireError> {
    if !update.namespace.is_empty() && update.namespace != *namespace.name {
        return Err(WireError::invalid(OTHER_NAMESPACE));
    }
    let checked = update_workflow_execution::check(update, &server.limits)?;
    if !checked.update.first_execution_run_id.is_empty() {
        return Err(WireError::invalid("FirstExecutionRunId is not allowed."));
    }
    if checked.execution.run_id.is_some() {
        return Err(WireError::invalid("RunId is not allowed."));
    }
    Ok(checked)
}

/// What is said of an operation that was given up for the other one's sake.
fn aborted() -> WireError {
    WireError::new(Code::Aborted, "Operation was aborted.")
        .with(&MultiOperationExecutionAborted::default())
}

/// The error of the whole: the code of the first operation that failed itself, and the statuses of both.
fn failed(parts: [Option<WireError>; 2]) -> WireError {
    let at_fault = parts.iter().flatten().find(|part| **part != aborted());
    let code = at_fault.map_or(Code::Aborted, |part| part.code);
    let statuses = parts.into_iter().map(|part| match part {
        Some(part) => OperationStatus {
            code: part.code as i32,
            message: part.message,
            details: part.details.into_iter().collect(),
        },
        None => OperationStatus::default(),
    });
    WireError::new(code, "Update-with-Start could not be executed.").with(
        &MultiOperationExecutionFailure {
            statuses: statuses.collect(),
        },
    )
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn the_first_operation_at_fault_gives_the_code() {
        let error = failed([Some(aborted()), Some(WireError::not_found("gone"))]);
        assert_eq!(error.code, Code::NotFound);
        let details = error.details.unwrap();
        let failure = MultiOperationExecutionFailure::decode(&*details.value).unwrap();
        let codes: Vec<_> = failure.statuses.iter().map(|s| s.code).collect();
        assert_eq!(codes, [Code::Aborted as i32, Code::NotFound as i32]);
        assert_eq!(failure.statuses[0].message, "Operation was aborted.");
        // A start that was carried out is fine.
        let error = failed([None, Some(WireError::invalid("x"))]);
        assert_eq!(error.code, Code::InvalidArgument);
        let details = error.details.unwrap();
        let failure = MultiOperationExecutionFailure::decode(&*details.value).unwrap();
        assert_eq!(failure.statuses[0].code, 0);
    }
}
