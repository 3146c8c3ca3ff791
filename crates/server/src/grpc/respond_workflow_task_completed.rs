//! RespondWorkflowTaskCompleted. Commands are the engine's matter, but for the namespaces that they
//! name: those are looked up here, and an unknown one leaves the task started.

use std::collections::BTreeMap;

use engine::workflow::Input;
use engine::workflow::input::WorkflowTaskCompleted;
use engine::workflow::token::{self, WorkflowTaskToken};
use engine::workflow::transition::Reply as EngineReply;
use prost::Message;
use proto::temporal::api::command::v1::Command;
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::enums::v1::QueryResultType;
use proto::temporal::api::workflowservice::v1::{
    RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse,
};

use super::call::NamespaceCall;
use super::{Frontend, Server, handler, task_view, validate};
use crate::error::WireError;
use crate::wire::{self, Reply};

/// The response's field for an inline workflow task.
const WORKFLOW_TASK: u32 = 1;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<RespondWorkflowTaskCompletedRequest>,
    token: WorkflowTaskToken,
) -> Result<Reply<RespondWorkflowTaskCompletedResponse>, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    for result in request.query_results.values_mut() {
        let size = result.answer.as_ref().map_or(0, Message::encoded_len);
        if let Err(refusal) = validate::blob_size(size, &server.limits) {
            // An answer that is too large is none: the caller hears why, and that no worker said it.
            result.set_result_type(QueryResultType::Unspecified);
            result.answer = None;
            result.error_message = refusal.message;
        }
    }
    validate::identity(&request.identity, &server.limits)?;
    for name in request.commands.iter().filter_map(other_namespace) {
        handler::find(&server, name)?;
    }
    let (workflow_id, run_id) = (token.workflow_id.clone(), token::id(&token.run_id));
    let nexus_endpoints = nexus_endpoints(&server, &request.commands);
    let completed = WorkflowTaskCompleted {
        token,
        request,
        nexus_endpoints,
    };
    let input = Input::WorkflowTaskCompleted(Box::new(completed));
    let stepped = server
        .node
        .shards
        .step(&namespace, workflow_id.as_str(), Some(run_id), input)
        .await?;
    let EngineReply::WorkflowTaskCompleted(reply) = stepped.reply else {
        return Ok(Reply::default());
    };
    let response = RespondWorkflowTaskCompletedResponse {
        activity_tasks: reply.activity_tasks,
        reset_history_event_id: reply.reset_history_event_id,
        ..Default::default()
    };
    let Some(task) = reply.workflow_task else {
        return Ok(response.into());
    };
    let history = stepped.history.unwrap_or_default();
    let run_id = stepped.run_id.to_string();
    let inline = task_view::workflow_task(&workflow_id, &run_id, task, history, stepped.queries);
    Ok(Reply::with(
        response,
        WORKFLOW_TASK,
        vec![wire::encode(&inline)],
    ))
}

/// The endpoints that commands name and that there are.
fn nexus_endpoints(server: &Frontend, commands: &[Command]) -> BTreeMap<String, String> {
    let names = commands
        .iter()
        .filter_map(|command| match &command.attributes {
            Some(Attributes::ScheduleNexusOperationCommandAttributes(a)) => Some(&a.endpoint),
            _ => None,
        });
    let endpoints = &server.node.nexus.endpoints;
    let found = names.filter_map(|name| endpoints.by_name(name));
    found.map(|e| (e.name.clone(), e.id.clone())).collect()
}

/// The namespace that a command names, if it names one.
fn other_namespace(command: &Command) -> Option<&str> {
    let name = match command.attributes.as_ref()? {
        Attributes::StartChildWorkflowExecutionCommandAttributes(a) => &a.namespace,
        Attributes::SignalExternalWorkflowExecutionCommandAttributes(a) => &a.namespace,
        Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(a) => &a.namespace,
        _ => return None,
    };
    (!name.is_empty()).then_some(name)
}
