//! UpdateWorkflowExecutionOptions (behaviour, section 6.9): the worker version and the priority of a run, field by
//! field, and how it skips time. No workflow task follows.

use proto::temporal::api::common::v1::{Priority, TimeSkippingConfig};
use proto::temporal::api::enums::v1::VersioningBehavior;
use proto::temporal::api::history::v1::WorkflowExecutionOptionsUpdatedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::workflow::v1::WorkflowExecutionOptions;
use proto::temporal::api::workflow::v1::versioning_override::{Override, PinnedOverrideBehavior};
use proto::temporal::api::workflowservice::v1::UpdateWorkflowExecutionOptionsRequest;

use crate::Env;
use crate::deployment::{Version, normalised};
use crate::field_mask;
use crate::rejection::Rejection;
use crate::workflow::command::camel;
use crate::workflow::state::State;
use crate::workflow::step::{Extras, Step};
use crate::workflow::transition::{Reply, Transition};
use crate::workflow::versioning;

/// The path of time skipping, which is set as a whole.
const TIME_SKIPPING: &str = "time_skipping_config";

pub(crate) fn update(
    mut step: Step<'_>,
    request: UpdateWorkflowExecutionOptionsRequest,
) -> Result<Transition, Rejection> {
    if !step.state.is_open() {
        return step.reject(Rejection::AlreadyCompleted);
    }
    let given = request.workflow_execution_options.unwrap_or_default();
    let paths = request.update_mask.map(|mask| mask.paths);
    let paths = paths.unwrap_or_default();
    match apply(&mut step, &given, &paths, &request.identity) {
        Ok((options, changed)) => {
            let time = changed.then_some(step.time());
            step.done(Reply::WorkflowOptions(Box::new(options), time))
        }
        Err(rejection) => step.reject(rejection),
    }
}

/// Changes the options that the paths name. Gives all of them, and whether any is another one now.
pub(crate) fn apply(
    step: &mut Step<'_>,
    given: &WorkflowExecutionOptions,
    paths: &[String],
    identity: &str,
) -> Result<(WorkflowExecutionOptions, bool), Rejection> {
    let before = options(step.state);
    let given = &with_version(step.state, given, step.env)?;
    let merged = merged(before.clone(), given, paths)
        .map_err(|cause| Rejection::invalid(format!("error applying update_options: {cause}")))?;
    // Each fast-forward counts, also to the same place: its target is found anew.
    let skips = |options: &WorkflowExecutionOptions| options.time_skipping_config.clone();
    let forward = |it: TimeSkippingConfig| it.fast_forward_config.is_some();
    let named = paths
        .iter()
        .any(|path| field_mask::snake(path) == TIME_SKIPPING);
    let time_skipping_config_updated =
        skips(&merged) != skips(&before) || (named && skips(given).is_some_and(forward));
    if merged == before && !time_skipping_config_updated {
        return Ok((merged, false));
    }
    // An event cannot say that there is no priority any more; the default one is the same.
    let priority = merged.priority.clone();
    let priority = priority.or_else(|| before.priority.map(|_| Priority::default()));
    step.external(
        Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(
            WorkflowExecutionOptionsUpdatedEventAttributes {
                unset_versioning_override: merged.versioning_override.is_none(),
                versioning_override: merged.versioning_override.clone(),
                priority,
                identity: identity.to_owned(),
                time_skipping_config: skips(&merged),
                time_skipping_config_updated,
                ..WorkflowExecutionOptionsUpdatedEventAttributes::default()
            },
        ),
        Extras::default(),
    );
    step.enforce_buffer_limits();
    Ok((merged, true))
}

/// A sound override in the form in which it is kept. One that pins to no version in particular pins to the one that the
/// run is pinned to.
fn with_version(
    state: &State,
    given: &WorkflowExecutionOptions,
    env: Env<'_>,
) -> Result<WorkflowExecutionOptions, Rejection> {
    let mut given = given.clone();
    let Some(chosen) = &mut given.versioning_override else {
        return Ok(given);
    };
    if let Some(Override::Pinned(pinned)) = &mut chosen.r#override
        && pinned.behavior() != PinnedOverrideBehavior::Unspecified
        && pinned.version.is_none()
    {
        let behavior = state.effective_behavior();
        if behavior != VersioningBehavior::Pinned {
            return Err(Rejection::FailedPrecondition(format!(
                "must specify a specific pinned override version because workflow with id {} has behavior {} and \
                 is not yet pinned to any version",
                state.workflow_id,
                camel(behavior.as_str_name(), "VERSIONING_BEHAVIOR_"),
            )));
        }
        pinned.version = state.effective_version().as_ref().map(Version::to_wire);
    }
    versioning::check_override(Some(chosen), &state.core.start.task_queue, env)?;
    if let Some(kept) = normalised(chosen) {
        *chosen = kept;
    }
    Ok(given)
}

fn options(state: &State) -> WorkflowExecutionOptions {
    WorkflowExecutionOptions {
        versioning_override: state.versioning_override().cloned(),
        priority: state.priority().cloned(),
        time_skipping_config: state
            .core
            .time_skipping
            .as_ref()
            .and_then(|own| own.config.clone()),
    }
}

fn merged(
    mut into: WorkflowExecutionOptions,
    from: &WorkflowExecutionOptions,
    paths: &[String],
) -> Result<WorkflowExecutionOptions, &'static str> {
    let paths: Vec<String> = paths.iter().map(|path| field_mask::snake(path)).collect();
    let names = |path: &str| paths.iter().any(|named| named == path);
    let behavior = names("versioning_override.behavior");
    if behavior != names("versioning_override.deployment") {
        return Err("versioning_override fields must be updated together");
    }
    let given = from.priority.clone().unwrap_or_default();
    for path in &paths {
        match path.as_str() {
            "versioning_override"
            | "versioning_override.behavior"
            | "versioning_override.deployment" => {
                into.versioning_override
                    .clone_from(&from.versioning_override);
            }
            "priority" => into.priority.clone_from(&from.priority),
            "priority.priority_key" => {
                into.priority.get_or_insert_default().priority_key = given.priority_key;
            }
            "priority.fairness_key" => {
                let own = into.priority.get_or_insert_default();
                own.fairness_key.clone_from(&given.fairness_key);
            }
            "priority.fairness_weight" => {
                into.priority.get_or_insert_default().fairness_weight = given.fairness_weight;
            }
            TIME_SKIPPING => {
                into.time_skipping_config
                    .clone_from(&from.time_skipping_config);
            }
            path if path.starts_with("versioning_override.") => {
                return Err("versioning_override doesn't support partial updates");
            }
            _ => return Err("time_skipping_config doesn't support partial update"),
        }
    }
    Ok(into)
}
