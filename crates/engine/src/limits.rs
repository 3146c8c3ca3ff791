//! The limits of behaviour sections 3.1 to 3.4, with the names of the reference's settings.

use std::time::Duration;

use crate::nexus::callback::AllowedAddress;

/// Sizes are bytes; every limit is strict: the error comes when a value is greater.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// `limit.maxIDLength`: bytes of any id or name.
    pub id_length_max: usize,
    /// `limit.blobSize.error`: bytes of one payload field.
    pub blob_size_error: usize,
    /// `limit.memoSize.error`: bytes of a memo.
    pub memo_size_error: usize,
    /// `limit.historySize.error`: bytes of a run's history; the run is terminated above it.
    pub history_size_error: i64,
    /// `limit.historyCount.error`: events of a run; the run is terminated above it.
    pub history_count_error: i64,
    /// `limit.historySize.suggestContinueAsNew`.
    pub history_size_suggest: i64,
    /// `limit.historyCount.suggestContinueAsNew`.
    pub history_count_suggest: i64,
    /// `limit.numPendingActivities.error`.
    pub pending_activities_max: usize,
    /// `limit.numPendingChildExecutions.error`.
    pub pending_children_max: usize,
    /// `limit.numPendingSignals.error`.
    pub pending_signals_max: usize,
    /// `limit.numPendingCancelRequests.error`.
    pub pending_cancel_requests_max: usize,
    /// `component.nexusoperations.limit.operation.concurrency`: pending Nexus operations.
    pub pending_nexus_operations_max: usize,
    /// `system.maxCallbacksPerWorkflow`: completion callbacks of one execution.
    pub callbacks_max: usize,
    /// `activity.enableCallbacks`: standalone activities may have them too.
    pub activity_callbacks_enabled: bool,
    /// `history.enableWorkflowTaskCompletionPagination`: a workflow task's completion may come in pages.
    pub completion_pages_enabled: bool,
    /// `history.workflowTaskCompletionBufferSizeLimit`: bytes of the commands of all pages but the last; 0 is no
    /// limit.
    pub completion_size_max: usize,
    /// `component.callbacks.allowedAddresses`: where completion callbacks may go.
    pub callback_addresses: Vec<AllowedAddress>,
    /// `history.maximumSignalsPerExecution`.
    pub signals_per_execution_max: i64,
    /// `history.maximumBufferedEventsBatch`: events that may wait for a started workflow task.
    pub buffered_events_max: usize,
    /// `history.maximumBufferedEventsSizeInBytes`.
    pub buffered_size_max: usize,
    /// `history.defaultWorkflowTaskTimeout`.
    pub workflow_task_timeout_default: Duration,
    /// `history.workflowTaskHeartbeatTimeout`: how long a task may be kept alive by empty completions.
    pub workflow_task_heartbeat_max: Duration,
    /// `limit.mutableStateActivityFailureSize.error`: bytes of a retried activity's kept failure.
    pub activity_failure_size_max: usize,
    /// `history.workflowIdReuseMinimalInterval`: how close runs of one chain may start.
    pub continue_as_new_min_interval: Duration,
    /// `history.maxInFlightUpdates`: updates of a run without an outcome; 0 is no limit.
    pub updates_in_flight_max: usize,
    /// `history.maxInFlightUpdatePayloads`: bytes of a run's updates that are not accepted; 0 is no limit.
    pub updates_in_flight_size_max: usize,
    /// `history.maxTotalUpdates`: updates of a run; 0 is no limit.
    pub updates_total_max: usize,
    /// `history.maxTotalUpdates.suggestContinueAsNewThreshold`: the share of these from which on
    /// continue-as-new is advised; 0 is never.
    pub updates_suggest_threshold: f64,
    /// `history.discardSpeculativeWorkflowTaskMaximumEventsCount`: a speculative workflow task that brought
    /// more events is stored also when it led to nothing.
    pub speculative_events_max: i64,
    /// `worker.batcherRPS`: calls a second of one batch operation.
    pub batch_rate_max: u32,
    /// `worker.batcherConcurrency`: calls at a time of one batch operation.
    pub batch_concurrency: usize,
    /// `frontend.MaxConcurrentBatchOperationPerNamespace`.
    pub batches_running_max: usize,
    /// `frontend.MaxExecutionCountBatchOperationPerNamespace`: executions that a request may name.
    pub batch_executions_max: usize,
    /// `frontend.WorkflowTimeSkippingEnabled`: runs may skip time.
    pub time_skipping_enabled: bool,
    /// `frontend.WorkflowTimeSkippingMaxSkipPerSession`: skips until a run stops, where it asks for no other.
    pub time_skips_per_session_max: i32,
    /// Bytes of one search-attribute value (`limit.searchAttributesSizeOfValueLimit`).
    pub search_attribute_value_max: usize,
    /// Bytes of all search attributes (`limit.searchAttributesTotalSizeLimit`).
    pub search_attributes_total_max: usize,
    /// Number of search attributes (`limit.searchAttributesNumberOfKeysLimit`).
    pub search_attributes_keys_max: usize,
}

/// No workflow task may take longer than this, whatever is asked for (behaviour, section 3.4).
pub const WORKFLOW_TASK_TIMEOUT_MAX: Duration = Duration::from_secs(120);

impl Limits {
    /// From so many updates of a run on, continue-as-new is advised.
    pub fn updates_suggest(&self) -> usize {
        // A share of a small number; what does not fit is never reached.
        let count =
            (self.updates_total_max as f64 * self.updates_suggest_threshold).ceil() as usize;
        if count == 0 { usize::MAX } else { count }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            id_length_max: 1000,
            blob_size_error: 2 << 20,
            memo_size_error: 2 << 20,
            history_size_error: 50 << 20,
            history_count_error: 51_200,
            history_size_suggest: 4 << 20,
            history_count_suggest: 4096,
            pending_activities_max: 2000,
            pending_children_max: 2000,
            pending_signals_max: 2000,
            pending_cancel_requests_max: 2000,
            pending_nexus_operations_max: 30,
            callbacks_max: 2000,
            activity_callbacks_enabled: false,
            completion_pages_enabled: false,
            completion_size_max: 40 << 20,
            callback_addresses: Vec::new(),
            signals_per_execution_max: 10_000,
            buffered_events_max: 100,
            buffered_size_max: 2 << 20,
            workflow_task_timeout_default: Duration::from_secs(10),
            workflow_task_heartbeat_max: Duration::from_secs(30 * 60),
            activity_failure_size_max: 4 << 10,
            continue_as_new_min_interval: Duration::from_secs(1),
            updates_in_flight_max: 10,
            updates_in_flight_size_max: 20 << 20,
            updates_total_max: 2000,
            updates_suggest_threshold: 0.9,
            speculative_events_max: 10,
            batch_rate_max: 50,
            batch_concurrency: 5,
            batches_running_max: 1,
            batch_executions_max: 1000,
            time_skipping_enabled: false,
            time_skips_per_session_max: 200,
            search_attribute_value_max: 2 << 10,
            search_attributes_total_max: 40 << 10,
            search_attributes_keys_max: 100,
        }
    }
}
