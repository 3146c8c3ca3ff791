//! What goes with an event's attributes: the type's number, and whether workers may ignore it.

use proto::temporal::api::enums::v1::EventType as T;
use proto::temporal::api::history::v1::history_event::Attributes as A;

/// The type of an event that this machine writes.
pub(crate) fn event_type(attributes: &A) -> T {
    match attributes {
        A::WorkflowExecutionStartedEventAttributes(_) => T::WorkflowExecutionStarted,
        A::WorkflowExecutionCompletedEventAttributes(_) => T::WorkflowExecutionCompleted,
        A::WorkflowExecutionFailedEventAttributes(_) => T::WorkflowExecutionFailed,
        A::WorkflowExecutionTimedOutEventAttributes(_) => T::WorkflowExecutionTimedOut,
        A::WorkflowTaskScheduledEventAttributes(_) => T::WorkflowTaskScheduled,
        A::WorkflowTaskStartedEventAttributes(_) => T::WorkflowTaskStarted,
        A::WorkflowTaskCompletedEventAttributes(_) => T::WorkflowTaskCompleted,
        A::WorkflowTaskTimedOutEventAttributes(_) => T::WorkflowTaskTimedOut,
        A::WorkflowTaskFailedEventAttributes(_) => T::WorkflowTaskFailed,
        A::ActivityTaskScheduledEventAttributes(_) => T::ActivityTaskScheduled,
        A::ActivityTaskStartedEventAttributes(_) => T::ActivityTaskStarted,
        A::ActivityTaskCompletedEventAttributes(_) => T::ActivityTaskCompleted,
        A::ActivityTaskFailedEventAttributes(_) => T::ActivityTaskFailed,
        A::ActivityTaskTimedOutEventAttributes(_) => T::ActivityTaskTimedOut,
        A::ActivityTaskCancelRequestedEventAttributes(_) => T::ActivityTaskCancelRequested,
        A::ActivityTaskCanceledEventAttributes(_) => T::ActivityTaskCanceled,
        A::TimerStartedEventAttributes(_) => T::TimerStarted,
        A::TimerFiredEventAttributes(_) => T::TimerFired,
        A::TimerCanceledEventAttributes(_) => T::TimerCanceled,
        A::WorkflowExecutionCancelRequestedEventAttributes(_) => {
            T::WorkflowExecutionCancelRequested
        }
        A::WorkflowExecutionCanceledEventAttributes(_) => T::WorkflowExecutionCanceled,
        A::MarkerRecordedEventAttributes(_) => T::MarkerRecorded,
        A::WorkflowExecutionSignaledEventAttributes(_) => T::WorkflowExecutionSignaled,
        A::WorkflowExecutionTerminatedEventAttributes(_) => T::WorkflowExecutionTerminated,
        A::WorkflowExecutionContinuedAsNewEventAttributes(_) => T::WorkflowExecutionContinuedAsNew,
        A::WorkflowExecutionOptionsUpdatedEventAttributes(_) => T::WorkflowExecutionOptionsUpdated,
        A::WorkflowExecutionPausedEventAttributes(_) => T::WorkflowExecutionPaused,
        A::WorkflowExecutionUnpausedEventAttributes(_) => T::WorkflowExecutionUnpaused,
        A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(_) => {
            T::RequestCancelExternalWorkflowExecutionInitiated
        }
        A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(_) => {
            T::RequestCancelExternalWorkflowExecutionFailed
        }
        A::ExternalWorkflowExecutionCancelRequestedEventAttributes(_) => {
            T::ExternalWorkflowExecutionCancelRequested
        }
        A::SignalExternalWorkflowExecutionInitiatedEventAttributes(_) => {
            T::SignalExternalWorkflowExecutionInitiated
        }
        A::SignalExternalWorkflowExecutionFailedEventAttributes(_) => {
            T::SignalExternalWorkflowExecutionFailed
        }
        A::ExternalWorkflowExecutionSignaledEventAttributes(_) => {
            T::ExternalWorkflowExecutionSignaled
        }
        A::UpsertWorkflowSearchAttributesEventAttributes(_) => T::UpsertWorkflowSearchAttributes,
        A::WorkflowPropertiesModifiedEventAttributes(_) => T::WorkflowPropertiesModified,
        A::StartChildWorkflowExecutionInitiatedEventAttributes(_) => {
            T::StartChildWorkflowExecutionInitiated
        }
        A::StartChildWorkflowExecutionFailedEventAttributes(_) => {
            T::StartChildWorkflowExecutionFailed
        }
        A::ChildWorkflowExecutionStartedEventAttributes(_) => T::ChildWorkflowExecutionStarted,
        A::ChildWorkflowExecutionCompletedEventAttributes(_) => T::ChildWorkflowExecutionCompleted,
        A::ChildWorkflowExecutionFailedEventAttributes(_) => T::ChildWorkflowExecutionFailed,
        A::ChildWorkflowExecutionCanceledEventAttributes(_) => T::ChildWorkflowExecutionCanceled,
        A::ChildWorkflowExecutionTimedOutEventAttributes(_) => T::ChildWorkflowExecutionTimedOut,
        A::ChildWorkflowExecutionTerminatedEventAttributes(_) => {
            T::ChildWorkflowExecutionTerminated
        }
        A::WorkflowExecutionTimeSkippingTransitionedEventAttributes(_) => {
            T::WorkflowExecutionTimeSkippingTransitioned
        }
        A::WorkflowExecutionUpdateAdmittedEventAttributes(_) => T::WorkflowExecutionUpdateAdmitted,
        A::WorkflowExecutionUpdateAcceptedEventAttributes(_) => T::WorkflowExecutionUpdateAccepted,
        A::WorkflowExecutionUpdateCompletedEventAttributes(_) => {
            T::WorkflowExecutionUpdateCompleted
        }
        // Kinds that no verb writes yet.
        A::NexusOperationScheduledEventAttributes(_) => T::NexusOperationScheduled,
        A::NexusOperationStartedEventAttributes(_) => T::NexusOperationStarted,
        A::NexusOperationCompletedEventAttributes(_) => T::NexusOperationCompleted,
        A::NexusOperationFailedEventAttributes(_) => T::NexusOperationFailed,
        A::NexusOperationCanceledEventAttributes(_) => T::NexusOperationCanceled,
        A::NexusOperationTimedOutEventAttributes(_) => T::NexusOperationTimedOut,
        A::NexusOperationCancelRequestedEventAttributes(_) => T::NexusOperationCancelRequested,
        A::NexusOperationCancelRequestCompletedEventAttributes(_) => {
            T::NexusOperationCancelRequestCompleted
        }
        A::NexusOperationCancelRequestFailedEventAttributes(_) => {
            T::NexusOperationCancelRequestFailed
        }
        _ => T::Unspecified,
    }
}

/// Whether an event means nothing to a worker that does not know it (behaviour, section 4.1).
pub(crate) fn worker_may_ignore(attributes: &A) -> bool {
    matches!(
        attributes,
        A::WorkflowExecutionOptionsUpdatedEventAttributes(_)
            | A::WorkflowExecutionPausedEventAttributes(_)
            | A::WorkflowExecutionUnpausedEventAttributes(_)
            | A::WorkflowExecutionTimeSkippingTransitionedEventAttributes(_)
            | A::NexusOperationCancelRequestCompletedEventAttributes(_)
            | A::NexusOperationCancelRequestFailedEventAttributes(_)
    )
}
