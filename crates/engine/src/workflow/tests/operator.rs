//! What the operators of a story ask for.

use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::Priority;
use proto::temporal::api::workflowservice::v1::{
    PauseActivityRequest, PauseWorkflowExecutionRequest, ResetActivityRequest,
    UnpauseActivityRequest, UnpauseWorkflowExecutionRequest, UpdateActivityOptionsRequest,
    pause_activity_request, reset_activity_request, unpause_activity_request,
    update_activity_options_request,
};

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
        "unpause" => Input::UnpauseWorkflow(Box::new(UnpauseWorkflowExecutionRequest {
            identity: "operator".to_owned(),
            reason: words.text_or("reason", ""),
            ..UnpauseWorkflowExecutionRequest::default()
        })),
        _ => on_activities(verb, words),
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
