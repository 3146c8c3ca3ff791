//! How far updates have come, and what becomes of them when their run moves on (behaviour, section 7).

use std::sync::Arc;

use proto::temporal::api::enums::v1::UpdateAdmittedEventOrigin;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use proto::temporal::api::history::v1::WorkflowExecutionUpdateAdmittedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::protocol::v1::Message;
use proto::temporal::api::protocol::v1::message::SequencingId;
use proto::temporal::api::update::v1::{Outcome, Request, outcome};

use super::record::{ChangeKind, UpdateRefused};
use super::state::State;
use super::state::update::PendingUpdate;
use super::step::Step;
use crate::ids::EventId;
use crate::rejection::Rejection;

/// A new update, or a known one sent again.
#[derive(Clone, Debug)]
pub struct UpdateWorkflow {
    /// When not empty, the chain that must be the current one.
    pub first_execution_run_id: String,
    /// The update; its id is set.
    pub request: Request,
}

/// How far an update has come.
#[derive(Clone, Debug, PartialEq)]
pub enum UpdateStage {
    /// It waits for the workflow to accept or reject it.
    Admitted,
    /// The workflow works on it.
    Accepted,
    /// It has its outcome, which this event tells.
    CompletedAt(EventId),
    /// It has this outcome: completed or rejected just now, or cut off by the end of its run.
    Completed(Box<Outcome>),
    /// It will never be accepted.
    Aborted(Rejection),
}

/// An update has come further.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateNews {
    /// The caller's id for it.
    pub update_id: Arc<str>,
    /// How far.
    pub stage: UpdateStage,
}

/// How far an update has come; `None` for one that is not known: never sent, rejected, or forgotten.
pub fn update_stage(state: &State, update_id: &str) -> Option<UpdateStage> {
    if let Some(completed) = state.completed_updates.get(update_id) {
        return Some(UpdateStage::CompletedAt(completed.0));
    }
    match state.updates.get(update_id) {
        Some(PendingUpdate::Accepted(_)) if state.is_open() => Some(UpdateStage::Accepted),
        Some(PendingUpdate::Accepted(_)) => Some(cut_off()),
        Some(PendingUpdate::Admitted(_)) if !state.is_open() => {
            Some(UpdateStage::Aborted(Rejection::UpdateAborted))
        }
        Some(PendingUpdate::Admitted(_)) => Some(UpdateStage::Admitted),
        None => state
            .admitted_update(update_id)
            .map(|_| UpdateStage::Admitted),
    }
}

/// How an update of a discarded tail of history comes into the run that a reset opens (behaviour, section
/// 6.5): what to write there for one of the tail's events, in the order of the tail; nothing for events of
/// other kinds.
///
/// - An accepted update begins anew: it is admitted once more, with the request that its event carries, and
///   its origin is REAPPLY. Whether it was completed in the tail does not matter; that event is not carried
///   over.
/// - An update that an event admitted (in an earlier reset) is admitted again as it was. The event that
///   accepted it carries no request, and gives nothing here.
/// - An update that the new run knows already (`known`: [`update_stage`] is some) gives nothing.
///
/// Writing the event is all that is needed: the new run's fold ([`State`]) then waits for the update's answer,
/// which the first workflow task must bring; the worker reads the request from the event, so no message goes
/// with the task. Updates that were admitted in memory only are not part of history: their callers are told
/// that the run has closed, and send them again.
pub fn readmitted(
    attributes: &Attributes,
    known: impl Fn(&str) -> bool,
) -> Option<WorkflowExecutionUpdateAdmittedEventAttributes> {
    let (request, origin) = match attributes {
        Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(a) => (&a.request, a.origin),
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(a) => (
            &a.accepted_request,
            UpdateAdmittedEventOrigin::Reapply as i32,
        ),
        _ => return None,
    };
    let request = request.as_ref()?;
    let id = &request.meta.as_ref()?.update_id;
    (!known(id)).then(|| WorkflowExecutionUpdateAdmittedEventAttributes {
        request: Some(request.clone()),
        origin,
    })
}

/// The name of the message that carries an update's request to a worker.
pub(crate) fn message_id(update_id: &str) -> String {
    format!("{update_id}/request")
}

/// The full name of an update's message type on the wire, by its short one.
pub(crate) fn type_url(name: &str) -> String {
    format!("type.googleapis.com/{PROTOCOL}.{name}")
}

/// The only protocol of messages.
pub(crate) const PROTOCOL: &str = "temporal.api.update.v1";

/// Whether some update has yet to be sent to a worker.
pub(crate) fn any_to_send(state: &State) -> bool {
    state.volatile.admitted.iter().any(|update| !update.sent)
}

/// The messages for a workflow task that starts now. What an earlier task brought and did not answer is sent
/// again, but not on a heartbeat: then the worker has it already.
pub(crate) fn send(state: &mut State, started_event_id: EventId, again: bool) -> Vec<Message> {
    let mut messages = Vec::new();
    for update in &mut state.volatile.admitted {
        if update.sent && !again {
            continue;
        }
        update.sent = true;
        messages.extend(message(
            &update.id,
            update.request.as_deref(),
            started_event_id,
        ));
    }
    messages
}

/// The messages that the started workflow task was sent.
pub(crate) fn sent(state: &State, started_event_id: EventId) -> Vec<Message> {
    let sent = state.volatile.admitted.iter().filter(|update| update.sent);
    sent.filter_map(|u| message(&u.id, u.request.as_deref(), started_event_id))
        .collect()
}

fn message(id: &str, request: Option<&Request>, started_event_id: EventId) -> Option<Message> {
    use prost::Message as _;
    let body = proto::Any {
        type_url: type_url("Request"),
        value: request?.encode_to_vec(),
    };
    Some(Message {
        id: message_id(id),
        protocol_instance_id: id.to_owned(),
        body: Some(body),
        // Updates come after all that the task brings.
        sequencing_id: Some(SequencingId::EventId(started_event_id - 1)),
    })
}

/// Ends an update that was not accepted. Nothing is remembered of it.
pub(crate) fn reject(step: &mut Step<'_>, id: &Arc<str>, failure: Option<Failure>) {
    let in_history = step.state.updates.contains(&**id);
    if in_history && step.state.is_open() {
        step.change(ChangeKind::UpdateRefused(Box::new(UpdateRefused {
            update_id: id.to_string(),
            failure: failure.clone(),
        })));
    } else {
        step.state.forget_admitted(id);
    }
    step.tell_update(
        id.clone(),
        UpdateStage::Completed(Box::new(failed(failure.unwrap_or_default()))),
    );
}

/// Ends an update that was not accepted and never will be.
pub(crate) fn abort(step: &mut Step<'_>, id: &Arc<str>, why: Rejection) {
    step.state.forget_admitted(id);
    step.tell_update(id.clone(), UpdateStage::Aborted(why));
}

/// A worker that says nothing about an update that it was sent does not know updates.
pub(crate) fn reject_unprocessed(step: &mut Step<'_>) {
    let failure = server_failure(
        "Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow Update is not \
         supported by the worker.",
        "UnprocessedUpdate",
    );
    for id in sent_ids(step.state) {
        reject(step, &id, Some(failure.clone()));
    }
}

/// A completion that could not be carried out ends the updates that the worker has seen: the next attempt
/// may well fail at them again. Those that an event admitted stay, as their callers do.
pub(crate) fn abort_sent(step: &mut Step<'_>) {
    for id in sent_ids(step.state) {
        if !step.state.updates.contains(&*id) {
            let why = "Unable to perform workflow execution update due to unexpected workflow task failure.";
            abort(step, &id, Rejection::WorkflowNotReady(why.to_owned()));
        }
    }
}

fn sent_ids(state: &State) -> Vec<Arc<str>> {
    let sent = state.volatile.admitted.iter().filter(|update| update.sent);
    sent.map(|update| update.id.clone()).collect()
}

/// The run has closed: accepted updates fail; the others may be tried with the next run, if there is one.
pub(crate) fn close(step: &mut Step<'_>) {
    for update in std::mem::take(&mut step.state.volatile.admitted) {
        let why = if step.successor.is_some() {
            Rejection::BusyWorkflow(super::client::update::CLOSING.to_owned())
        } else {
            Rejection::UpdateAborted
        };
        step.tell_update(update.id, UpdateStage::Aborted(why));
    }
    let accepted: Vec<Arc<str>> = step
        .state
        .updates
        .iter()
        .filter(|(_, update)| matches!(update, PendingUpdate::Accepted(_)))
        .map(|(id, _)| id.clone())
        .collect();
    for id in accepted {
        step.tell_update(id, cut_off());
    }
}

/// What an accepted update comes to when its run closes before it completes.
fn cut_off() -> UpdateStage {
    UpdateStage::Completed(Box::new(cut_off_outcome()))
}

/// See [`cut_off`].
pub(crate) fn cut_off_outcome() -> Outcome {
    failed(server_failure(
        "Workflow Update failed because the Workflow completed before the Update completed.",
        "AcceptedUpdateCompletedWorkflow",
    ))
}

pub(crate) fn failed(failure: Failure) -> Outcome {
    Outcome {
        value: Some(outcome::Value::Failure(failure)),
    }
}

fn server_failure(message: &str, kind: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: kind.to_owned(),
                non_retryable: true,
                ..ApplicationFailureInfo::default()
            },
        )),
        ..Failure::default()
    }
}
