//! Messages between runs: what a queued one says, and what a received one does (DESIGN section 2,
//! "between executions"; behaviour, section 6.6).

mod action;
mod answered;
mod child_closed;
mod received;

use std::sync::Arc;

use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::enums::v1::{
    ContinueAsNewVersioningBehavior as ContinuedBehavior, ParentClosePolicy,
};
use proto::temporal::api::workflowservice::v1::{
    SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
};
use uuid::Uuid;

pub(crate) use answered::answered;
pub(crate) use received::received;

use super::input::{ChildClosed, Peer, PeerAnswer, Sender, StartChild};
use super::nexus;
use super::priority;
use super::state::State;
use super::state::child::Child;
use super::state::outbox::OutboxEntry;
use super::transition::Send;
use super::versioning;
use crate::execution::Kind;
use crate::ids::EventId;
use crate::nexus::callback::message_to;

/// What a receiver that does not exist answers.
pub fn answer_for_missing(message: &Peer) -> PeerAnswer {
    match message {
        // A start never misses: it makes its receiver.
        Peer::StartChild(_) | Peer::StartScheduled(_) => PeerAnswer::ChildAlreadyExists,
        Peer::Signal { .. } | Peer::RequestCancel { .. } => PeerAnswer::NotFound,
        Peer::ParentReady
        | Peer::ParentClosedTerminate(_)
        | Peer::ParentClosedRequestCancel(_)
        | Peer::ChildClosed(_)
        | Peer::StopAction(_)
        | Peer::ActionClosed(_) => PeerAnswer::Taken,
        Peer::ChildAwaits { .. } | Peer::NexusOperationCompleted(_) => PeerAnswer::NotFound,
    }
}

/// So many messages of earlier runs are remembered by the next.
const TAKEN_MESSAGES_MAX: usize = 64;

/// The last messages that this run, and those before it, took: the next run of the workflow id recognises
/// one that is delivered again to the id. A client's request ids are its own run's matter.
pub(crate) fn taken_messages(state: &State) -> Vec<String> {
    let is_message = |id: &str| {
        let (run_id, event_id) = id.split_once(':').unwrap_or_default();
        let event_id = event_id.strip_suffix(":0").unwrap_or_default();
        Uuid::parse_str(run_id).is_ok() && event_id.parse::<EventId>().is_ok()
    };
    let taken = state.request_ids.iter().filter(|(id, _)| is_message(id));
    let mut taken: Vec<_> = taken.map(|(id, seen)| (seen.event_id, id)).collect();
    taken.sort_unstable_by(|one, other| other.cmp(one));
    taken.truncate(TAKEN_MESSAGES_MAX);
    taken.into_iter().map(|(_, id)| id.to_string()).collect()
}

/// A queued message in full. `None` when what it was about is gone.
pub(crate) fn message(state: &State, seq: u64, entry: &OutboxEntry) -> Option<Send> {
    match entry {
        OutboxEntry::StartChild(id) => start_child(state, seq, *id),
        OutboxEntry::ParentReady {
            workflow_id,
            run_id,
            ..
        } => Some(Send {
            seq,
            namespace_id: state.namespace_id,
            kind: Kind::Workflow,
            workflow_id: workflow_id.to_string(),
            run_id: Some(*run_id),
            message: Peer::ParentReady,
        }),
        OutboxEntry::Signal(id) => signal(state, seq, *id),
        OutboxEntry::RequestCancel(id) => request_cancel(state, seq, *id),
        OutboxEntry::ParentClosed(id) => parent_closed(state, seq, *id),
        OutboxEntry::ChildClosed => child_closed(state, seq),
        OutboxEntry::ChildAwaits => child_awaits(state, seq),
        OutboxEntry::ActionClosed => action::closed(state, seq),
        OutboxEntry::Callback(index) => callback(state, seq, *index),
    }
}

fn sender(state: &State, initiated_event_id: EventId, child_workflow_only: bool) -> Sender {
    Sender {
        namespace: state.core.start.namespace.to_string(),
        execution: WorkflowExecution {
            workflow_id: state.workflow_id.to_string(),
            run_id: state.run_id.to_string(),
        },
        initiated_event_id,
        child_workflow_only,
    }
}

fn start_child(state: &State, seq: u64, id: EventId) -> Option<Send> {
    let child: &Child = state.children.get(&id)?;
    let a = Arc::clone(&child.initiated);
    let request = StartWorkflowExecutionRequest {
        namespace: a.namespace.clone(),
        workflow_id: a.workflow_id.clone(),
        workflow_type: a.workflow_type.clone(),
        task_queue: a.task_queue.clone(),
        input: a.input.clone(),
        workflow_execution_timeout: a.workflow_execution_timeout,
        workflow_run_timeout: a.workflow_run_timeout,
        workflow_task_timeout: a.workflow_task_timeout,
        request_id: child.request_id.to_string(),
        workflow_id_reuse_policy: a.workflow_id_reuse_policy,
        retry_policy: a.retry_policy.clone(),
        cron_schedule: a.cron_schedule.clone(),
        memo: a.memo.clone(),
        search_attributes: a.search_attributes.clone(),
        header: a.header.clone(),
        time_skipping_config: a.time_skipping_config.clone(),
        user_metadata: child.user_metadata.as_deref().cloned(),
        priority: priority::in_effect(a.priority.as_ref(), state),
        versioning_override: a.versioning_override.clone(),
        ..StartWorkflowExecutionRequest::default()
    };
    let root = state.core.start.attributes.root_workflow_execution.clone();
    let mut parent = sender(state, id, false);
    // Whichever of them asks: after a reset two may, and the child is one child to both.
    parent.execution.run_id = state.origin_of(id);
    let message = Peer::StartChild(Box::new(StartChild {
        root: root.unwrap_or_else(|| parent.execution.clone()),
        parent,
        parent_namespace_id: state.namespace_id,
        request_id: child.request_id.to_string(),
        request: Box::new(request),
        inherited: versioning::inherited(state, ContinuedBehavior::Unspecified),
        initiated: a,
    }));
    let workflow_id = child.initiated.workflow_id.clone();
    Some(Send {
        seq,
        namespace_id: state.namespace_id,
        kind: Kind::Workflow,
        workflow_id,
        run_id: None,
        message,
    })
}

fn signal(state: &State, seq: u64, id: EventId) -> Option<Send> {
    let pending = state.external_signals.get(&id)?;
    let a = &pending.initiated;
    let to = a.workflow_execution.clone().unwrap_or_default();
    let message = Peer::Signal {
        from: sender(state, id, a.child_workflow_only),
        signal: Box::new(SignalWorkflowExecutionRequest {
            namespace: a.namespace.clone(),
            workflow_execution: Some(to.clone()),
            signal_name: a.signal_name.clone(),
            input: a.input.clone(),
            identity: super::step::SERVER_IDENTITY.to_owned(),
            request_id: pending.request_id.to_string(),
            header: a.header.clone(),
            ..SignalWorkflowExecutionRequest::default()
        }),
    };
    Some(addressed(state, seq, to, message))
}

fn request_cancel(state: &State, seq: u64, id: EventId) -> Option<Send> {
    let a = &state.external_cancels.get(&id)?.initiated;
    let to = a.workflow_execution.clone().unwrap_or_default();
    let message = Peer::RequestCancel {
        from: sender(state, id, a.child_workflow_only),
        reason: a.reason.clone(),
    };
    Some(addressed(state, seq, to, message))
}

fn parent_closed(state: &State, seq: u64, id: EventId) -> Option<Send> {
    let child = state.children.get(&id)?;
    let mut from = sender(state, id, true);
    // A child knows the run that asked for it as its parent.
    from.execution.run_id = state.origin_of(id);
    let message = match ParentClosePolicy::try_from(child.initiated.parent_close_policy) {
        Ok(ParentClosePolicy::RequestCancel) => Peer::ParentClosedRequestCancel(from),
        _ => Peer::ParentClosedTerminate(from),
    };
    // To the chain: a child that has continued as new shares its parent's fate too.
    let workflow_id = child.initiated.workflow_id.clone();
    Some(Send {
        seq,
        namespace_id: state.namespace_id,
        kind: Kind::Workflow,
        workflow_id,
        run_id: None,
        message,
    })
}

fn child_closed(state: &State, seq: u64) -> Option<Send> {
    let start = &state.core.start.attributes;
    let parent = start.parent_workflow_execution.clone()?;
    let event = state.core.close.as_deref()?.clone();
    let message = Peer::ChildClosed(Box::new(ChildClosed {
        initiated_event_id: start.parent_initiated_event_id,
        execution: WorkflowExecution {
            workflow_id: state.workflow_id.to_string(),
            run_id: state.run_id.to_string(),
        },
        first_execution_run_id: state.first_execution_run_id().to_owned(),
        workflow_type: state.core.start.workflow_type.to_string(),
        event,
    }));
    Some(to_parent(state, seq, parent, message))
}

fn child_awaits(state: &State, seq: u64) -> Option<Send> {
    let start = &state.core.start.attributes;
    let parent = start.parent_workflow_execution.clone()?;
    let message = Peer::ChildAwaits {
        initiated_event_id: start.parent_initiated_event_id,
        execution: WorkflowExecution {
            workflow_id: state.workflow_id.to_string(),
            run_id: state.run_id.to_string(),
        },
    };
    Some(to_parent(state, seq, parent, message))
}

fn callback(state: &State, seq: u64, index: u64) -> Option<Send> {
    let callback = state.callbacks.get(&index)?;
    message_to(callback.nexus()?, seq, nexus::completion(state, callback)?)
}

fn to_parent(state: &State, seq: u64, parent: WorkflowExecution, message: Peer) -> Send {
    let namespace_id = &state.core.start.attributes.parent_workflow_namespace_id;
    Send {
        namespace_id: Uuid::parse_str(namespace_id).unwrap_or(state.namespace_id),
        ..addressed(state, seq, parent, message)
    }
}

fn addressed(state: &State, seq: u64, to: WorkflowExecution, message: Peer) -> Send {
    Send {
        seq,
        namespace_id: state.namespace_id,
        kind: Kind::Workflow,
        workflow_id: to.workflow_id,
        run_id: Uuid::parse_str(&to.run_id).ok(),
        message,
    }
}
