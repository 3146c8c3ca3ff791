//! The verbs of stories about standalone Nexus operations.

use std::fmt::Write as _;

use proto::temporal::api::common::v1::Payload;
use proto::temporal::api::enums::v1::{
    NexusOperationExecutionStatus, NexusOperationIdConflictPolicy, NexusOperationIdReusePolicy,
};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::nexus::v1::request::Variant;
use proto::temporal::api::workflowservice::v1::{
    RequestCancelNexusOperationExecutionRequest, StartNexusOperationExecutionRequest,
};

use super::world::{Outcome, World};
use crate::nexus::failure::{handler_failure, is_retryable};
use crate::nexus_operation::record::ChangeKind;
use crate::nexus_operation::start::Start;
use crate::nexus_operation::{Input, Terminate};
use crate::time::Timestamp;
use crate::workflow::input::{NexusAnswer, NexusCompletion, NexusOutcome};
use crate::workflow::tests::words::{self, Words};

/// A story under way.
#[derive(Default)]
pub(super) struct Script {
    pub(super) world: World,
}

impl Script {
    /// Plays a line; what it did, in words.
    pub(super) fn play(&mut self, line: &str) -> Result<String, String> {
        let mut words = Words::parse(line)?;
        let verb = words.verb()?;
        let before = self.world.state.as_ref().map(|state| state.status());
        let mut text = match verb.as_str() {
            "start" => self.start(&mut words),
            "clock" => {
                let by = words.verb()?;
                let by = words::span(by.trim_start_matches('+'));
                let at = self.world.now.time.after(by);
                show(&self.world.until(at))
            }
            "crash" => {
                self.world.crash();
                String::new()
            }
            "handler" => {
                let input = self.handler(&mut words)?;
                show(&self.world.step(input))
            }
            client => {
                let input = client_input(client, &mut words)?;
                show(&self.world.step(input))
            }
        };
        words.end()?;
        if let Some(state) = &self.world.state {
            let now = self.world.now.time;
            if before != Some(state.status()) {
                let attempt = state.attempt(now);
                let _ = writeln!(text, "now {:?} attempt={attempt}", state.status());
            }
            match state.next_deadline() {
                Some(at) => {
                    let _ = writeln!(text, "deadline +{:.1?}", at.since(now));
                }
                None => text.push_str("deadline none\n"),
            }
        }
        Ok(text)
    }

    fn start(&mut self, words: &mut Words) -> String {
        let (reply, outcome) = self.world.start(start_request(words));
        let mut text = show(&outcome);
        if reply.is_some_and(|reply| !reply.started) {
            text.push_str("found\n");
        }
        text
    }

    fn handler(&mut self, words: &mut Words) -> Result<Input, String> {
        let verb = words.verb()?;
        let state = self.world.state.as_ref().ok_or("nothing was started")?;
        let operation = &state.operation;
        let given = words.number("attempt").map(|attempt| attempt as i32);
        let to_start = given.unwrap_or(operation.start.attempt);
        let cancellation = operation.cancellation.as_ref();
        let to_cancel = given.unwrap_or(cancellation.map_or(0, |c| c.asking.attempt));
        let request_id = &operation.scheduled.request_id;
        let links = Vec::new();
        let answer = |answer| Input::StartAnswered(to_start, Box::new(answer));
        Ok(match verb.as_str() {
            "starts" => answer(NexusAnswer::Started {
                token: words.text_or("token", "tok"),
                links,
            }),
            "succeeds" => answer(NexusAnswer::Ended {
                outcome: NexusOutcome::Succeeded(Some(result(words))),
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
                Input::CancelAnswered(to_cancel, Box::new(taken))
            }
            "refuses-cancel" => Input::CancelAnswered(to_cancel, Box::new(refusal(words))),
            "completes" => Input::Completed(Box::new(NexusCompletion {
                scheduled_event_id: 0,
                request_id: words.text_or("request", request_id),
                operation_token: words.text_or("token", ""),
                start_time: None,
                close_time: None,
                links,
                outcome: if words.flag("canceled") {
                    NexusOutcome::Canceled(failure(words))
                } else {
                    NexusOutcome::Succeeded(Some(result(words)))
                },
            })),
            other => return Err(format!("a handler cannot {other}")),
        })
    }
}

fn start_request(words: &mut Words) -> Start {
    let conflict = match words.text_or("conflict", "fail").as_str() {
        "use" => NexusOperationIdConflictPolicy::UseExisting,
        _ => NexusOperationIdConflictPolicy::Fail,
    };
    let reuse = match words.text_or("reuse", "allow").as_str() {
        "failed" => NexusOperationIdReusePolicy::AllowDuplicateFailedOnly,
        "reject" => NexusOperationIdReusePolicy::RejectDuplicate,
        _ => NexusOperationIdReusePolicy::AllowDuplicate,
    };
    let request = StartNexusOperationExecutionRequest {
        namespace: "n".to_owned(),
        operation_id: "o".to_owned(),
        endpoint: "ep".to_owned(),
        service: "svc".to_owned(),
        operation: "op".to_owned(),
        request_id: words.text_or("request", "start"),
        schedule_to_close_timeout: words.wire_span("s2c"),
        schedule_to_start_timeout: words.wire_span("s2s"),
        start_to_close_timeout: words.wire_span("stc"),
        id_conflict_policy: conflict.into(),
        id_reuse_policy: reuse.into(),
        ..StartNexusOperationExecutionRequest::default()
    };
    Start {
        request,
        endpoint_id: "e1".to_owned(),
    }
}

fn client_input(verb: &str, words: &mut Words) -> Result<Input, String> {
    let request_id = words.text_or("request", "");
    let reason = words.text_or("reason", "");
    let identity = "client".to_owned();
    Ok(match verb {
        "cancel" => Input::RequestCancel(Box::new(RequestCancelNexusOperationExecutionRequest {
            request_id,
            reason,
            identity,
            ..RequestCancelNexusOperationExecutionRequest::default()
        })),
        "delete" => Input::Delete,
        "terminate" => Input::Terminate(Terminate {
            reason,
            identity,
            request_id,
        }),
        other => return Err(format!("nobody can {other}")),
    })
}

fn result(words: &mut Words) -> Payload {
    Payload {
        data: words.text_or("result", "out").into(),
        ..Payload::default()
    }
}

fn failure(words: &mut Words) -> Failure {
    Failure {
        message: words.text_or("message", "boom"),
        ..Failure::default()
    }
}

fn refusal(words: &mut Words) -> NexusAnswer {
    let error_type = words.text_or("type", "INTERNAL");
    NexusAnswer::Refused {
        failure: handler_failure(&error_type, &words.text_or("message", "no")),
        retryable: is_retryable(&error_type, 0),
    }
}

/// What a step did, in words.
fn show(outcome: &Outcome) -> String {
    let mut text = String::new();
    for change in &outcome.changes {
        if let Some(kind) = &change.kind {
            let _ = writeln!(text, "* {}", show_change(kind));
        }
    }
    if let Some(rejection) = &outcome.refused {
        let _ = writeln!(text, "refused: {rejection}");
    }
    for call in &outcome.calls {
        let what = match &call.request.variant {
            Some(Variant::CancelOperation(cancel)) => format!("cancel {}", cancel.operation_token),
            _ => "start".to_owned(),
        };
        let (attempt, timeout) = (call.attempt, call.timeout);
        let _ = writeln!(text, "asks to {what} attempt={attempt} within={timeout:?}");
    }
    text
}

fn show_failure(failure: Option<&Failure>) -> String {
    let Some(failure) = failure else {
        return "none".to_owned();
    };
    match &failure.failure_info {
        Some(FailureInfo::TimeoutFailureInfo(info)) => {
            format!("{:?} {:?}", failure.message, info.timeout_type())
        }
        _ => format!("{:?}", failure.message),
    }
}

fn show_change(kind: &ChangeKind) -> String {
    match kind {
        ChangeKind::Created(_) => "created".to_owned(),
        ChangeKind::AttemptFailed(failed) => {
            let what = if failed.cancel { "cancel" } else { "start" };
            let wait = Timestamp(failed.next_time).since(Timestamp(failed.ended_time));
            let failure = show_failure(failed.failure.as_ref());
            format!("{what} attempt failed {failure} next after {wait:.1?}")
        }
        ChangeKind::Started(started) => format!("started token={}", started.token),
        ChangeKind::CancelRequested(request) => format!("cancel requested {}", request.reason),
        ChangeKind::CancelEnded(ended) => {
            format!("cancel ended {}", show_failure(ended.failure.as_ref()))
        }
        ChangeKind::Closed(closed) => {
            let status = NexusOperationExecutionStatus::try_from(closed.status).unwrap_or_default();
            let end = match &closed.result {
                Some(result) => String::from_utf8_lossy(&result.data).into_owned(),
                None => show_failure(closed.failure.as_ref()),
            };
            let by = if closed.of_attempt {
                " by the attempt"
            } else {
                ""
            };
            format!("closed {status:?} {end}{by}")
        }
        ChangeKind::Attached(_) => "attached".to_owned(),
        ChangeKind::Deleting(_) => "deleting".to_owned(),
    }
}
