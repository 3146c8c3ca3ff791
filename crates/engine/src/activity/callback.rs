//! Completion callbacks: who is to hear how the activity ended (behaviour, section 6.7). One that goes to another
//! execution of this server is a message, and is sent until it is answered; one that goes elsewhere is a call, and
//! is made again until somebody takes it.

use proto::temporal::api::common::v1::callback::{Nexus, Variant};
use proto::temporal::api::common::v1::link::{Activity, Variant as LinkVariant};
use proto::temporal::api::common::v1::{Callback as Wire, Link};
use proto::temporal::api::failure::v1::Failure;

use super::record::ChangeKind;
use super::state::{Callback, Phase, State, Status};
use super::step::Step;
use crate::nexus::asking::{REQUEST_TIMEOUT, backoff};
use crate::nexus::callback::{CallbackToken, SYSTEM_URL, TOKEN_HEADER, completion_for, message_to};
use crate::nexus::failure::handler_failure;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::input::{CallbackAnswer, NexusCompletion, NexusOutcome, PeerAnswer};
use crate::workflow::record::CallbackAttempted;
use crate::workflow::transition::{CallbackCall, Effect, Reply, Send};

impl Callback {
    /// One that waits for the end.
    pub(super) fn new(callback: &Wire, request_id: &str, time: i64) -> Self {
        Self {
            callback: Some(callback.clone()),
            request_id: request_id.to_owned(),
            registration_time: time,
            phase: Phase::Standby as i32,
            ..Self::default()
        }
    }

    /// Its address and headers.
    pub(crate) fn nexus(&self) -> Option<&Nexus> {
        match self.callback.as_ref()?.variant.as_ref()? {
            Variant::Nexus(nexus) => Some(nexus),
            Variant::Internal(_) | Variant::NexusHandler(_) => None,
        }
    }

    fn is_internal(&self) -> bool {
        self.nexus().is_some_and(|nexus| nexus.url == SYSTEM_URL)
    }

    /// It is a message that was not answered yet.
    pub(super) fn is_message(&self) -> bool {
        self.phase() == Phase::Pending && self.is_internal()
    }

    /// It goes elsewhere, and has not been taken.
    pub(super) fn is_to_be_called(&self) -> bool {
        self.phase() == Phase::Pending && !self.is_internal()
    }

    /// The activity has ended: it is to be delivered, unless it says to nobody whom it is for.
    pub(super) fn release(&mut self, time: i64) {
        let token = self
            .nexus()
            .and_then(|nexus| nexus.header.get(TOKEN_HEADER));
        let known = token.is_some_and(|text| CallbackToken::decode_header(text).is_some());
        if self.is_internal() && !known {
            let failure = handler_failure("BAD_REQUEST", "invalid callback token");
            self.attempted(Phase::Failed, time, 0, Some(failure));
        } else {
            self.phase = Phase::Pending as i32;
            self.due = time;
        }
    }

    /// An attempt to deliver it has ended.
    pub(super) fn attempted(&mut self, phase: Phase, at: i64, due: i64, failure: Option<Failure>) {
        self.attempt += 1;
        self.phase = phase as i32;
        self.last_complete_time = at;
        self.last_failure = failure;
        self.due = due;
    }
}

/// Everything that is to be said to other executions and was not answered yet.
pub(super) fn messages(state: &State) -> Vec<Effect> {
    let callbacks = (0..).zip(&state.core.callbacks);
    callbacks
        .filter(|(_, callback)| callback.is_message())
        .filter_map(|(index, callback)| message(state, index, callback))
        .map(Effect::Send)
        .collect()
}

fn message(state: &State, index: u64, callback: &Callback) -> Option<Send> {
    let nexus = callback.nexus()?;
    message_to(nexus, index, completion(state, nexus)?)
}

/// Calls the addresses elsewhere whose time has come.
pub(super) fn call_due(step: &mut Step<'_>) {
    let now = step.time();
    let callbacks = (0..).zip(&step.state.core.callbacks);
    let due: Vec<CallbackCall> = callbacks
        .filter(|(index, callback)| {
            callback.is_to_be_called()
                && callback.due <= now.0
                && !step.state.calling.contains(index)
        })
        .filter_map(|(index, callback)| {
            let nexus = callback.nexus()?;
            Some(CallbackCall {
                index,
                attempt: callback.attempt,
                url: nexus.url.clone(),
                header: nexus.header.clone(),
                completion: completion(step.state, nexus)?,
                timeout: REQUEST_TIMEOUT,
            })
        })
        .collect();
    for call in due {
        step.state.calling.insert(call.index);
        step.effect(Effect::CallbackCall(Box::new(call)));
    }
}

/// The answer of an address elsewhere.
pub(super) fn called(
    step: &mut Step<'_>,
    index: u64,
    attempt: i32,
    answer: CallbackAnswer,
) -> Result<Reply, Rejection> {
    let waits = step.state.callback(index).is_some_and(|callback| {
        callback.is_to_be_called()
            && callback.attempt == attempt
            && step.state.calling.contains(&index)
    });
    if waits {
        let (phase, failure) = match answer {
            CallbackAnswer::Taken => (Phase::Succeeded, None),
            CallbackAnswer::Refused {
                failure,
                retryable: false,
            } => (Phase::Failed, Some(*failure)),
            CallbackAnswer::Refused { failure, .. } => (Phase::Pending, Some(*failure)),
        };
        attempted(step, index, attempt, phase, failure);
    }
    Ok(Reply::Done)
}

/// The answer of another execution. One that comes twice finds its message answered.
pub(super) fn delivered(
    step: &mut Step<'_>,
    index: u64,
    answer: PeerAnswer,
) -> Result<Reply, Rejection> {
    let callback = step.state.callback(index);
    if let Some(attempt) = callback.filter(|c| c.is_message()).map(|c| c.attempt) {
        let (phase, failure) = match answer {
            PeerAnswer::Taken => (Phase::Succeeded, None),
            _ => {
                let failure = handler_failure("NOT_FOUND", "operation not found");
                (Phase::Failed, Some(failure))
            }
        };
        attempted(step, index, attempt, phase, failure);
    }
    Ok(Reply::Done)
}

fn attempted(
    step: &mut Step<'_>,
    index: u64,
    attempt: i32,
    phase: Phase,
    failure: Option<Failure>,
) {
    let now = step.time();
    let next_time = match phase {
        Phase::Pending => now.after(backoff(step.now, attempt + 1)).0,
        Phase::Standby | Phase::Succeeded | Phase::Failed => 0,
    };
    step.change(ChangeKind::CallbackAttempted(Box::new(CallbackAttempted {
        index,
        succeeded: phase == Phase::Succeeded,
        ended_time: now.0,
        next_time,
        failure,
    })));
}

/// What a callback says; `None` while the activity is open.
fn completion(state: &State, nexus: &Nexus) -> Option<NexusCompletion> {
    let core = &state.core;
    let failure = || core.failure.clone().unwrap_or_default();
    let outcome = match state.status() {
        Status::Completed => {
            let payloads = core.result.as_ref().map(|result| &result.payloads);
            NexusOutcome::Succeeded(payloads.and_then(|payloads| payloads.first().cloned()))
        }
        Status::Canceled => NexusOutcome::Canceled(failure()),
        Status::Failed | Status::Terminated | Status::TimedOut => NexusOutcome::Failed(failure()),
        _ => return None,
    };
    let link = Activity {
        namespace: core.namespace.clone(),
        activity_id: state.activity_id.to_string(),
        run_id: state.run_id.to_string(),
    };
    Some(NexusCompletion {
        start_time: Some(Timestamp(core.schedule_time)),
        close_time: state.close_time(),
        links: vec![Link {
            variant: Some(LinkVariant::Activity(link)),
        }],
        ..completion_for(nexus, outcome)
    })
}

/// Refuses callbacks that an activity has no room for.
pub(super) fn check_room(state: &State, more: usize, max: usize) -> Result<(), Rejection> {
    let there = state.core.callbacks.len();
    if there + more > max {
        return Err(Rejection::FailedPrecondition(format!(
            "cannot attach more than {max} callbacks to an activity ({there} callbacks already attached)"
        )));
    }
    Ok(())
}
