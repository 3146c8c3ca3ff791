//! PROTOCOL_MESSAGE, and the messages of a completion: what the worker says of updates (behaviour, section
//! 7.2). A command gives a message its place among the other commands' events; one without a command comes
//! after them all.

use std::sync::Arc;

use proto::temporal::api::command::v1::ProtocolMessageCommandAttributes;
use proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    WorkflowExecutionUpdateAcceptedEventAttributes, WorkflowExecutionUpdateCompletedEventAttributes,
};
use proto::temporal::api::protocol::v1::Message;
use proto::temporal::api::update::v1::{Acceptance, Rejection as Rejected, Request, Response};

use super::{BadCommand, Context};
use crate::rejection::Rejection;
use crate::workflow::client::update::{attached, check_total};
use crate::workflow::state::update::PendingUpdate;
use crate::workflow::step::{Extras, Step};
use crate::workflow::update::{self, PROTOCOL, UpdateStage, message_id};

pub(super) fn carry_out(
    step: &mut Step<'_>,
    context: &mut Context,
    attributes: Option<ProtocolMessageCommandAttributes>,
) -> Result<(), BadCommand> {
    let Some(attributes) = attributes else {
        return Err(bad(
            "ProtocolMessageCommandAttributes is not set on ProtocolMessageCommand.",
        ));
    };
    if attributes.message_id.is_empty() {
        return Err(bad("MessageID is not set on ProtocolMessageCommand."));
    }
    let at = context
        .messages
        .iter()
        .position(|message| message.id == attributes.message_id);
    match at {
        Some(at) => {
            let message = context.messages.remove(at);
            receive(step, context, &message)
        }
        None => Err(bad(format!(
            "ProtocolMessageCommand referenced absent message ID {}",
            attributes.message_id
        ))),
    }
}

/// The messages that no command gave a place.
pub(crate) fn receive_rest(step: &mut Step<'_>, context: &mut Context) -> Result<(), BadCommand> {
    for message in std::mem::take(&mut context.messages) {
        receive(step, context, &message)?;
    }
    Ok(())
}

/// A message that does not say what it is leaves the task started and writes nothing, as an error in the
/// sequence of commands does.
pub(crate) fn check(message: &Message) -> Result<(), Rejection> {
    let Some(body) = &message.body else {
        return Err(Rejection::invalid("nil message body"));
    };
    match type_name(&body.type_url) {
        "" => Err(Rejection::invalid("no message name specified")),
        name if !name.contains('.') => Err(Rejection::invalid(format!(
            "failed to extract protocol type: no . found in \"{name}\""
        ))),
        _ => Ok(()),
    }
}

/// Whether a message rejects its update, and so leaves nothing to be stored.
pub(crate) fn is_rejection(message: &Message) -> bool {
    let body = message.body.as_ref();
    body.is_some_and(|body| type_name(&body.type_url) == format!("{PROTOCOL}.Rejection"))
}

fn type_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// What a worker says of an update.
enum Said {
    Acceptance(Acceptance),
    Rejection(Rejected),
    Response(Response),
}

impl Said {
    fn read(message: &Message) -> Result<Self, BadCommand> {
        let body = message.body.clone().unwrap_or_default();
        let unreadable = |error| bad(format!("unable to unmarshal request: {error}"));
        let (_, name) = type_name(&body.type_url)
            .rsplit_once('.')
            .unwrap_or_default();
        Ok(match name {
            "Acceptance" => Self::Acceptance(decode(&body.value).map_err(unreadable)?),
            "Rejection" => Self::Rejection(decode(&body.value).map_err(unreadable)?),
            "Response" => Self::Response(decode(&body.value).map_err(unreadable)?),
            _ => {
                return Err(bad(format!("Message type *update.{name} not supported")));
            }
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Acceptance(_) => "*update.Acceptance",
            Self::Rejection(_) => "*update.Rejection",
            Self::Response(_) => "*update.Response",
        }
    }

    /// The worker's copy of the request.
    fn request(&self) -> Option<&Request> {
        match self {
            Self::Acceptance(acceptance) => acceptance.accepted_request.as_ref(),
            Self::Rejection(rejection) => rejection.rejected_request.as_ref(),
            Self::Response(_) => None,
        }
    }
}

fn decode<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, prost::DecodeError> {
    M::decode(bytes)
}

/// Where an update stands while a completion is carried out, by the reference's names.
#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Admitted,
    Sent,
    /// Accepted in this very completion.
    ProvisionallyAccepted(i64),
    Accepted(i64),
    /// Completed in this very completion.
    ProvisionallyCompleted,
    Completed,
}

impl Standing {
    fn name(self) -> &'static str {
        match self {
            Self::Admitted => "Admitted",
            Self::Sent => "Sent",
            Self::ProvisionallyAccepted(_) => "ProvisionallyAccepted",
            Self::Accepted(_) => "Accepted",
            Self::ProvisionallyCompleted => "ProvisionallyCompleted",
            Self::Completed => "Completed",
        }
    }
}

fn standing(step: &Step<'_>, context: &Context, id: &str) -> Option<Standing> {
    let state = &*step.state;
    if let Some(update) = state.admitted_update(id) {
        return Some(if update.sent {
            Standing::Sent
        } else {
            Standing::Admitted
        });
    }
    if let Some(completed) = state.completed_updates.get(id) {
        return Some(if completed.0 > context.completed_event_id {
            Standing::ProvisionallyCompleted
        } else {
            Standing::Completed
        });
    }
    match state.updates.get(id)? {
        PendingUpdate::Accepted(at) if *at > context.completed_event_id => {
            Some(Standing::ProvisionallyAccepted(*at))
        }
        PendingUpdate::Accepted(at) => Some(Standing::Accepted(*at)),
        // Read back from history and not looked at yet.
        PendingUpdate::Admitted(_) => Some(Standing::Admitted),
    }
}

fn receive(step: &mut Step<'_>, context: &Context, message: &Message) -> Result<(), BadCommand> {
    let body = message.body.as_ref();
    let full_name = body.map_or("", |body| type_name(&body.type_url));
    let size = body.map_or(0, prost::Message::encoded_len);
    if size > step.env.limits.blob_size_error {
        return Err(BadCommand::ending_workflow(
            CAUSE,
            format!("Message type {full_name} exceeds size limit."),
        ));
    }
    let protocol = full_name
        .rsplit_once('.')
        .map_or("", |(protocol, _)| protocol);
    if protocol != PROTOCOL {
        return Err(bad(format!("unsupported protocol type {protocol}")));
    }
    let id: Arc<str> = message.protocol_instance_id.as_str().into();
    let said = Said::read(message)?;
    let at = match standing(step, context, &id) {
        Some(at) => at,
        // The server forgot the update; the worker's answer brings it back.
        None => match said.request() {
            Some(_) => {
                check_total(step.state, step.env.limits).map_err(|e| bad(e.to_string()))?;
                Standing::Admitted
            }
            // The close before it has ended the update.
            None if step.is_told(&id) => return Ok(()),
            None => {
                return Err(bad(format!(
                    "update {id} wasn't found on the server. This is most likely a transient error which will be \
                     resolved automatically by retries"
                )));
            }
        },
    };
    if !step.state.is_open() && !matches!(said, Said::Rejection(_)) {
        // Nothing can be recorded any more.
        if matches!(at, Standing::Admitted | Standing::Sent) {
            update::abort(step, &id, Rejection::UpdateAborted);
        }
        return Ok(());
    }
    let refuse = |said: &Said| {
        Err(bad(format!(
            "invalid state transition attempted for Update {id}: received {} message while in state {}",
            said.name(),
            at.name()
        )))
    };
    match (&said, at) {
        (Said::Acceptance(acceptance), Standing::Admitted | Standing::Sent) => {
            accept(step, &id, acceptance)
        }
        (Said::Rejection(rejection), Standing::Admitted | Standing::Sent) => {
            update::reject(step, &id, rejection.failure.clone());
            Ok(())
        }
        (
            Said::Response(response),
            Standing::ProvisionallyAccepted(accepted) | Standing::Accepted(accepted),
        ) => complete(step, id, response, accepted),
        (said, _) => refuse(said),
    }
}

fn accept(step: &mut Step<'_>, id: &Arc<str>, said: &Acceptance) -> Result<(), BadCommand> {
    let not_set = |field| bad(format!("invalid *update.Acceptance: {field} is not set"));
    if said.accepted_request_sequencing_event_id == 0 {
        return Err(not_set("accepted_request_sequencing_event_id"));
    }
    if said.accepted_request_message_id.is_empty() {
        return Err(not_set("accepted_request_message_id"));
    }
    let ours = step.state.admitted_update(id).map(|u| u.request.clone());
    let waiting = step.state.admitted_update(id);
    let waiting = waiting.map_or_else(Vec::new, |update| update.attached.clone());
    // One that an event admitted has its request there.
    let request = match ours {
        Some(ours) => ours.map(|request| (*request).clone()),
        None if step.state.updates.contains(&**id) => None,
        None => said.accepted_request.clone(),
    };
    let links = request
        .iter()
        .flat_map(|request| &request.completion_callbacks)
        .flat_map(|callback| callback.links.clone())
        .collect();
    step.write_with(
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(
            WorkflowExecutionUpdateAcceptedEventAttributes {
                protocol_instance_id: id.to_string(),
                accepted_request_message_id: message_id(id),
                accepted_request_sequencing_event_id: said.accepted_request_sequencing_event_id,
                accepted_request: request,
            },
        ),
        Extras {
            links,
            ..Extras::default()
        },
    );
    for request in waiting {
        let (attributes, extras) = attached(&request);
        step.write_with(attributes, extras);
    }
    step.tell_update(id.clone(), UpdateStage::Accepted);
    Ok(())
}

fn complete(
    step: &mut Step<'_>,
    id: Arc<str>,
    said: &Response,
    accepted_event_id: i64,
) -> Result<(), BadCommand> {
    let invalid = |what: String| bad(format!("invalid *update.Response: {what}"));
    let meta = said.meta.as_ref();
    let meta = meta.ok_or_else(|| invalid("meta is not set".to_owned()))?;
    if meta.update_id.is_empty() {
        return Err(invalid("meta.update_id is not set".to_owned()));
    }
    if *meta.update_id != *id {
        return Err(invalid(format!("meta.update_id != {id}")));
    }
    let outcome = said.outcome.as_ref();
    let outcome = outcome.ok_or_else(|| invalid("outcome is not set".to_owned()))?;
    step.write(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(
        WorkflowExecutionUpdateCompletedEventAttributes {
            meta: Some(meta.clone()),
            outcome: Some(outcome.clone()),
            accepted_event_id,
        },
    ));
    step.tell_update(id, UpdateStage::Completed(Box::new(outcome.clone())));
    Ok(())
}

const CAUSE: Cause = Cause::BadUpdateWorkflowExecutionMessage;

fn bad(message: impl Into<String>) -> BadCommand {
    BadCommand::new(CAUSE, message)
}
