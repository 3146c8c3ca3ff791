//! UpdateActivityExecutionOptions: queue, timeouts, retry policy and priority of an activity.

use engine::field_mask;
use engine::retry::{self, timeouts};
use engine::workflow::Input;
use engine::{activity, limits::Limits};
use proto::temporal::api::activity::v1::ActivityOptions;
use proto::temporal::api::common::v1::{Priority, RetryPolicy};
use proto::temporal::api::workflowservice::v1::update_activity_options_request::Activity;
use proto::temporal::api::workflowservice::v1::{
    UpdateActivityExecutionOptionsRequest, UpdateActivityExecutionOptionsResponse,
    UpdateActivityOptionsRequest,
};

use super::activity_operator::{self, OnActivity};
use super::call::NamespaceCall;
use super::update_activity_options::options_of;
use super::{Server, validate};
use crate::error::WireError;

pub(super) async fn handle(
    server: Server,
    call: NamespaceCall<UpdateActivityExecutionOptionsRequest>,
) -> Result<UpdateActivityExecutionOptionsResponse, WireError> {
    let NamespaceCall {
        mut request,
        namespace,
        ..
    } = call;
    let run_id = activity_operator::check(&mut request, &server)?;
    check(&request, &server.limits)?;
    let stepped = activity_operator::carry_out(&server, &namespace, run_id, request).await?;
    Ok(UpdateActivityExecutionOptionsResponse {
        activity_options: options_of(stepped),
    })
}

impl OnActivity for UpdateActivityExecutionOptionsRequest {
    fn in_workflow(self) -> Input {
        Input::UpdateActivityOptions(Box::new(UpdateActivityOptionsRequest {
            identity: self.identity,
            activity_options: self.activity_options,
            update_mask: self.update_mask,
            restore_original: self.restore_original,
            activity: Some(Activity::Id(self.activity_id)),
            ..UpdateActivityOptionsRequest::default()
        }))
    }

    fn standalone(self) -> activity::Input {
        activity::Input::UpdateOptions(Box::new(self))
    }
}

/// Checks what is to be changed, field by field.
fn check(
    request: &UpdateActivityExecutionOptionsRequest,
    limits: &Limits,
) -> Result<(), WireError> {
    let mask = request.update_mask.as_ref();
    let paths = mask.map_or(&[][..], |mask| &mask.paths);
    if request.restore_original {
        return if paths.is_empty() {
            Ok(())
        } else {
            Err(WireError::invalid(
                "Both UpdateMask and RestoreOriginal are provided",
            ))
        };
    }
    let Some(options) = &request.activity_options else {
        return Err(WireError::invalid("ActivityOptions are not provided"));
    };
    if mask.is_none() {
        return Err(WireError::invalid("UpdateMask is not provided"));
    }
    if paths.is_empty() {
        return Err(WireError::invalid(
            "UpdateMask must specify at least one path",
        ));
    }
    paths
        .iter()
        .try_for_each(|path| check_field(options, path, limits))
}

fn check_field(options: &ActivityOptions, path: &str, limits: &Limits) -> Result<(), WireError> {
    let span = |value: Option<&proto::Duration>, name: &str| {
        timeouts::capped(value)
            .map(drop)
            .map_err(|cause| WireError::invalid(format!("invalid {name}: {cause}")))
    };
    let policy = options.retry_policy.clone().unwrap_or_default();
    let priority = options.priority.clone().unwrap_or_default();
    match field_mask::snake(path).as_str() {
        "task_queue.name" => validate::task_queue(options.task_queue.as_ref(), limits).map(drop),
        "schedule_to_close_timeout" => span(
            options.schedule_to_close_timeout.as_ref(),
            "ScheduleToCloseTimeout",
        ),
        "schedule_to_start_timeout" => span(
            options.schedule_to_start_timeout.as_ref(),
            "ScheduleToStartTimeout",
        ),
        "start_to_close_timeout" => span(
            options.start_to_close_timeout.as_ref(),
            "StartToCloseTimeout",
        ),
        "heartbeat_timeout" => span(options.heartbeat_timeout.as_ref(), "HeartbeatTimeout"),
        "priority" => validate::priority(Some(&priority)),
        "priority.priority_key" => validate::priority(Some(&Priority {
            priority_key: priority.priority_key,
            ..Priority::default()
        })),
        "priority.fairness_key" => validate::priority(Some(&Priority {
            fairness_key: priority.fairness_key,
            ..Priority::default()
        })),
        "priority.fairness_weight" => validate::priority(Some(&Priority {
            fairness_weight: priority.fairness_weight,
            ..Priority::default()
        })),
        "retry_policy" => retry::completed(&policy)
            .map(drop)
            .map_err(|error| WireError::invalid(error.to_string())),
        "retry_policy.initial_interval" => span(
            policy.initial_interval.as_ref(),
            "InitialInterval set on retry policy",
        ),
        "retry_policy.maximum_interval" => span(
            policy.maximum_interval.as_ref(),
            "MaximumInterval set on retry policy",
        ),
        "retry_policy.backoff_coefficient" | "retry_policy.maximum_attempts" => {
            check_numbers(&policy, path)
        }
        "start_delay" => Ok(()),
        _ => Err(WireError::invalid(format!(
            "unsupported update_mask path: {path:?}"
        ))),
    }
}

fn check_numbers(policy: &RetryPolicy, path: &str) -> Result<(), WireError> {
    let attempts = path.ends_with("attempts") || path.ends_with("Attempts");
    if attempts && policy.maximum_attempts < 0 {
        return Err(WireError::invalid(
            "MaximumAttempts cannot be negative on retry policy.",
        ));
    }
    if !attempts && policy.backoff_coefficient < 1.0 {
        return Err(WireError::invalid(
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ));
    }
    Ok(())
}
