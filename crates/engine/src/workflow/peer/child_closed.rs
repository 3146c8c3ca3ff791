//! A child's chain has closed: the parent records how.

use proto::temporal::api::common::v1::WorkflowType;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    ChildWorkflowExecutionCanceledEventAttributes, ChildWorkflowExecutionCompletedEventAttributes,
    ChildWorkflowExecutionFailedEventAttributes, ChildWorkflowExecutionStartedEventAttributes,
    ChildWorkflowExecutionTerminatedEventAttributes, ChildWorkflowExecutionTimedOutEventAttributes,
};

use crate::ids::EventId;
use crate::workflow::input::ChildClosed;
use crate::workflow::record::ChangeKind;
use crate::workflow::state::outbox::OutboxEntry;
use crate::workflow::step::{Extras, Step};

pub(super) fn record(step: &mut Step<'_>, closed: ChildClosed) {
    let id = closed.initiated_event_id;
    let Some(child) = step.state.children.get(&id).filter(|child| !child.closing) else {
        return;
    };
    let other = child
        .started
        .is_some_and(|(run_id, _)| run_id.to_string() != closed.first_execution_run_id);
    if !step.state.is_open() || other || child.initiated.workflow_id != closed.execution.workflow_id
    {
        return;
    }
    let initiated = child.initiated.clone();
    // The start may be among them, and gets its id.
    step.flush_leftovers();
    let started = step.state.children.get(&id).and_then(|child| child.started);
    let started = started.map(|(_, event_id)| event_id);
    let started_event_id = match started {
        Some(event_id) => event_id,
        // The close overtook the answer to the start, and says the same. History shows the start first.
        None => {
            acknowledge_start(step, id);
            step.external(
                Attributes::ChildWorkflowExecutionStartedEventAttributes(
                    ChildWorkflowExecutionStartedEventAttributes {
                        namespace: initiated.namespace.clone(),
                        namespace_id: initiated.namespace_id.clone(),
                        initiated_event_id: id,
                        workflow_execution: Some(closed.execution.clone()),
                        workflow_type: initiated.workflow_type.clone(),
                        header: initiated.header.clone(),
                    },
                ),
                Extras::default(),
            )
        }
    };
    let namespace = initiated.namespace.clone();
    let namespace_id = initiated.namespace_id.clone();
    let workflow_execution = Some(closed.execution);
    let workflow_type = Some(WorkflowType {
        name: closed.workflow_type,
    });
    let Some(how) = closed.event.attributes else {
        return;
    };
    use Attributes as A;
    let attributes = match how {
        A::WorkflowExecutionCompletedEventAttributes(a) => {
            A::ChildWorkflowExecutionCompletedEventAttributes(
                ChildWorkflowExecutionCompletedEventAttributes {
                    result: a.result,
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id: id,
                    started_event_id,
                },
            )
        }
        A::WorkflowExecutionFailedEventAttributes(a) => {
            A::ChildWorkflowExecutionFailedEventAttributes(
                ChildWorkflowExecutionFailedEventAttributes {
                    failure: a.failure,
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id: id,
                    started_event_id,
                    retry_state: a.retry_state,
                },
            )
        }
        A::WorkflowExecutionCanceledEventAttributes(a) => {
            A::ChildWorkflowExecutionCanceledEventAttributes(
                ChildWorkflowExecutionCanceledEventAttributes {
                    details: a.details,
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id: id,
                    started_event_id,
                },
            )
        }
        A::WorkflowExecutionTimedOutEventAttributes(a) => {
            A::ChildWorkflowExecutionTimedOutEventAttributes(
                ChildWorkflowExecutionTimedOutEventAttributes {
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id: id,
                    started_event_id,
                    retry_state: a.retry_state,
                },
            )
        }
        A::WorkflowExecutionTerminatedEventAttributes(_) => {
            A::ChildWorkflowExecutionTerminatedEventAttributes(
                ChildWorkflowExecutionTerminatedEventAttributes {
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id: id,
                    started_event_id,
                },
            )
        }
        // A chain that goes on does not report.
        _ => return,
    };
    step.external(attributes, Extras::default());
    step.enforce_buffer_limits();
    step.ensure_workflow_task();
}

/// The message that asked for a child needs no answer any more.
fn acknowledge_start(step: &mut Step<'_>, id: EventId) {
    let asked = step
        .state
        .outbox
        .iter()
        .find(|(_, entry)| **entry == OutboxEntry::StartChild(id))
        .map(|(seq, _)| *seq);
    if let Some(seq) = asked {
        step.change(ChangeKind::Acknowledged(seq));
    }
}
