//! What happened after the point of a reset and is not to be lost: signals, updates, changes of options, results of
//! children and of Nexus operations (behaviour, section 6.5). Cancel requests and closes are not taken over.

use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;

use crate::ids::EventId;
use crate::workflow::record::ChangeKind;
use crate::workflow::state::outbox::OutboxEntry;
use crate::workflow::step::{Extras, Step};
use crate::workflow::update::{readmitted, update_stage};

/// What the caller does not want to be taken over.
pub(super) struct Excluded {
    pub(super) signals: bool,
    pub(super) updates: bool,
    pub(super) nexus: bool,
    /// Nothing at all is.
    pub(super) everything: bool,
}

/// Records events once more. Ids of initiated events mean something only in the run that was reset, `own`.
pub(super) fn reapply(
    step: &mut Step<'_>,
    events: impl Iterator<Item = HistoryEvent>,
    own: bool,
    excluded: &Excluded,
) {
    for event in events {
        let extras = Extras {
            user_metadata: event.user_metadata,
            links: event.links,
            ..Extras::default()
        };
        let Some(attributes) = event.attributes else {
            continue;
        };
        let again = match attributes {
            A::WorkflowExecutionSignaledEventAttributes(mut a) if !excluded.signals => {
                // Two runs may have taken signals of one id. The same id on a start is another matter.
                let seen = step.state.request_ids.get(a.request_id.as_str());
                if seen.is_some_and(|seen| seen.signaled) {
                    a.request_id.clear();
                }
                Some(A::WorkflowExecutionSignaledEventAttributes(a))
            }
            A::WorkflowExecutionUpdateAdmittedEventAttributes(_)
            | A::WorkflowExecutionUpdateAcceptedEventAttributes(_) => {
                let known = |id: &str| excluded.updates || update_stage(step.state, id).is_some();
                let admitted = readmitted(&attributes, known);
                admitted.map(A::WorkflowExecutionUpdateAdmittedEventAttributes)
            }
            A::WorkflowExecutionOptionsUpdatedEventAttributes(a) => {
                let id = a.attached_request_id.as_str();
                let attached = !id.is_empty() && step.state.request_ids.contains(id);
                (!attached || a.attached_completion_callbacks.is_empty())
                    .then_some(A::WorkflowExecutionOptionsUpdatedEventAttributes(a))
            }
            attributes if own => match of_operation(step, &attributes) {
                Some(pending) => (pending && !excluded.nexus).then_some(attributes),
                None => of_child(step, attributes),
            },
            _ => None,
        };
        if let Some(attributes) = again {
            step.write_with(attributes, extras);
        }
    }
}

/// Of an event about a Nexus operation's start or its end: whether the new run waits for it, too. What the workflow
/// said of an operation it says again, and what became of that is not taken over.
fn of_operation(step: &Step<'_>, attributes: &A) -> Option<bool> {
    let id = match attributes {
        A::NexusOperationStartedEventAttributes(a) => {
            let operation = step.state.nexus_operations.get(&a.scheduled_event_id);
            return Some(operation.is_some_and(|operation| operation.started.is_none()));
        }
        A::NexusOperationCompletedEventAttributes(a) => a.scheduled_event_id,
        A::NexusOperationFailedEventAttributes(a) => a.scheduled_event_id,
        A::NexusOperationCanceledEventAttributes(a) => a.scheduled_event_id,
        A::NexusOperationTimedOutEventAttributes(a) => a.scheduled_event_id,
        _ => return None,
    };
    Some(step.state.nexus_operations.contains(&id))
}

/// What is heard of a child that is pending in the new run, too.
fn of_child(step: &mut Step<'_>, mut attributes: A) -> Option<A> {
    match &mut attributes {
        A::ChildWorkflowExecutionStartedEventAttributes(a) => {
            begins(step, a.initiated_event_id)?;
        }
        A::StartChildWorkflowExecutionFailedEventAttributes(a) => {
            begins(step, a.initiated_event_id)?;
        }
        A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
            a.started_event_id = ends(step, a.initiated_event_id)?;
        }
        A::ChildWorkflowExecutionFailedEventAttributes(a) => {
            a.started_event_id = ends(step, a.initiated_event_id)?;
        }
        A::ChildWorkflowExecutionCanceledEventAttributes(a) => {
            a.started_event_id = ends(step, a.initiated_event_id)?;
        }
        A::ChildWorkflowExecutionTimedOutEventAttributes(a) => {
            a.started_event_id = ends(step, a.initiated_event_id)?;
        }
        A::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
            a.started_event_id = ends(step, a.initiated_event_id)?;
        }
        _ => return None,
    }
    Some(attributes)
}

/// A child of which nothing was heard yet is not asked for again.
fn begins(step: &mut Step<'_>, initiated: EventId) -> Option<()> {
    let child = step.state.children.get(&initiated)?;
    if child.started.is_some() {
        return None;
    }
    let asked = step
        .state
        .outbox
        .iter()
        .find(|(_, entry)| **entry == OutboxEntry::StartChild(initiated))
        .map(|(seq, _)| *seq);
    if let Some(seq) = asked {
        step.change(ChangeKind::Acknowledged(seq));
    }
    Some(())
}

/// The id that the child's start has in the new run.
fn ends(step: &Step<'_>, initiated: EventId) -> Option<EventId> {
    let child = step.state.children.get(&initiated)?;
    child.started.map(|(_, event_id)| event_id)
}
