//! The answer to a message comes back: it becomes the event that the workflow waits for.

use bytes::Bytes;
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::enums::v1::{
    CancelExternalWorkflowExecutionFailedCause as CancelFailed,
    SignalExternalWorkflowExecutionFailedCause as SignalFailed,
    StartChildWorkflowExecutionFailedCause as StartFailed,
};
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    ChildWorkflowExecutionStartedEventAttributes,
    ExternalWorkflowExecutionCancelRequestedEventAttributes,
    ExternalWorkflowExecutionSignaledEventAttributes,
    RequestCancelExternalWorkflowExecutionFailedEventAttributes,
    SignalExternalWorkflowExecutionFailedEventAttributes,
    StartChildWorkflowExecutionFailedEventAttributes,
};
use uuid::Uuid;

use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::workflow::client::terminate;
use crate::workflow::input::PeerAnswer;
use crate::workflow::nexus;
use crate::workflow::record::{ChangeKind, LateChildStarted};
use crate::workflow::state::FirstTask;
use crate::workflow::state::outbox::OutboxEntry;
use crate::workflow::step::{Extras, SERVER_IDENTITY, Step};
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn answered(
    mut step: Step<'_>,
    seq: u64,
    answer: PeerAnswer,
) -> Result<Transition, Rejection> {
    // An answer that comes twice finds its message gone.
    let Some(entry) = step.state.outbox.get(&seq).cloned() else {
        return step.done(Reply::Done);
    };
    step.change(ChangeKind::Acknowledged(seq));
    match entry {
        OutboxEntry::StartChild(id) => child_answered(&mut step, id, answer),
        OutboxEntry::Signal(id) => signal_answered(&mut step, id, answer),
        OutboxEntry::RequestCancel(id) => cancel_answered(&mut step, id, answer),
        OutboxEntry::ChildAwaits => parent_answered(&mut step, answer),
        OutboxEntry::Callback(index) => nexus::delivered(&mut step, index, answer),
        OutboxEntry::ParentReady { .. }
        | OutboxEntry::ParentClosed(_)
        | OutboxEntry::ChildClosed
        | OutboxEntry::ActionClosed => {}
    }
    step.done(Reply::Done)
}

/// A child that its parent does not want, because its start came late or twice, ends. It has done nothing.
fn parent_answered(step: &mut Step<'_>, answer: PeerAnswer) {
    if answer == PeerAnswer::NotFound
        && step.state.is_open()
        && step.state.core.first_task == FirstTask::AwaitsParent
    {
        let reason = "its parent did not start it".to_owned();
        terminate::record(step, reason, None, SERVER_IDENTITY.to_owned(), Vec::new());
    }
}

fn record(step: &mut Step<'_>, attributes: Attributes) {
    if step.state.is_open() {
        step.external(attributes, Extras::default());
        step.enforce_buffer_limits();
        step.ensure_workflow_task();
    }
}

fn child_answered(step: &mut Step<'_>, id: EventId, answer: PeerAnswer) {
    let Some(child) = step.state.children.get(&id) else {
        return;
    };
    let a = child.initiated.clone();
    match answer {
        PeerAnswer::ChildStarted(run_id) if step.state.is_open() => {
            child_started(step, id, run_id, &a);
        }
        // This run has closed meanwhile: the child shares its fate, or is left to itself, by its policy.
        PeerAnswer::ChildStarted(run_id) => {
            step.change(ChangeKind::LateChildStarted(LateChildStarted {
                initiated_event_id: id,
                run_id: Bytes::copy_from_slice(run_id.as_bytes()),
            }));
        }
        refused => record(
            step,
            Attributes::StartChildWorkflowExecutionFailedEventAttributes(
                StartChildWorkflowExecutionFailedEventAttributes {
                    namespace: a.namespace.clone(),
                    namespace_id: a.namespace_id.clone(),
                    workflow_id: a.workflow_id.clone(),
                    workflow_type: a.workflow_type.clone(),
                    cause: match refused {
                        PeerAnswer::OverrideRefused => StartFailed::InvalidVersioningOverride,
                        _ => StartFailed::WorkflowAlreadyExists,
                    }
                    .into(),
                    control: a.control.clone(),
                    initiated_event_id: id,
                    // The reference leaves this one out.
                    workflow_task_completed_event_id: 0,
                },
            ),
        ),
    }
}

fn child_started(
    step: &mut Step<'_>,
    id: EventId,
    run_id: Uuid,
    a: &proto::temporal::api::history::v1::StartChildWorkflowExecutionInitiatedEventAttributes,
) {
    record(
        step,
        Attributes::ChildWorkflowExecutionStartedEventAttributes(
            ChildWorkflowExecutionStartedEventAttributes {
                namespace: a.namespace.clone(),
                namespace_id: a.namespace_id.clone(),
                initiated_event_id: id,
                workflow_execution: Some(WorkflowExecution {
                    workflow_id: a.workflow_id.clone(),
                    run_id: run_id.to_string(),
                }),
                workflow_type: a.workflow_type.clone(),
                header: a.header.clone(),
            },
        ),
    );
}

fn signal_answered(step: &mut Step<'_>, id: EventId, answer: PeerAnswer) {
    let namespace = step.env.namespace.name.to_string();
    let Some(pending) = step.state.external_signals.get(&id) else {
        return;
    };
    let a = pending.initiated.clone();
    let attributes = if answer == PeerAnswer::Taken {
        Attributes::ExternalWorkflowExecutionSignaledEventAttributes(
            ExternalWorkflowExecutionSignaledEventAttributes {
                initiated_event_id: id,
                namespace: namespace.clone(),
                namespace_id: a.namespace_id.clone(),
                workflow_execution: a.workflow_execution.clone(),
                control: a.control.clone(),
            },
        )
    } else {
        let cause = match answer {
            PeerAnswer::SignalLimit => SignalFailed::SignalCountLimitExceeded,
            _ => SignalFailed::ExternalWorkflowExecutionNotFound,
        };
        Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(
            SignalExternalWorkflowExecutionFailedEventAttributes {
                cause: cause as i32,
                // The reference leaves this one out.
                workflow_task_completed_event_id: 0,
                namespace: namespace.clone(),
                namespace_id: a.namespace_id.clone(),
                workflow_execution: a.workflow_execution.clone(),
                initiated_event_id: id,
                control: a.control.clone(),
            },
        )
    };
    record(step, attributes);
}

fn cancel_answered(step: &mut Step<'_>, id: EventId, answer: PeerAnswer) {
    let namespace = step.env.namespace.name.to_string();
    let Some(pending) = step.state.external_cancels.get(&id) else {
        return;
    };
    let a = pending.initiated.clone();
    let attributes = if answer == PeerAnswer::Taken {
        Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(
            ExternalWorkflowExecutionCancelRequestedEventAttributes {
                initiated_event_id: id,
                namespace: namespace.clone(),
                namespace_id: a.namespace_id.clone(),
                workflow_execution: a.workflow_execution.clone(),
            },
        )
    } else {
        Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(
            RequestCancelExternalWorkflowExecutionFailedEventAttributes {
                cause: CancelFailed::ExternalWorkflowExecutionNotFound as i32,
                // The reference leaves this one out.
                workflow_task_completed_event_id: 0,
                namespace: namespace.clone(),
                namespace_id: a.namespace_id.clone(),
                workflow_execution: a.workflow_execution.clone(),
                initiated_event_id: id,
                control: String::new(),
            },
        )
    };
    record(step, attributes);
}
