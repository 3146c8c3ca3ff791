//! The worker's answers to updates: accepted and completed in the task that brought them.

use prost::Message as _;
use proto::temporal::api::command::v1 as command;
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::enums::v1::CommandType;
use proto::temporal::api::protocol::v1::{Message, message::SequencingId};
use proto::temporal::api::update::v1::{Acceptance, Meta, Outcome, Request, Response, outcome};

use crate::payload;
use crate::script::Plan;

const TYPE_PREFIX: &str = "type.googleapis.com/temporal.api.update.v1.";

/// What the updates of one workflow task came to.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The numbers of the updates, in the order in which they came.
    pub(crate) numbers: Vec<u64>,
    pub(crate) messages: Vec<Message>,
    /// Those that put the messages into the order of commands.
    pub(crate) commands: Vec<command::Command>,
}

/// The result of the update with this number.
pub(crate) fn result(plan: &Plan, number: u64) -> String {
    format!("{}/{number}", plan.echo)
}

/// Accepts and completes each update among the messages; or says what is wrong with one.
pub(crate) fn answer(plan: &Plan, messages: &[Message]) -> Result<Answers, String> {
    let mut answers = Answers::default();
    for message in messages {
        let body = message.body.clone().unwrap_or_default();
        let request = Request::decode(&body.value[..])
            .map_err(|error| format!("message {} is no update: {error}", message.id))?;
        let input = request.input.as_ref().and_then(|input| input.args.as_ref());
        let number = payload::to_json(input)
            .ok_or_else(|| format!("update {} has no number", message.protocol_instance_id))?;
        answers.numbers.push(number);
        let meta = Meta {
            update_id: message.protocol_instance_id.clone(),
            ..Default::default()
        };
        let sequencing = match message.sequencing_id {
            Some(SequencingId::EventId(event_id)) => event_id,
            _ => 0,
        };
        let acceptance = Acceptance {
            accepted_request_message_id: message.id.clone(),
            accepted_request_sequencing_event_id: sequencing,
            accepted_request: Some(request),
        };
        let response = Response {
            meta: Some(meta),
            outcome: Some(Outcome {
                value: Some(outcome::Value::Success(payload::of_json(&result(
                    plan, number,
                )))),
            }),
        };
        answers.add(message, "accept", "Acceptance", &acceptance.encode_to_vec());
        answers.add(message, "complete", "Response", &response.encode_to_vec());
    }
    Ok(answers)
}

impl Answers {
    fn add(&mut self, to: &Message, step: &str, name: &str, body: &[u8]) {
        let id = format!("{}/{step}", to.id);
        self.messages.push(Message {
            id: id.clone(),
            protocol_instance_id: to.protocol_instance_id.clone(),
            body: Some(proto::Any {
                type_url: format!("{TYPE_PREFIX}{name}"),
                value: body.to_vec(),
            }),
            ..Default::default()
        });
        self.commands.push(command::Command {
            command_type: CommandType::ProtocolMessage.into(),
            attributes: Some(Attributes::ProtocolMessageCommandAttributes(
                command::ProtocolMessageCommandAttributes { message_id: id },
            )),
            ..Default::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use proto::temporal::api::update::v1::Input;

    use super::*;
    use crate::script::Script;

    fn plan() -> Plan {
        Plan {
            script: Script::Updates { updates: 1 },
            echo: String::from("e"),
        }
    }

    fn message(number: u64) -> Message {
        let request = Request {
            input: Some(Input {
                args: Some(payload::of_json(&number)),
                ..Default::default()
            }),
            ..Default::default()
        };
        Message {
            id: String::from("m"),
            protocol_instance_id: String::from("u"),
            body: Some(proto::Any {
                type_url: format!("{TYPE_PREFIX}Request"),
                value: request.encode_to_vec(),
            }),
            sequencing_id: Some(SequencingId::EventId(7)),
        }
    }

    #[test]
    fn an_update_is_accepted_and_completed_in_one_go() {
        let answers = answer(&plan(), &[message(3)]).expect("an update");
        assert_eq!(answers.numbers, [3]);
        let ids: Vec<_> = answers.messages.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(ids, ["m/accept", "m/complete"]);
        assert_eq!(answers.commands.len(), 2);
        let body = answers.messages[1].body.clone().expect("a body");
        let response = Response::decode(&body.value[..]).expect("a response");
        let Some(outcome::Value::Success(value)) = response.outcome.and_then(|o| o.value) else {
            panic!("no success");
        };
        assert_eq!(
            payload::to_json::<String>(Some(&value)).as_deref(),
            Some("e/3")
        );
    }

    #[test]
    fn what_is_no_update_is_told() {
        let mut message = message(3);
        message.body = Some(proto::Any {
            type_url: String::new(),
            value: vec![0xff],
        });
        assert!(answer(&plan(), &[message]).is_err());
    }
}
