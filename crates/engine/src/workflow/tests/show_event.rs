//! What a story shows of each event's attributes. References of commands to their workflow task are not
//! shown: the audit checks them.

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::{
    Priority, RetryPolicy, TimeSkippingConfig, TimeSkippingStatePropagation, WorkerVersionStamp,
};
use proto::temporal::api::enums::v1::{
    CancelExternalWorkflowExecutionFailedCause as CancelFailed, ContinueAsNewInitiator,
    SignalExternalWorkflowExecutionFailedCause as SignalFailed,
    StartChildWorkflowExecutionFailedCause as StartFailed, SuggestContinueAsNewReason,
    TaskQueueKind, TimeoutType, WorkflowTaskFailedCause,
};
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::history::v1::{
    ActivityTaskScheduledEventAttributes, HistoryEvent,
    StartChildWorkflowExecutionInitiatedEventAttributes, WorkflowExecutionStartedEventAttributes,
};

use proto::temporal::api::workflow::v1::VersioningOverride;
use proto::temporal::api::workflow::v1::versioning_override::Override;

use super::script::{since, spelled};
use super::show::{Line, payload_text, version};
use super::updates;
use crate::time::{Timestamp, duration};
use crate::workflow::command::camel;

/// Adds what matters.
pub(super) fn attributes(line: &mut Line, event: &HistoryEvent) {
    line.flag("ignorable", event.worker_may_ignore);
    let Some(attributes) = &event.attributes else {
        return;
    };
    match attributes {
        A::WorkflowExecutionStartedEventAttributes(a) => started(line, a),
        A::WorkflowTaskScheduledEventAttributes(a) => {
            if let Some(queue) = &a.task_queue
                && queue.kind() == TaskQueueKind::Sticky
            {
                line.text("sticky", &queue.name);
                line.text("normal", &queue.normal_name);
            }
            line.attempt(a.attempt);
            let timeout = duration(a.start_to_close_timeout.as_ref());
            if timeout.as_secs() != 10 {
                line.text("timeout", &format!("{:.1}s", timeout.as_secs_f64()));
            }
        }
        A::WorkflowTaskStartedEventAttributes(a) => {
            line.flag(
                "target-version-changed",
                a.target_worker_deployment_version_changed,
            );
            line.text("build", build_id(a.worker_version.as_ref()));
            line.flag("suggest-continue-as-new", a.suggest_continue_as_new);
            for reason in &a.suggest_continue_as_new_reasons {
                let reason = SuggestContinueAsNewReason::try_from(*reason).unwrap_or_default();
                let name = camel(reason.as_str_name(), "SUGGEST_CONTINUE_AS_NEW_REASON_");
                line.text("because", &name);
            }
        }
        A::WorkflowTaskCompletedEventAttributes(a) => {
            line.behavior(a.versioning_behavior);
            line.text("version", &version(a.deployment_version.as_ref()));
            line.text("build", build_id(a.worker_version.as_ref()));
        }
        A::WorkflowTaskFailedEventAttributes(a) => {
            let cause = WorkflowTaskFailedCause::try_from(a.cause).unwrap_or_default();
            let cause = camel(cause.as_str_name(), "WORKFLOW_TASK_FAILED_CAUSE_");
            line.text("cause", &cause);
            line.failure("failure", a.failure.as_ref());
            line.text(
                "by",
                if a.identity == "worker" {
                    ""
                } else {
                    &a.identity
                },
            );
        }
        A::WorkflowTaskTimedOutEventAttributes(a) => {
            line.text("type", &timeout_type(a.timeout_type));
            line.id("scheduled", a.scheduled_event_id);
            line.id("started", a.started_event_id);
        }
        A::TimerStartedEventAttributes(a) => line.text("id", &a.timer_id),
        A::TimerFiredEventAttributes(a) => {
            line.text("id", &a.timer_id);
            line.id("started", a.started_event_id);
        }
        A::TimerCanceledEventAttributes(a) => {
            line.text("id", &a.timer_id);
            line.id("started", a.started_event_id);
            line.text(
                "by",
                if a.identity == "worker" {
                    ""
                } else {
                    &a.identity
                },
            );
        }
        A::MarkerRecordedEventAttributes(a) => line.text("name", &a.marker_name),
        A::UpsertWorkflowSearchAttributesEventAttributes(a) => {
            for (name, payload) in a.search_attributes.iter().flat_map(|s| &s.indexed_fields) {
                line.text(name, &payload_text(payload));
            }
        }
        A::WorkflowPropertiesModifiedEventAttributes(a) => {
            for (name, payload) in a.upserted_memo.iter().flat_map(|memo| &memo.fields) {
                line.text(name, &payload_text(payload));
            }
        }
        A::WorkflowExecutionSignaledEventAttributes(a) => {
            line.text("name", &a.signal_name);
            line.payloads("input", a.input.as_ref());
            line.execution("from", a.external_workflow_execution.as_ref());
            line.text("by", &a.identity);
        }
        A::WorkflowExecutionCancelRequestedEventAttributes(a) => {
            line.text("cause", &a.cause);
            line.execution("from", a.external_workflow_execution.as_ref());
            line.id("initiated", a.external_initiated_event_id);
        }
        A::WorkflowExecutionPausedEventAttributes(a) => {
            line.text("by", &a.identity);
            line.text("reason", &a.reason);
        }
        A::WorkflowExecutionUnpausedEventAttributes(a) => {
            line.text("by", &a.identity);
            line.text("reason", &a.reason);
        }
        A::WorkflowExecutionOptionsUpdatedEventAttributes(a) => {
            line.text("request", &a.attached_request_id);
            workflow_options(line, a.versioning_override.as_ref(), a.priority.as_ref());
            line.flag("no-override", a.unset_versioning_override);
            line.id("callbacks", a.attached_completion_callbacks.len() as i64);
            for update in &a.workflow_update_options {
                line.text("update", &update.update_id);
                line.text("update-request", &update.attached_request_id);
            }
            if a.time_skipping_config_updated {
                time_skipping(line, a.time_skipping_config.as_ref(), None);
            }
        }
        A::WorkflowExecutionTimeSkippingTransitionedEventAttributes(a) => {
            let time = event.event_time.as_ref().map(Timestamp::from_proto);
            let target = a.target_time.as_ref().map(Timestamp::from_proto);
            if let (Some(time), Some(target)) = (time, target) {
                line.text("by", &since(time, target)[1..]);
            }
            line.flag("fast-forward-over", a.disabled_after_fast_forward);
        }
        A::WorkflowExecutionUpdateAdmittedEventAttributes(a) => {
            let meta = a.request.iter().filter_map(|r| r.meta.as_ref()).next();
            line.text("id", meta.map_or("", |meta| &meta.update_id));
            line.word(&format!("{:?}", a.origin()));
        }
        A::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
            line.text("id", &a.protocol_instance_id);
            line.id("after", a.accepted_request_sequencing_event_id);
            line.flag("without-request", a.accepted_request.is_none());
        }
        A::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
            line.text("id", a.meta.as_ref().map_or("", |meta| &meta.update_id));
            line.id("accepted", a.accepted_event_id);
            line.word(&updates::outcome_text(a.outcome.as_ref()));
        }
        _ => activities(line, attributes),
    }
}

fn activities(line: &mut Line, attributes: &A) {
    match attributes {
        A::ActivityTaskScheduledEventAttributes(a) => activity_scheduled(line, a),
        A::ActivityTaskStartedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.attempt(a.attempt);
            line.failure("last_failure", a.last_failure.as_ref());
            line.text("build", build_id(a.worker_version.as_ref()));
        }
        A::ActivityTaskCompletedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.id("started", a.started_event_id);
            line.payloads("result", a.result.as_ref());
        }
        A::ActivityTaskFailedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.id("started", a.started_event_id);
            line.retry_state(a.retry_state);
            line.failure("failure", a.failure.as_ref());
        }
        A::ActivityTaskTimedOutEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.id("started", a.started_event_id);
            line.retry_state(a.retry_state);
            line.failure("failure", a.failure.as_ref());
        }
        A::ActivityTaskCancelRequestedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
        }
        A::ActivityTaskCanceledEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.id("started", a.started_event_id);
            line.id("requested", a.latest_cancel_requested_event_id);
            line.payloads("details", a.details.as_ref());
        }
        _ => closes(line, attributes),
    }
}

fn closes(line: &mut Line, attributes: &A) {
    match attributes {
        A::WorkflowExecutionCompletedEventAttributes(a) => {
            line.payloads("result", a.result.as_ref());
            line.text("next", &a.new_execution_run_id);
        }
        A::WorkflowExecutionFailedEventAttributes(a) => {
            line.retry_state(a.retry_state);
            line.failure("failure", a.failure.as_ref());
            line.text("next", &a.new_execution_run_id);
        }
        A::WorkflowExecutionTimedOutEventAttributes(a) => {
            line.retry_state(a.retry_state);
            line.text("next", &a.new_execution_run_id);
        }
        A::WorkflowExecutionCanceledEventAttributes(a) => {
            line.payloads("details", a.details.as_ref());
        }
        A::WorkflowExecutionTerminatedEventAttributes(a) => {
            line.text("reason", &a.reason);
            line.payloads("details", a.details.as_ref());
            line.text("by", &a.identity);
        }
        A::WorkflowExecutionContinuedAsNewEventAttributes(a) => {
            line.text("next", &a.new_execution_run_id);
            line.span("backoff", a.backoff_start_interval.as_ref());
            line.text("initiator", &initiator(a.initiator));
        }
        _ => children(line, attributes),
    }
}

fn children(line: &mut Line, attributes: &A) {
    let result = |line: &mut Line, initiated: i64, started: i64| {
        line.id("initiated", initiated);
        line.id("started", started);
    };
    match attributes {
        A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => child_initiated(line, a),
        A::StartChildWorkflowExecutionFailedEventAttributes(a) => {
            line.id("initiated", a.initiated_event_id);
            let cause = StartFailed::try_from(a.cause).unwrap_or_default();
            let prefix = "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_";
            line.text("cause", &camel(cause.as_str_name(), prefix));
        }
        A::ChildWorkflowExecutionStartedEventAttributes(a) => {
            line.id("initiated", a.initiated_event_id);
            line.execution("child", a.workflow_execution.as_ref());
        }
        A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
            result(line, a.initiated_event_id, a.started_event_id);
            line.payloads("result", a.result.as_ref());
            line.execution("child", a.workflow_execution.as_ref());
        }
        A::ChildWorkflowExecutionFailedEventAttributes(a) => {
            result(line, a.initiated_event_id, a.started_event_id);
            line.retry_state(a.retry_state);
            line.failure("failure", a.failure.as_ref());
            line.execution("child", a.workflow_execution.as_ref());
        }
        A::ChildWorkflowExecutionCanceledEventAttributes(a) => {
            result(line, a.initiated_event_id, a.started_event_id);
        }
        A::ChildWorkflowExecutionTimedOutEventAttributes(a) => {
            result(line, a.initiated_event_id, a.started_event_id);
            line.retry_state(a.retry_state);
        }
        A::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
            result(line, a.initiated_event_id, a.started_event_id);
        }
        A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            line.execution("to", a.workflow_execution.as_ref());
            line.text("name", &a.signal_name);
        }
        A::SignalExternalWorkflowExecutionFailedEventAttributes(a) => {
            line.id("initiated", a.initiated_event_id);
            let cause = SignalFailed::try_from(a.cause).unwrap_or_default();
            let prefix = "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_";
            line.text("cause", &camel(cause.as_str_name(), prefix));
        }
        A::ExternalWorkflowExecutionSignaledEventAttributes(a) => {
            line.id("initiated", a.initiated_event_id);
        }
        A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            line.execution("to", a.workflow_execution.as_ref());
        }
        A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
            line.id("initiated", a.initiated_event_id);
            let cause = CancelFailed::try_from(a.cause).unwrap_or_default();
            let prefix = "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_";
            line.text("cause", &camel(cause.as_str_name(), prefix));
        }
        A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
            line.id("initiated", a.initiated_event_id);
        }
        _ => nexus(line, attributes),
    }
}

/// How a run skips time, and what it has of another.
fn time_skipping(
    line: &mut Line,
    config: Option<&TimeSkippingConfig>,
    inherited: Option<&TimeSkippingStatePropagation>,
) {
    if let Some(config) = config {
        line.text("skips", if config.enabled { "on" } else { "off" });
        let forward = config.fast_forward_config.as_ref();
        line.span("forward", forward.and_then(|it| it.duration.as_ref()));
    }
    if let Some(inherited) = inherited {
        line.span("ahead", inherited.initial_skipped_duration.as_ref());
        line.id("skipped", i64::from(inherited.initial_skip_count));
        line.flag("forwards", inherited.fast_forward_target_time.is_some());
    }
}

fn started(line: &mut Line, a: &WorkflowExecutionStartedEventAttributes) {
    time_skipping(
        line,
        a.time_skipping_config.as_ref(),
        a.time_skipping_state_propagation.as_ref(),
    );
    line.text("pinned", &version(a.inherited_pinned_version.as_ref()));
    if let Some(info) = &a.inherited_auto_upgrade_info {
        line.text(
            "from-version",
            &version(info.source_deployment_version.as_ref()),
        );
    }
    line.flag("overridden", a.versioning_override.is_some());
    line.flag(
        "declined-upgrade",
        a.declined_target_version_upgrade.is_some(),
    );
    line.attempt(a.attempt);
    line.payloads("input", a.input.as_ref());
    line.text("initiator", &initiator(a.initiator));
    line.text("continued", &a.continued_execution_run_id);
    if a.first_execution_run_id != a.original_execution_run_id {
        line.text("first", &a.first_execution_run_id);
    }
    line.span("backoff", a.first_workflow_task_backoff.as_ref());
    line.span("run-timeout", a.workflow_run_timeout.as_ref());
    line.span("execution-timeout", a.workflow_execution_timeout.as_ref());
    if duration(a.workflow_task_timeout.as_ref()).as_secs() != 10 {
        line.span("task-timeout", a.workflow_task_timeout.as_ref());
    }
    if let Some(policy) = &a.retry_policy {
        line.text("retry-attempts", &policy.maximum_attempts.to_string());
    }
    line.text("cron", &a.cron_schedule);
    line.failure("failure", a.continued_failure.as_ref());
    line.payloads("last_result", a.last_completion_result.as_ref());
    for (name, payload) in a.memo.iter().flat_map(|memo| &memo.fields) {
        line.text(&format!("memo.{name}"), &payload_text(payload));
    }
    for (name, payload) in a.search_attributes.iter().flat_map(|s| &s.indexed_fields) {
        line.text(name, &payload_text(payload));
    }
    line.execution("parent", a.parent_workflow_execution.as_ref());
    line.id("initiated", a.parent_initiated_event_id);
    line.execution("root", a.root_workflow_execution.as_ref());
    let points = a.prev_auto_reset_points.iter().flat_map(|p| &p.points);
    line.id("reset-points", points.count() as i64);
    line.flag("eager", a.eager_execution_accepted);
}

fn activity_scheduled(line: &mut Line, a: &ActivityTaskScheduledEventAttributes) {
    line.text("id", &a.activity_id);
    let spans = [
        &a.schedule_to_close_timeout,
        &a.schedule_to_start_timeout,
        &a.start_to_close_timeout,
        &a.heartbeat_timeout,
    ];
    timeouts_and_policy(line, spans, a.retry_policy.as_ref());
}

/// A run's options.
pub(super) fn workflow_options(
    line: &mut Line,
    chosen: Option<&VersioningOverride>,
    priority: Option<&Priority>,
) {
    match chosen.and_then(|chosen| chosen.r#override.as_ref()) {
        Some(Override::AutoUpgrade(_)) => line.word("auto-upgrade"),
        Some(Override::Pinned(pinned)) => {
            let version = pinned.version.clone().unwrap_or_default();
            let text = format!("{}:{}", version.deployment_name, version.build_id);
            line.text("pinned", &text);
        }
        Some(Override::OneTime(_)) => line.word("one-time"),
        None => {}
    }
    if let Some(priority) = priority {
        line.text("priority", &priority.priority_key.to_string());
        line.text("fairness", &priority.fairness_key);
    }
}

/// An activity's options.
pub(super) fn options(line: &mut Line, options: &ActivityOptions) {
    line.text("queue", options.task_queue.as_ref().map_or("", |q| &q.name));
    let spans = [
        &options.schedule_to_close_timeout,
        &options.schedule_to_start_timeout,
        &options.start_to_close_timeout,
        &options.heartbeat_timeout,
    ];
    timeouts_and_policy(line, spans, options.retry_policy.as_ref());
    let key = options.priority.as_ref().map_or(0, |p| p.priority_key);
    line.id("priority", i64::from(key));
}

fn timeouts_and_policy(
    line: &mut Line,
    spans: [&Option<proto::Duration>; 4],
    policy: Option<&RetryPolicy>,
) {
    // Absent, which no stored event may have, would show as a dash.
    let shown = |span: &Option<proto::Duration>| match span {
        None => "-".to_owned(),
        some => spelled(duration(some.as_ref())),
    };
    line.text("timeouts", &spans.map(shown).join("/"));
    if let Some(policy) = policy {
        let interval = |span: &Option<proto::Duration>| spelled(duration(span.as_ref()));
        let text = format!(
            "{}x{}<{}#{}",
            interval(&policy.initial_interval),
            policy.backoff_coefficient,
            interval(&policy.maximum_interval),
            policy.maximum_attempts
        );
        // The default policy: retried without limit.
        if text != "1sx2<100s#0" {
            line.text("retry", &text);
        }
    }
}

fn child_initiated(line: &mut Line, a: &StartChildWorkflowExecutionInitiatedEventAttributes) {
    line.text("id", &a.workflow_id);
    line.text("queue", a.task_queue.as_ref().map_or("", |q| &q.name));
    let policy = camel(
        a.parent_close_policy().as_str_name(),
        "PARENT_CLOSE_POLICY_",
    );
    line.text("on-parent-close", &policy);
    let reuse = camel(
        a.workflow_id_reuse_policy().as_str_name(),
        "WORKFLOW_ID_REUSE_POLICY_",
    );
    line.text("reuse", &reuse);
    workflow_options(line, a.versioning_override.as_ref(), None);
}

fn timeout_type(wire: i32) -> String {
    let kind = TimeoutType::try_from(wire).unwrap_or_default();
    camel(kind.as_str_name(), "TIMEOUT_TYPE_")
}

fn initiator(wire: i32) -> String {
    match ContinueAsNewInitiator::try_from(wire).unwrap_or_default() {
        ContinueAsNewInitiator::Unspecified => String::new(),
        some => camel(some.as_str_name(), "CONTINUE_AS_NEW_INITIATOR_"),
    }
}

fn nexus(line: &mut Line, attributes: &A) {
    match attributes {
        A::NexusOperationScheduledEventAttributes(a) => {
            line.text("endpoint", &a.endpoint);
            let spans = [
                &a.schedule_to_close_timeout,
                &a.schedule_to_start_timeout,
                &a.start_to_close_timeout,
            ];
            let names = ["schedule-to-close", "schedule-to-start", "start-to-close"];
            for (name, span) in names.into_iter().zip(spans) {
                line.span(name, span.as_ref());
            }
        }
        A::NexusOperationStartedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.text("token", &a.operation_token);
        }
        A::NexusOperationCompletedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            if let Some(payload) = &a.result {
                line.text("result", &payload_text(payload));
            }
        }
        A::NexusOperationFailedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.failure("failure", a.failure.as_ref());
        }
        A::NexusOperationCanceledEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.failure("failure", a.failure.as_ref());
        }
        A::NexusOperationTimedOutEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.failure("failure", a.failure.as_ref());
        }
        A::NexusOperationCancelRequestedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
        }
        A::NexusOperationCancelRequestCompletedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.id("requested", a.requested_event_id);
        }
        A::NexusOperationCancelRequestFailedEventAttributes(a) => {
            line.id("scheduled", a.scheduled_event_id);
            line.id("requested", a.requested_event_id);
            line.failure("failure", a.failure.as_ref());
        }
        _ => {}
    }
}

fn build_id(stamp: Option<&WorkerVersionStamp>) -> &str {
    stamp.map_or("", |stamp| &stamp.build_id)
}
