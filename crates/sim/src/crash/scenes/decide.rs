//! What the scenes' workflows do, from the whole history and the messages of a task to commands and messages. Pure.

use std::collections::BTreeMap;

use prost::Message as _;
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::command::v1::{
    Command, ProtocolMessageCommandAttributes, ScheduleNexusOperationCommandAttributes,
};
use proto::temporal::api::common::v1::{Payload, Payloads};
use proto::temporal::api::enums::v1::CommandType;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::protocol::v1::Message;
use proto::temporal::api::protocol::v1::message::SequencingId;
use proto::temporal::api::update::v1::{Acceptance, Meta, Outcome, Request, Response, outcome};

use super::END;
use crate::{api, payload};

/// Echoes its input.
pub(super) const ECHO: &str = "Echo";
/// Waits for the signal that ends it.
pub(super) const SLEEPER: &str = "Sleeper";
/// Numbers the updates that it accepts, until it is ended.
pub(super) const TALLY: &str = "Tally";
/// Asks a Nexus handler to echo its input.
pub(super) const CALLER: &str = "Caller";

/// How long an update with an odd number takes.
const UPDATE_MILLIS: u64 = 20;

/// What a workflow task comes to.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) commands: Vec<Command>,
    pub(super) messages: Vec<Message>,
    /// What a correct server never sends.
    pub(super) surprise: Option<String>,
}

/// What follows from a history and what came with the task.
pub(super) fn decide(kind: &str, events: &[HistoryEvent], messages: &[Message]) -> Decision {
    match kind {
        ECHO => commands(vec![api::complete(input(events))]),
        SLEEPER if is_ended(events) => commands(vec![api::complete(None)]),
        CALLER => commands(call(events)),
        TALLY => tally(events, messages),
        _ => Decision::default(),
    }
}

fn commands(commands: Vec<Command>) -> Decision {
    Decision {
        commands,
        ..Decision::default()
    }
}

fn input(events: &[HistoryEvent]) -> Option<Payloads> {
    match events.first()?.attributes.as_ref()? {
        A::WorkflowExecutionStartedEventAttributes(a) => a.input.clone(),
        _ => None,
    }
}

fn is_ended(events: &[HistoryEvent]) -> bool {
    events.iter().any(|event| {
        matches!(&event.attributes,
            Some(A::WorkflowExecutionSignaledEventAttributes(a)) if a.signal_name == END)
    })
}

/// One operation, then its result.
fn call(events: &[HistoryEvent]) -> Vec<Command> {
    let mut is_called = false;
    for event in events {
        match &event.attributes {
            Some(A::NexusOperationScheduledEventAttributes(_)) => is_called = true,
            Some(A::NexusOperationCompletedEventAttributes(a)) => {
                let payloads = a.result.clone().into_iter().collect();
                return vec![api::complete(Some(Payloads { payloads }))];
            }
            _ => {}
        }
    }
    if is_called {
        return Vec::new();
    }
    let input: Option<Payload> = input(events).and_then(|mut input| input.payloads.pop());
    let id = payload::to_json::<String>(
        Some(Payloads {
            payloads: input.clone().into_iter().collect(),
        })
        .as_ref(),
    );
    let is_odd = id.is_some_and(|id| id.ends_with(['1', '3', '5', '7', '9']));
    let attributes = ScheduleNexusOperationCommandAttributes {
        endpoint: super::nexus::ENDPOINT.to_owned(),
        service: String::from("echo"),
        operation: String::from(if is_odd { "later" } else { "now" }),
        input,
        ..Default::default()
    };
    vec![api::command_of(
        CommandType::ScheduleNexusOperation,
        Attributes::ScheduleNexusOperationCommandAttributes(attributes),
    )]
}

/// An update is accepted at once. Those with even numbers are completed with that, the others when a timer has fired.
fn tally(events: &[HistoryEvent], messages: &[Message]) -> Decision {
    let mut decision = Decision::default();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut pending: BTreeMap<String, bool> = BTreeMap::new();
    for event in events {
        match &event.attributes {
            Some(A::WorkflowExecutionUpdateAcceptedEventAttributes(a)) => {
                numbers.insert(a.protocol_instance_id.clone(), numbers.len());
                pending.insert(a.protocol_instance_id.clone(), false);
            }
            Some(A::WorkflowExecutionUpdateCompletedEventAttributes(a)) => {
                pending.remove(&a.meta.clone().unwrap_or_default().update_id);
            }
            Some(A::TimerFiredEventAttributes(a)) => {
                pending.insert(a.timer_id.clone(), true);
            }
            _ => {}
        }
    }
    for (id, _) in pending.iter().filter(|(_, fired)| **fired) {
        let number = numbers.get(id).copied().unwrap_or_default();
        decision.say(complete(id, number));
    }
    let first = numbers.len();
    for (number, request) in (first..).zip(messages) {
        let id = &request.protocol_instance_id;
        if numbers.contains_key(id) {
            decision.surprise = Some(format!("update {id} comes again after it was accepted"));
            continue;
        }
        decision.say(accept(request));
        if number % 2 == 0 {
            decision.say(complete(id, number));
        } else {
            decision.commands.push(api::start_timer(id, UPDATE_MILLIS));
        }
    }
    if messages.is_empty() && pending.is_empty() && is_ended(events) {
        decision.commands.push(api::complete(None));
    }
    decision
}

impl Decision {
    fn say(&mut self, message: Message) {
        let attributes = ProtocolMessageCommandAttributes {
            message_id: message.id.clone(),
        };
        self.commands.push(api::command_of(
            CommandType::ProtocolMessage,
            Attributes::ProtocolMessageCommandAttributes(attributes),
        ));
        self.messages.push(message);
    }
}

fn message(id: &str, what: &str, name: &str, value: Vec<u8>) -> Message {
    Message {
        id: format!("{id}/{what}"),
        protocol_instance_id: id.to_owned(),
        body: Some(proto::Any {
            type_url: format!("type.googleapis.com/temporal.api.update.v1.{name}"),
            value,
        }),
        sequencing_id: None,
    }
}

fn accept(request: &Message) -> Message {
    let body = request.body.clone().unwrap_or_default();
    let after = match request.sequencing_id {
        Some(SequencingId::EventId(id)) => id,
        _ => 0,
    };
    let acceptance = Acceptance {
        accepted_request_message_id: request.id.clone(),
        accepted_request_sequencing_event_id: after,
        accepted_request: Request::decode(body.value.as_slice()).ok(),
    };
    let id = &request.protocol_instance_id;
    message(id, "accept", "Acceptance", acceptance.encode_to_vec())
}

fn complete(id: &str, number: usize) -> Message {
    let outcome = Outcome {
        value: Some(outcome::Value::Success(payload::of_json(&format!(
            "{id}#{number}"
        )))),
    };
    let response = Response {
        meta: Some(Meta {
            update_id: id.to_owned(),
            identity: String::from("worker"),
        }),
        outcome: Some(outcome),
    };
    message(id, "complete", "Response", response.encode_to_vec())
}

/// What an outcome says, if it is a success.
pub(super) fn said(outcome: &Outcome) -> Option<String> {
    match &outcome.value {
        Some(outcome::Value::Success(payloads)) => payload::to_json(Some(payloads)),
        _ => None,
    }
}
