//! The verbs of stories about standalone activities.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::callback::{Nexus, Variant};
use proto::temporal::api::common::v1::{
    ActivityType, Callback, OnConflictOptions, Payload, Payloads, RetryPolicy,
};
use proto::temporal::api::enums::v1::{
    ActivityExecutionStatus, ActivityIdConflictPolicy, ActivityIdReusePolicy, RetryState,
};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::{
    PauseActivityExecutionRequest, RequestCancelActivityExecutionRequest,
    ResetActivityExecutionRequest, StartActivityExecutionRequest, UnpauseActivityExecutionRequest,
    UpdateActivityExecutionOptionsRequest,
};

use super::world::{Outcome, START, World};
use crate::activity::record::ChangeKind;
use crate::activity::{Input, Terminate};
use crate::nexus::callback::{CallbackToken, SYSTEM_URL, TOKEN_HEADER};
use crate::rejection::Rejection;
use crate::retry::{self, timeouts};
use crate::time::{duration, wire};
use crate::workflow::input::{
    ActivityFailed, ActivityTarget, CallbackAnswer, NexusOutcome, Peer, PeerAnswer,
};
use crate::workflow::tests::words::{self, Words};
use crate::workflow::token;
use crate::workflow::transition::{Effect, Reply};

/// A story under way.
#[derive(Default)]
pub(super) struct Script {
    pub(super) world: World,
    claims: u32,
}

impl Script {
    /// Plays a line; what it did, in words.
    pub(super) fn play(&mut self, line: &str) -> Result<String, String> {
        let mut words = Words::parse(line)?;
        let verb = words.verb()?;
        let before = self.world.state.as_ref().map(|state| state.status());
        let mut text = match verb.as_str() {
            "start" => self.start(&mut words)?,
            "worker" => self.worker(&mut words)?,
            "callback" | "peer" => {
                let input = told(&verb, &mut words, &self.world)?;
                show(&self.world.step(input))
            }
            "clock" => {
                let by = words.verb()?;
                let by = words::span(by.trim_start_matches('+'));
                let at = self.world.now.time.after(by);
                let outcome = self.world.until(at);
                show(&outcome)
            }
            "crash" => {
                let effects = self.world.crash();
                show(&Outcome {
                    effects,
                    ..Outcome::default()
                })
            }
            client => {
                let input = client_input(client, &mut words)?;
                show(&self.world.step(input))
            }
        };
        words.end()?;
        if let Some(state) = &self.world.state {
            if before != Some(state.status()) {
                let _ = writeln!(
                    text,
                    "now {:?} attempt={}",
                    state.status(),
                    state.core.attempt
                );
            }
            match state.next_deadline() {
                Some(at) => {
                    let from = at.since(self.world.now.time);
                    let _ = writeln!(text, "deadline +{from:?}");
                }
                None => text.push_str("deadline none\n"),
            }
        }
        Ok(text)
    }

    fn start(&mut self, words: &mut Words) -> Result<String, String> {
        let request = start_request(words)?;
        let (reply, outcome) = self.world.start(request);
        let mut text = show(&outcome);
        match reply {
            Ok(reply) if reply.started => {}
            Ok(_) => text.push_str("found\n"),
            Err(rejection) => text.push_str(&refused(&rejection)),
        }
        Ok(text)
    }

    fn worker(&mut self, words: &mut Words) -> Result<String, String> {
        let verb = words.verb()?;
        if verb == "polls" {
            let again = words.flag("again");
            let offer = match words.number("offer") {
                Some(index) => self.world.offers.get(usize::try_from(index).unwrap_or(0)),
                None => self.world.offers.last(),
            };
            let offer = offer.cloned().ok_or("nothing was offered")?;
            self.claims += u32::from(!again);
            let outcome = self.world.claim(&offer, &format!("claim-{}", self.claims));
            return Ok(show(&outcome));
        }
        let target = if words.flag("by-id") {
            ActivityTarget::Id("a".to_owned())
        } else {
            let tasks = &self.world.tasks;
            let task = match words.number("task") {
                Some(index) => tasks.get(usize::try_from(index).unwrap_or(0)),
                None => tasks.last(),
            };
            let task = task.ok_or("no task was handed out")?;
            let token = token::activity_task(&task.task_token).map_err(|e| e.to_string())?;
            ActivityTarget::Token(token)
        };
        let details = words.text("details").map(|text| payloads(&text));
        let identity = "worker".to_owned();
        let input = match verb.as_str() {
            "heartbeats" => Input::Heartbeat(target, details, identity),
            "completes" => {
                let result = words.text("result").map(|text| payloads(&text));
                Input::Completed(target, result, identity)
            }
            "cancels" => Input::Canceled(target, details, identity),
            "fails" => Input::Failed(
                target,
                Box::new(ActivityFailed {
                    failure: (!words.flag("silently")).then(|| failure(words)),
                    last_heartbeat_details: details,
                    identity,
                    worker_version: None,
                }),
            ),
            other => return Err(format!("a worker cannot {other}")),
        };
        Ok(show(&self.world.step(input)))
    }
}

/// What somebody who was told how it ended answers.
fn told(by: &str, words: &mut Words, world: &World) -> Result<Input, String> {
    let what = words.verb()?;
    let index = words.number("index").unwrap_or(0) as u64;
    let state = world.state.as_ref().ok_or("nothing was started")?;
    let attempt = state.callback(index).ok_or("no such callback")?.attempt;
    Ok(match (by, what.as_str()) {
        ("peer", "taken") => Input::PeerAnswer(index, PeerAnswer::Taken),
        ("peer", "missing") => Input::PeerAnswer(index, PeerAnswer::NotFound),
        ("callback", "taken") => Input::CallbackAnswered(index, attempt, CallbackAnswer::Taken),
        ("callback", "refused") => {
            let answer = CallbackAnswer::Refused {
                retryable: !words.flag("final"),
                failure: Box::new(failure(words)),
            };
            Input::CallbackAnswered(index, attempt, answer)
        }
        _ => return Err(format!("a {by} cannot be {what}")),
    })
}

/// `callback-to=` an address, and `callback-for=` an operation of another execution.
fn callbacks(words: &mut Words) -> Vec<Callback> {
    let callback = |url: String, header: BTreeMap<String, String>| Callback {
        variant: Some(Variant::Nexus(Nexus { url, header })),
        links: Vec::new(),
    };
    let mut callbacks = Vec::new();
    if let Some(url) = words.text("callback-to") {
        callbacks.push(callback(url, BTreeMap::new()));
    }
    if let Some(workflow_id) = words.text("callback-for") {
        let token = CallbackToken {
            namespace_id: uuid::Uuid::from_u128(1).to_string(),
            workflow_id,
            run_id: String::new(),
            scheduled_event_id: 5,
            request_id: "op".to_owned(),
            kind: 0,
        };
        let header = [(TOKEN_HEADER.to_owned(), token.encode_header())];
        callbacks.push(callback(SYSTEM_URL.to_owned(), header.into()));
    }
    callbacks
}

fn start_request(words: &mut Words) -> Result<StartActivityExecutionRequest, String> {
    let asked = timeouts::ActivityTimeouts::from_wire(
        words.wire_span("s2c").as_ref(),
        words.wire_span("s2s").as_ref(),
        words
            .wire_span("stc")
            .or(Some(wire(std::time::Duration::from_secs(60))))
            .as_ref(),
        words.wire_span("hb").as_ref(),
    );
    let normal = asked
        .and_then(|asked| timeouts::normalise(asked, std::time::Duration::ZERO, "a", "A"))
        .map_err(|error| error.to_string())?;
    let policy = RetryPolicy {
        maximum_attempts: i32::try_from(words.number("attempts").unwrap_or(0)).unwrap_or(0),
        initial_interval: words.wire_span("interval"),
        ..RetryPolicy::default()
    };
    let conflict = match words.text_or("conflict", "fail").as_str() {
        "use" => ActivityIdConflictPolicy::UseExisting,
        _ => ActivityIdConflictPolicy::Fail,
    };
    let reuse = match words.text_or("reuse", "allow").as_str() {
        "failed" => ActivityIdReusePolicy::AllowDuplicateFailedOnly,
        "reject" => ActivityIdReusePolicy::RejectDuplicate,
        _ => ActivityIdReusePolicy::AllowDuplicate,
    };
    let attach = words.flag("attach");
    Ok(StartActivityExecutionRequest {
        completion_callbacks: callbacks(words),
        on_conflict_options: Some(OnConflictOptions {
            attach_request_id: attach,
            attach_completion_callbacks: attach,
            attach_links: attach,
        }),
        namespace: "n".to_owned(),
        activity_id: "a".to_owned(),
        activity_type: Some(ActivityType {
            name: "A".to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "q".to_owned(),
            ..TaskQueue::default()
        }),
        request_id: words.text_or("request", "start"),
        input: Some(payloads("in")),
        schedule_to_close_timeout: Some(wire(normal.schedule_to_close)),
        schedule_to_start_timeout: Some(wire(normal.schedule_to_start)),
        start_to_close_timeout: Some(wire(normal.start_to_close)),
        heartbeat_timeout: Some(wire(normal.heartbeat)),
        retry_policy: Some(retry::with_defaults(&policy)),
        start_delay: words.wire_span("delay"),
        id_conflict_policy: conflict.into(),
        id_reuse_policy: reuse.into(),
        ..StartActivityExecutionRequest::default()
    })
}

fn client_input(verb: &str, words: &mut Words) -> Result<Input, String> {
    let request_id = words.text_or("request", "");
    let reason = words.text_or("reason", "");
    let identity = "client".to_owned();
    Ok(match verb {
        "cancel" => Input::RequestCancel(Box::new(RequestCancelActivityExecutionRequest {
            request_id,
            reason,
            identity,
            ..RequestCancelActivityExecutionRequest::default()
        })),
        "terminate" => Input::Terminate(Terminate {
            reason,
            identity,
            request_id,
        }),
        "delete" => Input::Delete,
        "pause" => Input::Pause(Box::new(PauseActivityExecutionRequest {
            request_id,
            reason,
            identity,
            ..PauseActivityExecutionRequest::default()
        })),
        "unpause" => Input::Unpause(Box::new(UnpauseActivityExecutionRequest {
            request_id,
            jitter: words.wire_span("jitter"),
            ..UnpauseActivityExecutionRequest::default()
        })),
        "reset" => Input::Reset(Box::new(ResetActivityExecutionRequest {
            request_id,
            keep_paused: words.flag("keep-paused"),
            reset_heartbeat: words.flag("heartbeat"),
            restore_original_options: words.flag("options"),
            ..ResetActivityExecutionRequest::default()
        })),
        "update" => {
            let mut paths = Vec::new();
            let mut options = ActivityOptions::default();
            if let Some(span) = words.wire_span("stc") {
                paths.push("start_to_close_timeout".to_owned());
                options.start_to_close_timeout = Some(span);
            }
            if let Some(span) = words.wire_span("interval") {
                paths.push("retryPolicy.initialInterval".to_owned());
                options.retry_policy = Some(RetryPolicy {
                    initial_interval: Some(span),
                    ..RetryPolicy::default()
                });
            }
            if let Some(span) = words.wire_span("delay") {
                paths.push("start_delay".to_owned());
                options.start_delay = Some(span);
            }
            if let Some(name) = words.text("queue") {
                paths.push("task_queue.name".to_owned());
                options.task_queue = Some(TaskQueue {
                    name,
                    ..TaskQueue::default()
                });
            }
            Input::UpdateOptions(Box::new(UpdateActivityExecutionOptionsRequest {
                request_id,
                restore_original: words.flag("original"),
                update_mask: Some(proto::FieldMask { paths }),
                activity_options: Some(options),
                ..UpdateActivityExecutionOptionsRequest::default()
            }))
        }
        other => return Err(format!("nobody can {other}")),
    })
}

fn failure(words: &mut Words) -> Failure {
    Failure {
        message: words.text_or("message", "boom"),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                non_retryable: words.flag("for-good"),
                next_retry_delay: words.wire_span("delay"),
                ..ApplicationFailureInfo::default()
            },
        )),
        ..Failure::default()
    }
}

fn payloads(text: &str) -> Payloads {
    Payloads {
        payloads: vec![Payload {
            data: text.to_owned().into(),
            ..Payload::default()
        }],
    }
}

fn text_of(payloads: Option<&Payloads>) -> String {
    let data = payloads.and_then(|payloads| payloads.payloads.first());
    data.map_or_else(String::new, |payload| {
        String::from_utf8_lossy(&payload.data).into_owned()
    })
}

fn refused(rejection: &Rejection) -> String {
    format!("refused: {rejection}\n")
}

/// What a step did, in words.
fn show(outcome: &Outcome) -> String {
    let mut text = String::new();
    for change in &outcome.changes {
        if let Some(kind) = &change.kind {
            let _ = writeln!(text, "* {}", show_change(kind));
        }
    }
    match &outcome.reply {
        Some(Err(rejection)) => text.push_str(&refused(rejection)),
        Some(Ok(Reply::ActivityOptions(options))) => {
            let stc = duration(options.start_to_close_timeout.as_ref());
            let queue = options.task_queue.clone().unwrap_or_default().name;
            let _ = writeln!(text, "options queue={queue} stc={stc:?}");
        }
        Some(Ok(Reply::ActivityTask(task))) => {
            let details = text_of(task.heartbeat_details.as_ref());
            let _ = writeln!(text, "task attempt={} details={details}", task.attempt);
        }
        Some(Ok(Reply::Heartbeat {
            cancel_requested,
            activity_paused,
            activity_reset,
        })) => {
            let _ = writeln!(
                text,
                "told cancel={cancel_requested} paused={activity_paused} reset={activity_reset}"
            );
        }
        _ => {}
    }
    for effect in &outcome.effects {
        let _ = match effect {
            Effect::OfferActivityTask(offer) => {
                let at = offer.scheduled_time.since(START);
                let (queue, attempt) = (&offer.task_queue, offer.attempt);
                writeln!(
                    text,
                    "offered queue={queue} attempt={attempt} ready=+{at:?}"
                )
            }
            Effect::CallbackCall(call) => {
                let outcome = show_outcome(&call.completion.outcome);
                let (url, attempt) = (&call.url, call.attempt);
                writeln!(text, "call {url} attempt={attempt} {outcome}")
            }
            Effect::Send(send) => match &send.message {
                Peer::NexusOperationCompleted(completion) => {
                    let outcome = show_outcome(&completion.outcome);
                    let (seq, to) = (send.seq, &send.workflow_id);
                    writeln!(text, "send seq={seq} to={to} {outcome}")
                }
                other => writeln!(text, "send {other:?}"),
            },
            other => writeln!(text, "{other:?}"),
        };
    }
    text
}

fn show_outcome(outcome: &NexusOutcome) -> String {
    match outcome {
        NexusOutcome::Succeeded(payload) => {
            let data = payload.clone().unwrap_or_default().data;
            format!("result={}", String::from_utf8_lossy(&data))
        }
        NexusOutcome::Failed(failure) => format!("failed {}", show_failure(Some(failure))),
        NexusOutcome::Canceled(failure) => format!("canceled {}", show_failure(Some(failure))),
    }
}

fn show_failure(failure: Option<&Failure>) -> String {
    failure.map_or_else(
        || "none".to_owned(),
        |failure| match &failure.cause {
            Some(cause) => format!("{:?} because {:?}", failure.message, cause.message),
            None => format!("{:?}", failure.message),
        },
    )
}

fn show_change(kind: &ChangeKind) -> String {
    match kind {
        ChangeKind::Created(created) => {
            let request = created.request.clone().unwrap_or_default();
            let span = |wire: Option<proto::Duration>| duration(wire.as_ref());
            format!(
                "created s2c={:?} s2s={:?} stc={:?} hb={:?}",
                span(request.schedule_to_close_timeout),
                span(request.schedule_to_start_timeout),
                span(request.start_to_close_timeout),
                span(request.heartbeat_timeout)
            )
        }
        ChangeKind::Started(started) => format!("started by={}", started.identity),
        ChangeKind::Heartbeat(beat) => format!("heartbeat {}", text_of(beat.details.as_ref())),
        ChangeKind::AttemptEnded(ended) => format!(
            "attempt ended {} next after {:?}",
            show_failure(ended.failure.as_ref()),
            std::time::Duration::from_nanos(u64::try_from(ended.interval).unwrap_or(0))
        ),
        ChangeKind::Closed(closed) => {
            let status = ActivityExecutionStatus::try_from(closed.status).unwrap_or_default();
            let retry = RetryState::try_from(closed.retry_state).unwrap_or_default();
            let end = match &closed.failure {
                None => format!("result={}", text_of(closed.result.as_ref())),
                failure => show_failure(failure.as_ref()),
            };
            format!("closed {status:?} {end} {retry:?}")
        }
        ChangeKind::CancelRequested(request) => format!("cancel requested {}", request.reason),
        ChangeKind::Paused(request) => format!("paused {}", request.reason),
        ChangeKind::Unpaused(_) => "unpaused".to_owned(),
        ChangeKind::Reset(_) => "reset".to_owned(),
        ChangeKind::OptionsUpdated(_) => "options updated".to_owned(),
        ChangeKind::Attached(_) => "attached".to_owned(),
        ChangeKind::CallbackAttempted(attempted) => format!(
            "callback index={} succeeded={} {}",
            attempted.index,
            attempted.succeeded,
            show_failure(attempted.failure.as_ref())
        ),
        ChangeKind::Deleting(_) => "deleting".to_owned(),
    }
}
