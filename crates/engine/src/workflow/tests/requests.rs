//! Requests and their parts, from words.

use std::time::Duration;

use bytes::Bytes;
use proto::temporal::api::common::v1::{
    FastForwardConfig, Memo, Payload, Payloads, RetryPolicy, SearchAttributes, TimeSkippingConfig,
    WorkflowType,
};
use proto::temporal::api::enums::v1::{
    QueryRejectCondition, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowTaskFailedCause,
};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure, ServerFailureInfo};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflow::v1::OnConflictOptions;
use proto::temporal::api::workflowservice::v1::{
    SignalWithStartWorkflowExecutionRequest, StartWorkflowExecutionRequest,
};

use super::deployment::version_override;
use super::words::Words;
use crate::limits::Limits;
use crate::retry;
use crate::time::wire;

/// `StartWorkflowExecution`, as the frontend leaves it after validation.
pub(super) fn start(words: &mut Words) -> StartWorkflowExecutionRequest {
    let attach = words.flag("attach-request");
    let attach_completion_callbacks = words.flag("attach-callbacks");
    StartWorkflowExecutionRequest {
        workflow_id: words.text_or("wf", "order-1"),
        workflow_type: Some(workflow_type(&words.text_or("type", "T"))),
        task_queue: Some(queue(&words.text_or("queue", "q"))),
        input: words.text("input").map(|text| payloads(&text)),
        workflow_execution_timeout: words.wire_span("execution-timeout"),
        workflow_run_timeout: words.wire_span("run-timeout"),
        workflow_task_timeout: words.wire_span("task-timeout"),
        request_id: words.text_or("request", ""),
        workflow_id_reuse_policy: reuse(&words.text_or("reuse", "")),
        workflow_id_conflict_policy: conflict(&words.text_or("conflict", "")),
        retry_policy: retry_policy(words),
        cron_schedule: words.text_or("cron", ""),
        memo: memo(words),
        search_attributes: search_attributes(words),
        request_eager_execution: words.flag("eager"),
        workflow_start_delay: words.wire_span("delay"),
        versioning_override: version_override(words),
        time_skipping_config: time_skipping(words),
        on_conflict_options: attach.then(|| OnConflictOptions {
            attach_request_id: true,
            attach_completion_callbacks,
            ..OnConflictOptions::default()
        }),
        ..StartWorkflowExecutionRequest::default()
    }
}

/// `skips forward=30s max-skips=2 alone`: a run that skips time; `skips=off`: one that does not.
pub(super) fn time_skipping(words: &mut Words) -> Option<TimeSkippingConfig> {
    let off = words.text("skips").is_some();
    let forward = words.wire_span("forward");
    let max = words.number("max-skips").unwrap_or(200);
    let alone = words.flag("alone");
    (words.flag("skips") || off).then(|| TimeSkippingConfig {
        enabled: !off,
        fast_forward_config: forward.map(|duration| FastForwardConfig {
            id: "f".to_owned(),
            duration: Some(duration),
        }),
        disable_propagation: alone,
        max_session_skip_count: i32::try_from(max).expect("a small number"),
    })
}

/// `SignalWithStartWorkflowExecution`, as the frontend leaves it after validation.
pub(super) fn signal_with_start(words: &mut Words) -> SignalWithStartWorkflowExecutionRequest {
    SignalWithStartWorkflowExecutionRequest {
        workflow_id: words.text_or("wf", "order-1"),
        workflow_type: Some(workflow_type(&words.text_or("type", "T"))),
        task_queue: Some(queue(&words.text_or("queue", "q"))),
        signal_name: words.text_or("name", "s"),
        request_id: words.text_or("request", ""),
        workflow_id_reuse_policy: reuse(&words.text_or("reuse", "")),
        workflow_id_conflict_policy: conflict(&words.text_or("conflict", "")),
        workflow_start_delay: words.wire_span("delay"),
        cron_schedule: words.text_or("cron", ""),
        ..SignalWithStartWorkflowExecutionRequest::default()
    }
}

pub(super) fn workflow_type(name: &str) -> WorkflowType {
    WorkflowType {
        name: name.to_owned(),
    }
}

pub(super) fn queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        ..TaskQueue::default()
    }
}

/// A text as a payload; `blob:N` is one of N bytes, `null` one that stands for no value.
pub(super) fn payload(text: &str) -> Payload {
    let encoding =
        |name: &'static str| [("encoding".to_owned(), Bytes::from_static(name.as_bytes()))].into();
    if let Some(size) = text.strip_prefix("blob:") {
        return Payload {
            metadata: encoding("binary/plain"),
            data: vec![0; size.parse().expect("a blob's size is a number")].into(),
            ..Payload::default()
        };
    }
    if text == "null" {
        return Payload {
            metadata: encoding("binary/null"),
            ..Payload::default()
        };
    }
    let number = text.parse::<i64>().is_ok();
    let data = if number {
        text.to_owned()
    } else {
        format!("\"{text}\"")
    };
    Payload {
        metadata: encoding("json/plain"),
        data: data.into(),
        ..Payload::default()
    }
}

pub(super) fn payloads(text: &str) -> Payloads {
    Payloads {
        payloads: vec![payload(text)],
    }
}

fn fields(list: Vec<Words>) -> std::collections::BTreeMap<String, Payload> {
    let pairs = list.into_iter().flat_map(|mut words| words.rest());
    pairs.map(|(name, text)| (name, payload(&text))).collect()
}

/// `memo=(a=1, b=two)`.
pub(super) fn memo(words: &mut Words) -> Option<Memo> {
    let fields = fields(words.list("memo"));
    (!fields.is_empty()).then_some(Memo { fields })
}

/// `attributes=(CustomKeyword=x)`.
pub(super) fn search_attributes(words: &mut Words) -> Option<SearchAttributes> {
    let indexed_fields = fields(words.list("attributes"));
    (!indexed_fields.is_empty()).then_some(SearchAttributes { indexed_fields })
}

/// `retry=(attempts=3 initial=1s coefficient=2 maximum=10s except=Bad)`, filled in.
pub(super) fn retry_policy(words: &mut Words) -> Option<RetryPolicy> {
    raw_retry_policy(words).map(|policy| retry::completed(&policy).expect("a sound policy"))
}

/// The same, as it was given.
pub(super) fn raw_retry_policy(words: &mut Words) -> Option<RetryPolicy> {
    let mut words = words.list("retry").pop()?;
    let policy = RetryPolicy {
        initial_interval: words.wire_span("initial"),
        backoff_coefficient: words
            .text("coefficient")
            .map_or(0.0, |text| text.parse().expect("a coefficient is a number")),
        maximum_interval: words.wire_span("maximum"),
        maximum_attempts: words.number("attempts").unwrap_or(0) as i32,
        non_retryable_error_types: words.text("except").into_iter().collect(),
    };
    words.end().expect("a known part of a retry policy");
    Some(policy)
}

/// An activity's or a workflow's failure: `message= type= delay= final`, or `server` for the server's own.
pub(super) fn failure(words: &mut Words) -> Failure {
    let message = words.text_or("message", "boom");
    if words.flag("server") {
        return Failure {
            message,
            failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo::default())),
            ..Failure::default()
        };
    }
    if words.flag("bare") {
        return Failure {
            message,
            failure_info: Some(FailureInfo::CanceledFailureInfo(Default::default())),
            ..Failure::default()
        };
    }
    let padding = words.number("padding").unwrap_or(0);
    Failure {
        message,
        stack_trace: "x".repeat(usize::try_from(padding).expect("a size")),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: words.text_or("type", ""),
                non_retryable: words.flag("final"),
                next_retry_delay: words.wire_span("delay"),
                ..ApplicationFailureInfo::default()
            },
        )),
        ..Failure::default()
    }
}

pub(super) fn failure_of(message: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(Default::default())),
        ..Failure::default()
    }
}

/// `FooBar` as `PREFIX_FOO_BAR`.
pub(super) fn shouting(prefix: &str, name: &str) -> String {
    let mut out = prefix.to_owned();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

fn reuse(name: &str) -> i32 {
    if name.is_empty() {
        return 0;
    }
    let name = shouting("WORKFLOW_ID_REUSE_POLICY_", name);
    WorkflowIdReusePolicy::from_str_name(&name).expect("a reuse policy") as i32
}

pub(super) fn reuse_policy(words: &mut Words) -> i32 {
    reuse(&words.text_or("reuse", ""))
}

fn conflict(name: &str) -> i32 {
    if name.is_empty() {
        return 0;
    }
    let name = shouting("WORKFLOW_ID_CONFLICT_POLICY_", name);
    WorkflowIdConflictPolicy::from_str_name(&name).expect("a conflict policy") as i32
}

pub(super) fn task_failed_cause(name: &str) -> i32 {
    let name = shouting("WORKFLOW_TASK_FAILED_CAUSE_", name);
    WorkflowTaskFailedCause::from_str_name(&name).expect("a cause") as i32
}

pub(super) fn reject_condition(name: &str) -> i32 {
    let name = shouting("QUERY_REJECT_CONDITION_", name);
    QueryRejectCondition::from_str_name(&name).expect("a condition") as i32
}

/// Lowers limits so that a story reaches them.
pub(super) fn limits(words: &mut Words, limits: &mut Limits) {
    let size = |words: &mut Words, key: &str, to: &mut usize| {
        if let Some(value) = words.number(key) {
            *to = usize::try_from(value).expect("a limit is no less than zero");
        }
    };
    size(words, "blob", &mut limits.blob_size_error);
    size(words, "memo", &mut limits.memo_size_error);
    size(words, "buffered", &mut limits.buffered_events_max);
    size(words, "buffered-size", &mut limits.buffered_size_max);
    size(words, "activities", &mut limits.pending_activities_max);
    size(words, "children", &mut limits.pending_children_max);
    size(words, "external-signals", &mut limits.pending_signals_max);
    size(
        words,
        "nexus-operations",
        &mut limits.pending_nexus_operations_max,
    );
    size(words, "callbacks", &mut limits.callbacks_max);
    size(
        words,
        "external-cancels",
        &mut limits.pending_cancel_requests_max,
    );
    size(words, "updates", &mut limits.updates_in_flight_max);
    size(
        words,
        "updates-size",
        &mut limits.updates_in_flight_size_max,
    );
    size(words, "updates-total", &mut limits.updates_total_max);
    size(words, "completion", &mut limits.completion_size_max);
    limits.completion_pages_enabled |= words.flag("pages");
    let count = |words: &mut Words, key: &str, to: &mut i64| {
        *to = words.number(key).unwrap_or(*to);
    };
    count(words, "history-count", &mut limits.history_count_error);
    count(words, "history-size", &mut limits.history_size_error);
    count(words, "suggest-count", &mut limits.history_count_suggest);
    count(words, "signals", &mut limits.signals_per_execution_max);
    if let Some(span) = words.span("heartbeat") {
        limits.workflow_task_heartbeat_max = span;
    }
}

/// A span on the wire, from seconds.
pub(super) fn seconds(seconds: u64) -> proto::Duration {
    wire(Duration::from_secs(seconds))
}
