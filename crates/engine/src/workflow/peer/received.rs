//! A message arrives. Each is recognised if it comes twice: a signal by its request id, a child's close
//! by its pending child, the others because they can only happen once.

use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::workflowservice::v1::SignalWorkflowExecutionRequest;

use super::{action, child_closed};
use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::workflow::client::{request_cancel, signal, terminate, update};
use crate::workflow::input::{Peer, PeerAnswer, RequestCancel, Sender};
use crate::workflow::nexus;
use crate::workflow::record::ChangeKind;
use crate::workflow::state::outbox::OutboxEntry;
use crate::workflow::state::{FirstTask, State};
use crate::workflow::step::{SERVER_IDENTITY, Step};
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn received(mut step: Step<'_>, message: Peer) -> Result<Transition, Rejection> {
    let answer = match message {
        // The start door takes these; one that comes here finds the child there already.
        Peer::StartChild(_) | Peer::StartScheduled(_) => PeerAnswer::ChildAlreadyExists,
        Peer::ParentReady => {
            parent_ready(&mut step);
            PeerAnswer::Taken
        }
        Peer::Signal { from, signal } => take_signal(&mut step, from, *signal),
        Peer::RequestCancel { from, reason } => take_cancel(&mut step, from, reason),
        Peer::ParentClosedTerminate(from) => {
            if step.state.is_open() && is_child_of(&step, &from) {
                let reason = "by parent close policy".to_owned();
                terminate::record(
                    &mut step,
                    reason,
                    None,
                    SERVER_IDENTITY.to_owned(),
                    Vec::new(),
                );
            }
            PeerAnswer::Taken
        }
        Peer::ParentClosedRequestCancel(from) => {
            if step.state.is_open()
                && !step.state.core.cancel_requested
                && is_child_of(&step, &from)
            {
                let request = RequestCancel {
                    identity: SERVER_IDENTITY.to_owned(),
                    ..RequestCancel::default()
                };
                let origin = (from.initiated_event_id, from.execution);
                request_cancel::record(&mut step, request, Some(origin));
            }
            PeerAnswer::Taken
        }
        Peer::ChildClosed(closed) => {
            child_closed::record(&mut step, *closed);
            PeerAnswer::Taken
        }
        Peer::StopAction(wish) => {
            action::stop(&mut step, *wish);
            PeerAnswer::Taken
        }
        // Only schedules are told; a workflow has nothing to do with it.
        Peer::ActionClosed(_) => PeerAnswer::Taken,
        Peer::NexusOperationCompleted(completion) => {
            match nexus::complete(&mut step, *completion) {
                Ok(()) => PeerAnswer::Taken,
                Err(_) => PeerAnswer::NotFound,
            }
        }
        Peer::ChildAwaits {
            initiated_event_id,
            execution,
        } => is_wanted(step.state, initiated_event_id, &execution),
    };
    step.done(Reply::PeerAnswer(answer))
}

/// The parent has recorded this child's start: its first workflow task, unless a delay remains.
fn parent_ready(step: &mut Step<'_>) {
    if !step.state.is_open() || step.state.core.first_task != FirstTask::AwaitsParent {
        return;
    }
    step.change(ChangeKind::ParentReady(true));
    if step.state.core.cancel_requested {
        // What has been asked to end does not wait for its time (behaviour, section 4.8).
        step.schedule_workflow_task();
    } else {
        step.ensure_workflow_task();
        // An update that came meanwhile does not wait for a cron's first time.
        update::bring_waiting(step);
    }
}

/// Whether a child that waits is one that this run has started or is about to: then it will hear of it.
fn is_wanted(state: &State, id: EventId, execution: &WorkflowExecution) -> PeerAnswer {
    let child = state.children.get(&id);
    let child = child.filter(|child| child.initiated.workflow_id == execution.workflow_id);
    let wanted = child.is_some_and(|child| match child.started {
        Some((run_id, _)) => run_id.to_string() == execution.run_id,
        None => state
            .outbox
            .iter()
            .any(|(_, entry)| *entry == OutboxEntry::StartChild(id)),
    });
    if wanted {
        PeerAnswer::Taken
    } else {
        PeerAnswer::NotFound
    }
}

fn is_child_of(step: &Step<'_>, from: &Sender) -> bool {
    let start = &step.state.core.start.attributes;
    start.parent_workflow_execution.as_ref() == Some(&from.execution)
}

/// Whether the sender is the receiver, which counts as "no such workflow".
fn is_self(step: &Step<'_>, from: &Sender) -> bool {
    *from.execution.workflow_id == *step.state.workflow_id
        && from.execution.run_id == step.state.run_id.to_string()
}

fn take_signal(
    step: &mut Step<'_>,
    from: Sender,
    request: SignalWorkflowExecutionRequest,
) -> PeerAnswer {
    if step.state.request_ids.contains(request.request_id.as_str()) {
        return PeerAnswer::Taken;
    }
    if is_self(step, &from) || (from.child_workflow_only && !is_child_of(step, &from)) {
        return PeerAnswer::NotFound;
    }
    match signal::admit(step) {
        Ok(()) => {}
        // The close that the refusal protects is on its way, and would answer the same.
        Err(Rejection::AlreadyCompleted | Rejection::BusyWorkflow(_)) => {
            return PeerAnswer::NotFound;
        }
        Err(_) => return PeerAnswer::SignalLimit,
    }
    let attributes = signal::attributes(&request, Some(from.execution));
    signal::record(step, attributes, request.links);
    PeerAnswer::Taken
}

fn take_cancel(step: &mut Step<'_>, from: Sender, reason: String) -> PeerAnswer {
    if is_self(step, &from) || (from.child_workflow_only && !is_child_of(step, &from)) {
        return PeerAnswer::NotFound;
    }
    // Cancelling a closed run, or one that is being cancelled, counts as success (behaviour, 6.6).
    if step.state.is_open() && !step.state.core.cancel_requested {
        let request = RequestCancel {
            reason,
            identity: SERVER_IDENTITY.to_owned(),
            ..RequestCancel::default()
        };
        request_cancel::record(
            step,
            request,
            Some((from.initiated_event_id, from.execution)),
        );
    }
    PeerAnswer::Taken
}
