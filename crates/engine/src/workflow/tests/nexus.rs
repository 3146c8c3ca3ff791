//! What Nexus handlers, and those who take callbacks, do in a story.

use proto::temporal::api::failure::v1::Failure;

use super::requests;
use super::script::{Fault, Played, Script};
use super::words::Words;
use crate::nexus::callback::{CallbackToken, SYSTEM_URL, TOKEN_HEADER};
use crate::nexus::failure::{handler_failure, is_retryable};
use crate::workflow::input::{CallbackAnswer, Input, NexusAnswer, NexusCompletion, NexusOutcome};
use proto::temporal::api::common::v1::callback::{Nexus, Variant};
use proto::temporal::api::common::v1::{Callback, Payload};

impl Script {
    /// A handler's answer to the request under way, or a result that comes from outside.
    pub(super) fn nexus(&mut self, words: &mut Words) -> Played {
        let what = words.verb()?;
        let run = self.target(words)?;
        let operations = &self.world.runs[run].state.nexus_operations;
        let only = operations.iter().next().map(|(id, _)| *id);
        let id = words.number("scheduled").or(only).ok_or("no operation")?;
        let operation = operations.get(&id);
        let attempt = |cancel: bool| {
            let asking = operation.and_then(|o| match cancel {
                true => o.cancellation.as_ref().map(|c| &c.asking),
                false => Some(&o.start),
            });
            asking.map_or(0, |asking| asking.attempt)
        };
        let request_id = operation.map_or(String::new(), |o| o.scheduled.request_id.clone());
        let (to_start, to_cancel) = (attempt(false), attempt(true));
        let given = words.number("attempt").map(|attempt| attempt as i32);
        let answer = |answer| {
            let attempt = given.unwrap_or(to_start);
            Input::NexusStartAnswered(id, attempt, Box::new(answer))
        };
        let links = Vec::new();
        let input = match what.as_str() {
            "starts" => answer(NexusAnswer::Started {
                token: words.text_or("token", "tok"),
                links,
            }),
            "succeeds" => answer(NexusAnswer::Ended {
                outcome: NexusOutcome::Succeeded(result(words)),
                links,
            }),
            "fails" => answer(NexusAnswer::Ended {
                outcome: NexusOutcome::Failed(failure(words)),
                links,
            }),
            "cancels" => answer(NexusAnswer::Ended {
                outcome: NexusOutcome::Canceled(failure(words)),
                links,
            }),
            "refuses" => answer(refusal(words)),
            "takes-cancel" => {
                let taken = NexusAnswer::Ended {
                    outcome: NexusOutcome::Succeeded(None),
                    links,
                };
                Input::NexusCancelAnswered(id, given.unwrap_or(to_cancel), Box::new(taken))
            }
            "refuses-cancel" => {
                let refused = refusal(words);
                Input::NexusCancelAnswered(id, given.unwrap_or(to_cancel), Box::new(refused))
            }
            "completes" => Input::NexusOperationCompleted(Box::new(NexusCompletion {
                scheduled_event_id: id,
                request_id: words.text_or("request", &request_id),
                operation_token: words.text_or("token", ""),
                start_time: None,
                close_time: None,
                links,
                outcome: if words.flag("canceled") {
                    NexusOutcome::Canceled(failure(words))
                } else {
                    NexusOutcome::Succeeded(result(words))
                },
            })),
            _ => return Err(format!("no verb nexus {what}").into()),
        };
        self.step(run, input)
    }

    /// What an address elsewhere answers to a callback.
    pub(super) fn callback(&mut self, words: &mut Words) -> Played {
        let what = words.verb()?;
        let run = self.target(words)?;
        let index = words.number("index").unwrap_or(0) as u64;
        let callback = self.world.runs[run].state.callbacks.get(&index);
        let attempt = callback.ok_or("no such callback")?.asking.attempt;
        let answer = match what.as_str() {
            "taken" => CallbackAnswer::Taken,
            "refused" => CallbackAnswer::Refused {
                retryable: !words.flag("final"),
                failure: Box::new(failure(words)),
            },
            _ => return Err(format!("no verb callback {what}").into()),
        };
        self.step(run, Input::CallbackAnswered(index, attempt, answer))
    }

    /// `callback-to=URL`, and `callback-for=` the workflow whose first operation waits.
    pub(super) fn callbacks(&self, words: &mut Words) -> Result<Vec<Callback>, Fault> {
        let mut callbacks = Vec::new();
        if let Some(url) = words.text("callback-to") {
            callbacks.push(callback_to(url, None));
        }
        if let Some(id) = words.text("callback-for") {
            let run = self.world.current(&id).ok_or("no run")?;
            let state = &self.world.runs[run].state;
            let (event, operation) = state.nexus_operations.iter().next().ok_or("no operation")?;
            let token = CallbackToken {
                namespace_id: state.namespace_id.to_string(),
                workflow_id: id,
                run_id: state.run_id.to_string(),
                scheduled_event_id: *event,
                request_id: operation.scheduled.request_id.clone(),
                kind: 0,
            };
            callbacks.push(callback_to(SYSTEM_URL.to_owned(), Some(token)));
        }
        Ok(callbacks)
    }
}

fn callback_to(url: String, token: Option<CallbackToken>) -> Callback {
    let token = token.map(|token| (TOKEN_HEADER.to_owned(), token.encode_header()));
    Callback {
        variant: Some(Variant::Nexus(Nexus {
            url,
            header: token.into_iter().collect(),
        })),
        links: Vec::new(),
    }
}

fn result(words: &mut Words) -> Option<Payload> {
    let payloads = requests::payloads(&words.text("result")?);
    payloads.payloads.into_iter().next()
}

fn failure(words: &mut Words) -> Failure {
    requests::failure_of(&words.text_or("message", "no"))
}

fn refusal(words: &mut Words) -> NexusAnswer {
    let kind = words.text_or("type", "INTERNAL");
    NexusAnswer::Refused {
        retryable: is_retryable(&kind, 0),
        failure: handler_failure(&kind, &words.text_or("message", "no")),
    }
}
