//! Updates in stories: `update`, `update-with-start`, `readmit`, what workers say of them, and how all that
//! is shown.

use prost::Message as _;
use proto::temporal::api::command::v1::command::Attributes as A;
use proto::temporal::api::command::v1::{Command, ProtocolMessageCommandAttributes};
use proto::temporal::api::enums::v1::CommandType;
use proto::temporal::api::history::v1::WorkflowExecutionUpdateAcceptedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::protocol::v1::Message;
use proto::temporal::api::protocol::v1::message::SequencingId;
use proto::temporal::api::update::v1::{
    Acceptance, Input as UpdateInput, Meta, Outcome, Rejection as Rejected, Request, Response,
    outcome,
};

use super::requests;
use super::script::{Fault, Played, Script};
use super::show::{Line, payload_text};
use super::words::Words;
use crate::workflow::input::Input;
use crate::workflow::update::{UpdateStage, UpdateWorkflow, message_id, type_url};
use crate::workflow::{StartInput, readmitted, update_stage};

/// `id=u name=n input=x first=RUN`.
pub(super) fn update(words: &mut Words) -> UpdateWorkflow {
    UpdateWorkflow {
        first_execution_run_id: words.text_or("first", ""),
        request: Request {
            meta: Some(Meta {
                update_id: words.text_or("id", "u"),
                identity: "client".to_owned(),
            }),
            input: Some(UpdateInput {
                name: words.text_or("name", "n"),
                args: words.text("input").map(|text| requests::payloads(&text)),
                ..UpdateInput::default()
            }),
            request_id: words.text_or("update-request", ""),
            ..Request::default()
        },
    }
}

/// What a worker says: `Accept id=u`, `Complete id=u result=x`, `Reject id=u`, and what none should say.
/// The message's own id is `u/accept` and so on.
pub(super) fn message(mut words: Words) -> Message {
    let what = words.verb().expect("a message has a kind");
    let id = words.text_or("id", "u");
    let carried = words.flag("with-request").then(|| Request {
        meta: Some(meta(&id)),
        ..Request::default()
    });
    let (name, value) = match what.as_str() {
        "Accept" => {
            let sequencing = words.number("after").unwrap_or(2);
            let acceptance = Acceptance {
                accepted_request_message_id: message_id(&id),
                accepted_request_sequencing_event_id: sequencing,
                accepted_request: carried,
            };
            ("Acceptance", acceptance.encode_to_vec())
        }
        "Complete" => {
            let value = match words.text("result") {
                Some(text) => outcome::Value::Success(requests::payloads(&text)),
                None => outcome::Value::Failure(requests::failure_of("no")),
            };
            let response = Response {
                meta: Some(meta(&words.text_or("says", &id))),
                outcome: Some(Outcome { value: Some(value) }),
            };
            ("Response", response.encode_to_vec())
        }
        "Reject" => {
            let rejection = Rejected {
                rejected_request_message_id: message_id(&id),
                rejected_request: carried,
                failure: Some(requests::failure_of("no")),
                ..Rejected::default()
            };
            ("Rejection", rejection.encode_to_vec())
        }
        "Request" => ("Request", Vec::new()),
        "Nothing" => ("", Vec::new()),
        _ => panic!("no message {what}"),
    };
    let url = words.text_or("type", &type_url(name));
    words.end().expect("a known part of a message");
    Message {
        id: format!("{id}/{}", what.to_lowercase()),
        protocol_instance_id: id,
        body: (!name.is_empty()).then_some(proto::Any {
            type_url: url,
            value,
        }),
        sequencing_id: None,
    }
}

fn meta(id: &str) -> Meta {
    Meta {
        update_id: id.to_owned(),
        identity: "client".to_owned(),
    }
}

/// `Message id=u/accept`.
pub(super) fn protocol_message(words: &mut Words) -> Command {
    Command {
        command_type: CommandType::ProtocolMessage as i32,
        attributes: Some(A::ProtocolMessageCommandAttributes(
            ProtocolMessageCommandAttributes {
                message_id: words.text_or("id", ""),
            },
        )),
        ..Command::default()
    }
}

/// A message that goes out with a task.
pub(super) fn sent(message: &Message) -> String {
    let Some(SequencingId::EventId(after)) = message.sequencing_id else {
        return format!("message {} without a place", message.id);
    };
    let body = message.body.clone().unwrap_or_default();
    let request = Request::decode(&*body.value).expect("a request");
    let name = request.input.map_or_else(String::new, |input| input.name);
    format!("message {} after={after} name={name}", message.id)
}

/// How far an update is.
pub(super) fn stage(stage: &UpdateStage) -> String {
    match stage {
        UpdateStage::Admitted => "admitted".to_owned(),
        UpdateStage::Accepted => "accepted".to_owned(),
        UpdateStage::CompletedAt(event) => format!("completed at {event}"),
        UpdateStage::Completed(outcome) => {
            let mut line = Line("completed".to_owned());
            line.word(&outcome_text(Some(outcome)));
            line.0
        }
        UpdateStage::Aborted(why) => format!("aborted: {why}"),
    }
}

/// An outcome.
pub(super) fn outcome_text(outcome: Option<&Outcome>) -> String {
    match outcome.and_then(|outcome| outcome.value.as_ref()) {
        Some(outcome::Value::Success(payloads)) => {
            let texts: Vec<String> = payloads.payloads.iter().map(payload_text).collect();
            format!("result={}", texts.join(","))
        }
        Some(outcome::Value::Failure(failure)) => format!("failure=\"{}\"", failure.message),
        None => "nothing".to_owned(),
    }
}

impl Script {
    pub(super) fn update(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let callbacks = self.callbacks(words)?;
        let mut update = update(words);
        update.request.completion_callbacks = callbacks;
        self.step(run, Input::Update(Box::new(update)))
    }

    pub(super) fn update_with_start(&mut self, words: &mut Words) -> Played {
        let update = update(words);
        let request = requests::start(words);
        let id = request.workflow_id.clone();
        let input = StartInput::UpdateWithStart(Box::new(request), Box::new(update));
        let reply = self.world.start(&id, input).map_err(Fault::Broken)?;
        let far = reply.as_ref().ok().and_then(|reply| reply.update.clone());
        let text = self.started(reply);
        Ok(text + &far.map_or(String::new(), |far| format!("update {}\n", stage(&far))))
    }

    /// How far the update `id=` is.
    pub(super) fn stage(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let id = words.text_or("id", "u");
        let found = update_stage(&self.world.runs[run].state, &id);
        Ok(found.map_or("none\n".to_owned(), |found| format!("{}\n", stage(&found))))
    }

    /// What a reset does with an update that the discarded tail accepted.
    pub(super) fn readmit(&mut self, words: &mut Words) -> Played {
        let run = self.target(words)?;
        let request = update(words).request;
        let event = Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(
            WorkflowExecutionUpdateAcceptedEventAttributes {
                protocol_instance_id: request
                    .meta
                    .as_ref()
                    .map_or_else(String::new, |meta| meta.update_id.clone()),
                accepted_request: Some(request),
                ..WorkflowExecutionUpdateAcceptedEventAttributes::default()
            },
        );
        let state = &self.world.runs[run].state;
        if !state.is_open() || state.core.workflow_task.is_some() {
            return Err("a reset has no workflow task yet".into());
        }
        let Some(admitted) = readmitted(&event, |id| update_stage(state, id).is_some()) else {
            return Ok("known\n".to_owned());
        };
        self.world
            .reapply(
                run,
                Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(admitted),
            )
            .map_err(Fault::Broken)?;
        Ok(String::new())
    }
}
