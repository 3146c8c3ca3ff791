//! SignalWorkflowExecution.

use engine::Namespace;
use engine::workflow::Input;
use proto::temporal::api::common::v1::Link;
use proto::temporal::api::common::v1::link::workflow_event::{Reference, RequestIdReference};
use proto::temporal::api::common::v1::link::{Variant, WorkflowEvent};
use proto::temporal::api::enums::v1::EventType;
use proto::temporal::api::workflowservice::v1::{
    SignalWorkflowExecutionRequest, SignalWorkflowExecutionResponse,
};

use super::call::NamespaceCall;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<SignalWorkflowExecutionRequest>,
) -> Result<SignalWorkflowExecutionResponse, WireError> {
    let NamespaceCall {
        request, namespace, ..
    } = call;
    let execution = validate::execution(request.workflow_execution.as_ref())?;
    if request.signal_name.is_empty() {
        return Err(WireError::invalid("SignalName is not set on request."));
    }
    let limits = &server.limits;
    validate::length(
        &request.signal_name,
        limits,
        "SignalName length exceeds limit.",
    )?;
    validate::request_id(&request.request_id, limits)?;
    validate::links(&request.links)?;
    validate::blob(request.input.as_ref(), limits)?;
    let request_id = request.request_id.clone();
    let workflow_id = execution.workflow_id.clone();
    let input = Input::Signal(Box::new(request));
    let stepped = server
        .node
        .shards
        .step(&namespace, execution.workflow_id, execution.run_id, input)
        .await?;
    let run_id = stepped.run_id.to_string();
    let signaled = EventType::WorkflowExecutionSignaled;
    let link = request_link(&namespace, &workflow_id, &run_id, &request_id, signaled);
    Ok(SignalWorkflowExecutionResponse { link: Some(link) })
}

/// A link to the event of this type that a request caused, or will cause.
pub(super) fn request_link(
    namespace: &Namespace,
    workflow_id: &str,
    run_id: &str,
    request_id: &str,
    event_type: EventType,
) -> Link {
    let reference = RequestIdReference {
        request_id: request_id.to_owned(),
        event_type: event_type.into(),
    };
    Link {
        variant: Some(Variant::WorkflowEvent(WorkflowEvent {
            namespace: namespace.name.to_string(),
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
            reference: Some(Reference::RequestIdRef(reference)),
        })),
    }
}
