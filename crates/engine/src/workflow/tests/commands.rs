//! Commands of a completed workflow task, from words.

use std::collections::BTreeMap;

use proto::temporal::api::command::v1::command::Attributes as A;
use proto::temporal::api::command::v1::*;
use proto::temporal::api::common::v1::{ActivityType, WorkerVersionStamp, WorkflowExecution};
use proto::temporal::api::enums::v1::{CommandType, ParentClosePolicy};
use proto::temporal::api::taskqueue::v1::StickyExecutionAttributes;
use proto::temporal::api::workflowservice::v1::RespondWorkflowTaskCompletedRequest;
use proto::temporal::api::workflowservice::v1::respond_workflow_task_completed_request::Capabilities;

use super::deployment::version_override;
use super::requests::{self, payloads, queue, workflow_type};
use super::updates;
use super::words::Words;

/// `commands=(...) sticky=Q sticky-timeout=5s force-new return-new`.
pub(super) fn completion(words: &mut Words) -> RespondWorkflowTaskCompletedRequest {
    let sticky = words.text("sticky").map(|name| StickyExecutionAttributes {
        worker_task_queue: Some(queue(&name)),
        schedule_to_start_timeout: Some(
            words
                .wire_span("sticky-timeout")
                .unwrap_or(requests::seconds(10)),
        ),
    });
    RespondWorkflowTaskCompletedRequest {
        commands: words.list("commands").into_iter().map(command).collect(),
        messages: words
            .list("messages")
            .into_iter()
            .map(updates::message)
            .collect(),
        capabilities: words.flag("takes-again").then_some(Capabilities {
            discard_speculative_workflow_task_with_events: true,
        }),
        identity: "worker".to_owned(),
        sticky_attributes: sticky,
        page_number: words.number("page").map_or(0, |page| page as i32),
        intermediate_page: words.flag("more"),
        force_create_new_workflow_task: words.flag("force-new"),
        return_new_workflow_task: words.flag("return-new"),
        binary_checksum: words.text_or("checksum", ""),
        worker_version_stamp: words.text("build").map(|build_id| WorkerVersionStamp {
            build_id,
            use_versioning: false,
        }),
        ..RespondWorkflowTaskCompletedRequest::default()
    }
}

/// One command. `Bare type=StartTimer` is one without its attributes.
fn command(mut words: Words) -> Command {
    let name = words.verb().expect("a command has a name");
    if name == "Message" {
        return updates::protocol_message(&mut words);
    }
    let (kind, attributes) = attributes(&name, &mut words);
    words.end().expect("a known part of a command");
    Command {
        command_type: kind as i32,
        attributes,
        ..Command::default()
    }
}

fn attributes(name: &str, words: &mut Words) -> (CommandType, Option<A>) {
    use CommandType as C;
    let (kind, a) = match name {
        "Bare" => {
            let kind = requests::shouting("COMMAND_TYPE_", &words.text_or("type", ""));
            return (C::from_str_name(&kind).expect("a command type"), None);
        }
        "StartTimer" => (C::StartTimer, start_timer(words)),
        "CancelTimer" => (C::CancelTimer, cancel_timer(words)),
        "ScheduleActivity" => (C::ScheduleActivityTask, schedule_activity(words)),
        "CancelActivity" => (C::RequestCancelActivityTask, cancel_activity(words)),
        "Complete" => (C::CompleteWorkflowExecution, complete(words)),
        "Fail" => (C::FailWorkflowExecution, fail(words)),
        "Cancel" => (C::CancelWorkflowExecution, cancel(words)),
        "ContinueAsNew" => (C::ContinueAsNewWorkflowExecution, continue_as_new(words)),
        "RecordMarker" => (C::RecordMarker, record_marker(words)),
        "Upsert" => (C::UpsertWorkflowSearchAttributes, upsert(words)),
        "ModifyMemo" => (C::ModifyWorkflowProperties, modify(words)),
        "StartChild" => (C::StartChildWorkflowExecution, start_child(words)),
        "ScheduleNexus" => (C::ScheduleNexusOperation, schedule_nexus(words)),
        "CancelNexus" => (C::RequestCancelNexusOperation, cancel_nexus(words)),
        "SignalExternal" => (C::SignalExternalWorkflowExecution, signal_external(words)),
        "CancelExternal" => (
            C::RequestCancelExternalWorkflowExecution,
            cancel_external(words),
        ),
        _ => panic!("no command {name}"),
    };
    (kind, Some(a))
}

fn start_timer(words: &mut Words) -> A {
    A::StartTimerCommandAttributes(StartTimerCommandAttributes {
        timer_id: words.text_or("id", "t"),
        start_to_fire_timeout: words.wire_span("after"),
    })
}

fn cancel_timer(words: &mut Words) -> A {
    A::CancelTimerCommandAttributes(CancelTimerCommandAttributes {
        timer_id: words.text_or("id", "t"),
    })
}

fn schedule_activity(words: &mut Words) -> A {
    let input = words.text("input").map(|text| payloads(&text));
    let no_timeouts = words.flag("no-timeouts");
    let schedule_to_close_timeout = words.wire_span("schedule-to-close");
    let start_to_close_timeout = words.wire_span("start-to-close").or_else(|| {
        (schedule_to_close_timeout.is_none() && !no_timeouts).then(|| requests::seconds(10))
    });
    A::ScheduleActivityTaskCommandAttributes(ScheduleActivityTaskCommandAttributes {
        activity_id: words.text_or("id", "a"),
        activity_type: Some(ActivityType {
            name: words.text_or("type", "A"),
        }),
        task_queue: Some(queue(&words.text_or("queue", "q"))),
        input,
        schedule_to_close_timeout,
        schedule_to_start_timeout: words.wire_span("schedule-to-start"),
        start_to_close_timeout,
        heartbeat_timeout: words.wire_span("heartbeat"),
        retry_policy: requests::raw_retry_policy(words),
        request_eager_execution: words.flag("eager"),
        ..ScheduleActivityTaskCommandAttributes::default()
    })
}

fn cancel_activity(words: &mut Words) -> A {
    A::RequestCancelActivityTaskCommandAttributes(RequestCancelActivityTaskCommandAttributes {
        scheduled_event_id: words.number("scheduled").unwrap_or(0),
    })
}

fn schedule_nexus(words: &mut Words) -> A {
    A::ScheduleNexusOperationCommandAttributes(ScheduleNexusOperationCommandAttributes {
        endpoint: words.text_or("endpoint", "ep"),
        service: words.text_or("service", "svc"),
        operation: words.text_or("operation", "op"),
        input: words
            .text("input")
            .and_then(|text| payloads(&text).payloads.into_iter().next()),
        schedule_to_close_timeout: words.wire_span("schedule-to-close"),
        schedule_to_start_timeout: words.wire_span("schedule-to-start"),
        start_to_close_timeout: words.wire_span("start-to-close"),
        nexus_header: words
            .text("header")
            .map(|name| (name, "v".to_owned()))
            .into_iter()
            .collect(),
    })
}

fn cancel_nexus(words: &mut Words) -> A {
    A::RequestCancelNexusOperationCommandAttributes(RequestCancelNexusOperationCommandAttributes {
        scheduled_event_id: words.number("scheduled").unwrap_or(0),
    })
}

fn complete(words: &mut Words) -> A {
    A::CompleteWorkflowExecutionCommandAttributes(CompleteWorkflowExecutionCommandAttributes {
        result: words.text("result").map(|text| payloads(&text)),
    })
}

fn fail(words: &mut Words) -> A {
    let failure = (!words.flag("no-failure")).then(|| requests::failure(words));
    A::FailWorkflowExecutionCommandAttributes(FailWorkflowExecutionCommandAttributes { failure })
}

fn cancel(words: &mut Words) -> A {
    A::CancelWorkflowExecutionCommandAttributes(CancelWorkflowExecutionCommandAttributes {
        details: words.text("details").map(|text| payloads(&text)),
    })
}

fn continue_as_new(words: &mut Words) -> A {
    A::ContinueAsNewWorkflowExecutionCommandAttributes(
        ContinueAsNewWorkflowExecutionCommandAttributes {
            workflow_type: words.text("type").map(|name| workflow_type(&name)),
            task_queue: words.text("queue").map(|name| queue(&name)),
            input: words.text("input").map(|text| payloads(&text)),
            workflow_run_timeout: words.wire_span("run-timeout"),
            workflow_task_timeout: words.wire_span("task-timeout"),
            backoff_start_interval: words.wire_span("backoff"),
            retry_policy: requests::raw_retry_policy(words),
            cron_schedule: words.text_or("cron", ""),
            memo: requests::memo(words),
            search_attributes: requests::search_attributes(words),
            ..ContinueAsNewWorkflowExecutionCommandAttributes::default()
        },
    )
}

fn record_marker(words: &mut Words) -> A {
    let details = words.text("details").map(|text| payloads(&text));
    let details: BTreeMap<_, _> = details
        .into_iter()
        .map(|d| ("data".to_owned(), d))
        .collect();
    A::RecordMarkerCommandAttributes(RecordMarkerCommandAttributes {
        marker_name: words.text_or("name", ""),
        details,
        ..RecordMarkerCommandAttributes::default()
    })
}

fn upsert(words: &mut Words) -> A {
    A::UpsertWorkflowSearchAttributesCommandAttributes(
        UpsertWorkflowSearchAttributesCommandAttributes {
            search_attributes: requests::search_attributes(words),
        },
    )
}

fn modify(words: &mut Words) -> A {
    A::ModifyWorkflowPropertiesCommandAttributes(ModifyWorkflowPropertiesCommandAttributes {
        upserted_memo: requests::memo(words),
    })
}

fn start_child(words: &mut Words) -> A {
    let policy = words.text("on-parent-close").map_or(0, |name| {
        let name = requests::shouting("PARENT_CLOSE_POLICY_", &name);
        ParentClosePolicy::from_str_name(&name).expect("a parent close policy") as i32
    });
    A::StartChildWorkflowExecutionCommandAttributes(StartChildWorkflowExecutionCommandAttributes {
        namespace: words.text_or("namespace", ""),
        workflow_id: words.text_or("id", "child-1"),
        workflow_type: Some(workflow_type(&words.text_or("type", "C"))),
        task_queue: words.text("queue").map(|name| queue(&name)),
        workflow_execution_timeout: words.wire_span("execution-timeout"),
        workflow_run_timeout: words.wire_span("run-timeout"),
        parent_close_policy: policy,
        workflow_id_reuse_policy: requests::reuse_policy(words),
        retry_policy: requests::raw_retry_policy(words),
        cron_schedule: words.text_or("cron", ""),
        versioning_override: version_override(words),
        ..StartChildWorkflowExecutionCommandAttributes::default()
    })
}

fn signal_external(words: &mut Words) -> A {
    A::SignalExternalWorkflowExecutionCommandAttributes(
        SignalExternalWorkflowExecutionCommandAttributes {
            namespace: words.text_or("namespace", ""),
            execution: Some(WorkflowExecution {
                workflow_id: words.text_or("id", "other"),
                run_id: words.text_or("run", ""),
            }),
            signal_name: words.text_or("name", "s"),
            input: words.text("input").map(|text| payloads(&text)),
            child_workflow_only: words.flag("child-only"),
            ..SignalExternalWorkflowExecutionCommandAttributes::default()
        },
    )
}

fn cancel_external(words: &mut Words) -> A {
    A::RequestCancelExternalWorkflowExecutionCommandAttributes(
        RequestCancelExternalWorkflowExecutionCommandAttributes {
            namespace: words.text_or("namespace", ""),
            workflow_id: words.text_or("id", "other"),
            run_id: words.text_or("run", ""),
            child_workflow_only: words.flag("child-only"),
            reason: words.text_or("reason", ""),
            ..RequestCancelExternalWorkflowExecutionCommandAttributes::default()
        },
    )
}
