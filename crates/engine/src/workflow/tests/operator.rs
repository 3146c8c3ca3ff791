//! What the operators of a story ask for.

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::Priority;
use proto::temporal::api::enums::v1::{ResetReapplyExcludeType, ResetReapplyType};
use proto::temporal::api::workflow::v1::post_reset_operation::{UpdateWorkflowOptions, Variant};
use proto::temporal::api::workflow::v1::{PostResetOperation, WorkflowExecutionOptions};
use proto::temporal::api::workflowservice::v1::{
    PauseActivityRequest, PauseWorkflowExecutionRequest, ResetActivityRequest,
    ResetWorkflowExecutionRequest, UnpauseActivityRequest, UnpauseWorkflowExecutionRequest,
    UpdateActivityOptionsRequest, UpdateWorkflowExecutionOptionsRequest, pause_activity_request,
    reset_activity_request, unpause_activity_request, update_activity_options_request,
};

use super::deployment::version_override;
use super::requests;
use super::words::Words;
use crate::workflow::input::Input;

/// The input of an operator's verb.
pub(super) fn input(verb: &str, words: &mut Words) -> Input {
    match verb {
        "pause" => Input::PauseWorkflow(Box::new(PauseWorkflowExecutionRequest {
            identity: "operator".to_owned(),
            reason: words.text_or("reason", ""),
            request_id: words.text_or("request", ""),
            ..PauseWorkflowExecutionRequest::default()
        })),
        "update-options" => {
            Input::UpdateWorkflowOptions(Box::new(UpdateWorkflowExecutionOptionsRequest {
                update_mask: words.text("mask").map(|mask| proto::FieldMask {
                    paths: mask.split('+').map(str::to_owned).collect(),
                }),
                workflow_execution_options: Some(workflow_options(words)),
                identity: "operator".to_owned(),
                ..UpdateWorkflowExecutionOptionsRequest::default()
            }))
        }
        "unpause" => Input::UnpauseWorkflow(Box::new(UnpauseWorkflowExecutionRequest {
            identity: "operator".to_owned(),
            reason: words.text_or("reason", ""),
            ..UnpauseWorkflowExecutionRequest::default()
        })),
        _ => on_activities(verb, words),
    }
}

/// `event=4 reason=why exclude=Signal+Update older=Signal` and options for afterwards.
pub(super) fn reset(words: &mut Words) -> ResetWorkflowExecutionRequest {
    let exclude = words.text("exclude").unwrap_or_default();
    let exclude = exclude
        .split('+')
        .filter(|name| !name.is_empty())
        .map(|name| {
            let name = requests::shouting("RESET_REAPPLY_EXCLUDE_TYPE_", name);
            ResetReapplyExcludeType::from_str_name(&name).expect("a type to exclude") as i32
        });
    let older = words.text("older").map_or(0, |name| {
        let name = requests::shouting("RESET_REAPPLY_TYPE_", &name);
        ResetReapplyType::from_str_name(&name).expect("a type to take over") as i32
    });
    let then = words.text("then").map(|mask| PostResetOperation {
        variant: Some(Variant::UpdateWorkflowOptions(UpdateWorkflowOptions {
            update_mask: Some(proto::FieldMask {
                paths: mask.split('+').map(str::to_owned).collect(),
            }),
            workflow_execution_options: Some(workflow_options(words)),
        })),
    });
    ResetWorkflowExecutionRequest {
        workflow_task_finish_event_id: words.number("event").unwrap_or(0),
        reason: words.text_or("reason", "why"),
        request_id: words.text_or("request", "reset"),
        reset_reapply_exclude_types: exclude.collect(),
        reset_reapply_type: older,
        post_reset_operations: then.into_iter().collect(),
        ..ResetWorkflowExecutionRequest::default()
    }
}

/// `priority=1 fairness=k auto-upgrade pinned=dep:b1`.
pub(super) fn workflow_options(words: &mut Words) -> WorkflowExecutionOptions {
    let key = words.number("priority").map(|key| key as i32);
    let fairness_key = words.text("fairness");
    let priority = (key.is_some() || fairness_key.is_some()).then(|| Priority {
        priority_key: key.unwrap_or(0),
        fairness_key: fairness_key.unwrap_or_default(),
        ..Priority::default()
    });
    WorkflowExecutionOptions {
        priority,
        versioning_override: version_override(words),
        time_skipping_config: requests::time_skipping(words),
    }
}

/// The input of a command on activities: `id=` one, `type=` those of a type, or `all`.
fn on_activities(verb: &str, words: &mut Words) -> Input {
    let (id, kind, all) = (words.text("id"), words.text("type"), words.flag("all"));
    match verb {
        "pause-activity" => Input::PauseActivity(Box::new(PauseActivityRequest {
            identity: "operator".to_owned(),
            reason: words.text_or("reason", ""),
            request_id: words.text_or("request", "p"),
            activity: match (id, kind) {
                (_, Some(kind)) => Some(pause_activity_request::Activity::Type(kind)),
                (id, None) => Some(pause_activity_request::Activity::Id(
                    id.unwrap_or_else(|| "a".to_owned()),
                )),
            },
            ..PauseActivityRequest::default()
        })),
        "unpause-activity" => Input::UnpauseActivity(Box::new(UnpauseActivityRequest {
            reset_attempts: words.flag("reset-attempts"),
            reset_heartbeat: words.flag("reset-heartbeat"),
            jitter: words.wire_span("jitter"),
            activity: Some(match (id, kind, all) {
                (_, _, true) => unpause_activity_request::Activity::UnpauseAll(true),
                (_, Some(kind), _) => unpause_activity_request::Activity::Type(kind),
                (id, None, _) => {
                    unpause_activity_request::Activity::Id(id.unwrap_or_else(|| "a".to_owned()))
                }
            }),
            ..UnpauseActivityRequest::default()
        })),
        "reset-activity" => Input::ResetActivity(Box::new(ResetActivityRequest {
            reset_heartbeat: words.flag("reset-heartbeat"),
            keep_paused: words.flag("keep-paused"),
            restore_original_options: words.flag("restore"),
            jitter: words.wire_span("jitter"),
            activity: Some(match (id, kind, all) {
                (_, _, true) => reset_activity_request::Activity::MatchAll(true),
                (_, Some(kind), _) => reset_activity_request::Activity::Type(kind),
                (id, None, _) => {
                    reset_activity_request::Activity::Id(id.unwrap_or_else(|| "a".to_owned()))
                }
            }),
            ..ResetActivityRequest::default()
        })),
        _ => Input::UpdateActivityOptions(Box::new(UpdateActivityOptionsRequest {
            restore_original: words.flag("restore"),
            activity: Some(match (id, kind, all) {
                (_, _, true) => update_activity_options_request::Activity::MatchAll(true),
                (_, Some(kind), _) => update_activity_options_request::Activity::Type(kind),
                (id, None, _) => update_activity_options_request::Activity::Id(
                    id.unwrap_or_else(|| "a".to_owned()),
                ),
            }),
            update_mask: words.text("mask").map(|mask| proto::FieldMask {
                paths: mask.split('+').map(str::to_owned).collect(),
            }),
            activity_options: options(words),
            ..UpdateActivityOptionsRequest::default()
        })),
    }
}

fn options(words: &mut Words) -> Option<ActivityOptions> {
    let mut words = words.list("options").pop()?;
    let options = ActivityOptions {
        task_queue: words.text("queue").map(|name| requests::queue(&name)),
        schedule_to_close_timeout: words.wire_span("schedule-to-close"),
        schedule_to_start_timeout: words.wire_span("schedule-to-start"),
        start_to_close_timeout: words.wire_span("start-to-close"),
        heartbeat_timeout: words.wire_span("heartbeat"),
        retry_policy: requests::raw_retry_policy(&mut words),
        priority: words.number("priority").map(|key| Priority {
            priority_key: key as i32,
            ..Priority::default()
        }),
        ..ActivityOptions::default()
    };
    words.end().expect("a known option");
    Some(options)
}
