//! This execution's own completion callbacks: what they say, and what becomes of them.

use proto::temporal::api::common::v1::Payload;
use proto::temporal::api::common::v1::link::workflow_event::{
    EventReference, Reference, RequestIdReference,
};
use proto::temporal::api::common::v1::link::{Variant, WorkflowEvent};
use proto::temporal::api::common::v1::{Link, Payloads};
use proto::temporal::api::enums::v1::EventType;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{
    CanceledFailureInfo, Failure, TerminatedFailureInfo, TimeoutFailureInfo,
};
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::update::v1::Outcome;
use proto::temporal::api::update::v1::outcome::Value;

use crate::nexus::asking::{REQUEST_TIMEOUT, backoff};
use crate::nexus::callback::completion_for;
use crate::nexus::failure::handler_failure;
use crate::rejection::Rejection;
use crate::workflow::input::{CallbackAnswer, NexusCompletion, NexusOutcome, PeerAnswer};
use crate::workflow::record::{CallbackAttempted, ChangeKind};
use crate::workflow::state::State;
use crate::workflow::state::callback::{Callback, Phase};
use crate::workflow::step::Step;
use crate::workflow::transition::{CallbackCall, Effect, Reply, Transition};

/// What a callback says; `None` while the execution is open.
pub(crate) fn completion(state: &State, callback: &Callback) -> Option<NexusCompletion> {
    let nexus = callback.nexus()?;
    let outcome = match callback.update {
        Some(_) => of_update(callback.outcome.as_deref()?),
        None => outcome(state)?,
    };
    Some(NexusCompletion {
        start_time: Some(match callback.update {
            Some(_) => callback.registration_time,
            None => state.core.start.time,
        }),
        close_time: state.close_time(),
        links: vec![start_link(state, callback)],
        ..completion_for(nexus, outcome)
    })
}

/// How an update ended, as an operation's result.
fn of_update(outcome: &Outcome) -> NexusOutcome {
    match &outcome.value {
        Some(Value::Success(payloads)) => {
            NexusOutcome::Succeeded(payloads.payloads.first().cloned())
        }
        Some(Value::Failure(failure)) => match failure.failure_info {
            Some(FailureInfo::CanceledFailureInfo(_)) => NexusOutcome::Canceled(failure.clone()),
            _ => NexusOutcome::Failed(failure.clone()),
        },
        None => NexusOutcome::Succeeded(None),
    }
}

/// How the execution ended, as an operation's result.
fn outcome(state: &State) -> Option<NexusOutcome> {
    let first = |payloads: &Option<Payloads>| -> Option<Payload> {
        payloads.as_ref()?.payloads.first().cloned()
    };
    let failure = |message: &str, info| Failure {
        message: message.to_owned(),
        failure_info: Some(info),
        ..Failure::default()
    };
    Some(match state.core.close.as_ref()?.attributes.as_ref()? {
        A::WorkflowExecutionCompletedEventAttributes(a) => {
            NexusOutcome::Succeeded(first(&a.result))
        }
        A::WorkflowExecutionFailedEventAttributes(a) => {
            NexusOutcome::Failed(a.failure.clone().unwrap_or_default())
        }
        A::WorkflowExecutionCanceledEventAttributes(a) => NexusOutcome::Canceled(failure(
            "operation canceled",
            FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
                details: a.details.clone(),
                ..CanceledFailureInfo::default()
            }),
        )),
        A::WorkflowExecutionTerminatedEventAttributes(_) => NexusOutcome::Failed(failure(
            "operation terminated",
            FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default()),
        )),
        A::WorkflowExecutionTimedOutEventAttributes(_) => NexusOutcome::Failed(failure(
            "operation exceeded internal timeout",
            FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo::default()),
        )),
        // A chain that goes on has no result.
        _ => return None,
    })
}

/// Leads back to what the callback came with.
fn start_link(state: &State, callback: &Callback) -> Link {
    let attached = EventType::WorkflowExecutionOptionsUpdated;
    let seen = state.request_ids.get(&*callback.request_id);
    let told = seen.filter(|seen| seen.attached || callback.update.is_some());
    let reference = if let Some(seen) = told {
        let event_type = if seen.attached {
            attached.into()
        } else {
            seen.event_type
        };
        Reference::RequestIdRef(RequestIdReference {
            request_id: callback.request_id.to_string(),
            event_type,
        })
    } else {
        Reference::EventRef(EventReference {
            event_id: 1,
            event_type: EventType::WorkflowExecutionStarted.into(),
        })
    };
    Link {
        variant: Some(Variant::WorkflowEvent(WorkflowEvent {
            namespace: state.core.start.namespace.to_string(),
            workflow_id: state.workflow_id.to_string(),
            run_id: state.run_id.to_string(),
            reference: Some(reference),
        })),
    }
}

/// Calls an address elsewhere. What goes to another execution is a message, and is sent as those are.
pub(crate) fn deliver(step: &mut Step<'_>, index: u64) {
    let Some(callback) = step.state.callbacks.get(&index) else {
        return;
    };
    let Some((nexus, completion)) = callback.nexus().zip(completion(step.state, callback)) else {
        return;
    };
    let call = CallbackCall {
        index,
        attempt: callback.asking.attempt,
        url: nexus.url.clone(),
        header: nexus.header.clone(),
        completion,
        timeout: REQUEST_TIMEOUT,
    };
    step.effects.push(Effect::CallbackCall(Box::new(call)));
    step.state
        .callbacks
        .update(&index, |callback| callback.asking.under_way = true);
}

/// The answer of an address elsewhere.
pub(crate) fn callback_answered(
    mut step: Step<'_>,
    index: u64,
    attempt: i32,
    answer: CallbackAnswer,
) -> Result<Transition, Rejection> {
    let waits = step.state.callbacks.get(&index).is_some_and(|callback| {
        callback.is_to_be_called()
            && callback.asking.attempt == attempt
            && callback.asking.under_way
    });
    if !waits {
        return step.done(Reply::Done);
    }
    let (phase, failure) = match answer {
        CallbackAnswer::Taken => (Phase::Succeeded, None),
        CallbackAnswer::Refused {
            failure,
            retryable: false,
        } => (Phase::Failed, Some(*failure)),
        CallbackAnswer::Refused { failure, .. } => (Phase::Pending, Some(*failure)),
    };
    attempted(&mut step, index, attempt, phase, failure);
    step.done(Reply::Done)
}

/// The answer of another execution.
pub(crate) fn delivered(step: &mut Step<'_>, index: u64, answer: PeerAnswer) {
    let Some(callback) = step.state.callbacks.get(&index) else {
        return;
    };
    let attempt = callback.asking.attempt;
    let (phase, failure) = match answer {
        PeerAnswer::Taken => (Phase::Succeeded, None),
        _ => (
            Phase::Failed,
            Some(handler_failure("NOT_FOUND", "operation not found")),
        ),
    };
    attempted(step, index, attempt, phase, failure);
}

fn attempted(
    step: &mut Step<'_>,
    index: u64,
    attempt: i32,
    phase: Phase,
    failure: Option<Failure>,
) {
    let now = step.time();
    let next = match phase {
        Phase::Pending => now.after(backoff(step.now, attempt + 1)).0,
        Phase::Standby | Phase::Succeeded | Phase::Failed => 0,
    };
    step.change(ChangeKind::CallbackAttempted(Box::new(CallbackAttempted {
        index,
        succeeded: phase == Phase::Succeeded,
        ended_time: now.0,
        next_time: next,
        failure,
    })));
}
