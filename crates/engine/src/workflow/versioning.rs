//! Rules of worker versioning for a run: which worker may start its tasks, when it moves to another
//! version, and what the runs that come from it inherit (behaviour, section 6.9).

use proto::temporal::api::deployment::v1::InheritedAutoUpgradeInfo;
use proto::temporal::api::enums::v1::{
    ContinueAsNewVersioningBehavior as ContinuedBehavior, TaskQueueType,
    VersioningBehavior as Behavior, WorkerVersioningMode,
};
use proto::temporal::api::history::v1::{
    DeclinedTargetVersionUpgrade, WorkflowExecutionStartedEventAttributes,
};
use proto::temporal::api::workflow::v1::VersioningOverride;
use proto::temporal::api::workflow::v1::versioning_override::Override;
use proto::temporal::api::workflowservice::v1::{
    RespondWorkflowTaskCompletedRequest, StartWorkflowExecutionRequest,
};

use super::record::{ChangeKind, VersionTransition};
use super::state::versioning::{Transition, override_target};
use super::state::{Core, State};
use super::step::Step;
use crate::Env;
use crate::deployment::{Directive, Routing, Target, Version, normalised, validate_override};
use crate::ids::EventId;
use crate::rejection::Rejection;

/// What a completion says of its worker's version.
pub(crate) struct Completed {
    pub(crate) behavior: Behavior,
    pub(crate) version: Option<Version>,
    pub(crate) deployment_name: String,
}

/// Reads what a completion says.
pub(crate) fn completed(
    request: &RespondWorkflowTaskCompletedRequest,
) -> Result<Completed, Rejection> {
    let options = request.deployment_options.as_ref();
    let versioned =
        options.filter(|o| o.worker_versioning_mode() == WorkerVersioningMode::Versioned);
    if request.versioning_behavior() != Behavior::Unspecified
        && request.deployment.is_none()
        && versioned.is_none()
    {
        return Err(Rejection::invalid(
            "versioning behavior cannot be specified without deployment options being set with versioned mode",
        ));
    }
    let named = |name: &str, build: &str| {
        (!name.is_empty() && !build.is_empty()).then(|| Version::new(name, build))
    };
    let version = match (versioned, &request.deployment) {
        (Some(o), _) => named(&o.deployment_name, &o.build_id),
        (None, Some(d)) => named(&d.series_name, &d.build_id),
        (None, None) => None,
    };
    let own_name = options.map_or("", |o| &o.deployment_name);
    let legacy_name = request.deployment.as_ref().map_or("", |d| &d.series_name);
    let deployment_name = if own_name.is_empty() {
        legacy_name
    } else {
        own_name
    };
    // A worker may have a behavior for when it is versioned, and not be.
    let unversioned = options.is_some() && versioned.is_none();
    Ok(Completed {
        behavior: if unversioned {
            Behavior::Unspecified
        } else {
            request.versioning_behavior()
        },
        version,
        deployment_name: deployment_name.to_owned(),
    })
}

/// Where the next workflow task of a run would go if it were free to go.
pub(crate) fn target(state: &State, routing: &Routing) -> Target {
    routing.target(
        TaskQueueType::Workflow,
        &state.core.start.task_queue,
        &state.workflow_id,
        state.directive().use_ramping_version,
    )
}

/// Whether a worker of this version may start the run's workflow task, and whether the run moves to
/// that version by it.
pub(crate) fn workflow_task_for(
    step: &Step<'_>,
    worker: Option<&Version>,
    offered: Option<&Directive>,
) -> Result<Option<Transition>, Rejection> {
    let state = &step.state;
    if offered.is_some_and(|offered| *offered != state.directive()) {
        return Err(Rejection::TaskGone);
    }
    if state.effective_version().as_ref() == worker {
        return Ok(None);
    }
    if state.effective_behavior() == Behavior::Pinned {
        return Err(Rejection::TaskGone);
    }
    Ok(Some(Transition {
        version: worker.cloned(),
        revision_number: target(state, step.env.routing).revision_number,
    }))
}

/// Whether a worker of this version may start an activity. One that shows that the run belongs to
/// another version by now moves the run first: then the activity waits for its next workflow task.
pub(crate) fn activity_task_for(
    step: &mut Step<'_>,
    worker: Option<&Version>,
    offered: Option<&Directive>,
) -> Result<Start, Rejection> {
    let state = &step.state;
    if offered.is_some_and(|offered| *offered != state.directive())
        || state.version_transition().is_some()
    {
        return Err(Rejection::TaskGone);
    }
    if state.effective_version().as_ref() == worker
        || state.effective_behavior() == Behavior::Pinned
    {
        return Ok(Start::Now);
    }
    let target = target(state, step.env.routing);
    if target.version.as_ref() != worker {
        // Its queue is versioned on its own account.
        return Ok(Start::Now);
    }
    if step.task_started() {
        return Err(Rejection::TaskGone);
    }
    begin_transition(step, target);
    Ok(Start::AfterTransition)
}

/// When an activity starts.
pub(crate) enum Start {
    Now,
    AfterTransition,
}

fn begin_transition(step: &mut Step<'_>, target: Target) {
    let transition = Transition {
        version: target.version,
        revision_number: target.revision_number,
    };
    record_transition(step, &transition);
    super::client::reset_sticky::clear(step);
    if step.state.core.workflow_task.is_some() {
        step.offer_workflow_task();
    } else {
        step.ensure_workflow_task();
    }
}

/// Makes a move durable: it lasts until a workflow task completes at its end.
pub(crate) fn record_transition(step: &mut Step<'_>, transition: &Transition) {
    step.change(ChangeKind::VersionTransition(VersionTransition {
        version: transition.version.as_ref().map(Version::to_wire),
        revision_number: transition.revision_number,
    }));
}

/// After a step that may have changed the version of a run without completing a workflow task: by an
/// override, or because a move ended with a task that failed. What waits for a worker is offered
/// where it belongs now.
pub(crate) fn follow_version(step: &mut Step<'_>, before: &Core) {
    let now = &step.state.core;
    let moved = |core: &Core| {
        let task = core.workflow_task.as_ref();
        let started = task.and_then(|task| task.started.as_ref());
        started.is_some_and(|started| started.transition.is_some())
    };
    let settled = |core: &Core| {
        let versioning = core.versioning.as_ref();
        versioning.map_or((Behavior::Unspecified, None), |v| {
            (v.settled_behavior(), v.settled_version())
        })
    };
    if before.last_completed_event_id != now.last_completed_event_id {
        return;
    }
    if before.versioning != now.versioning && settled(before) != settled(now) {
        offer_activities_again(step);
        if step.state.core.workflow_task.is_some() && !step.task_started() {
            step.offer_workflow_task();
        }
    } else if moved(before) && !moved(now) {
        offer_activities_again(step);
    }
}

/// Offers the activities that wait for a worker once more.
pub(crate) fn offer_activities_again(step: &mut Step<'_>) {
    let now = step.time();
    let waiting: Vec<EventId> = step
        .state
        .activities
        .iter()
        .filter(|(_, a)| {
            a.started.is_none() && !a.closing && a.may_start() && a.scheduled_time <= now
        })
        .map(|(id, _)| *id)
        .collect();
    for id in waiting {
        step.offer_activity(id);
    }
}

/// An upgrade that a pinned run should hear of: its queue's target is another version than its own,
/// and newer than what the chain has declined.
pub(crate) fn pending_upgrade(state: &State, routing: &Routing) -> Option<Target> {
    let versioning = state.core.versioning.as_ref()?;
    if versioning.version_override.is_some() || state.effective_behavior() != Behavior::Pinned {
        return None;
    }
    let target = target(state, routing);
    let declined = versioning.declined_revision;
    (target.version != state.effective_version()
        && (declined == 0 || target.revision_number > declined))
        .then_some(target)
}

/// Checks an override that a request brings: it makes sense, and the version which it pins to has workers
/// on the queue.
///
/// # Errors
/// INVALID_ARGUMENT, FAILED_PRECONDITION.
pub fn check_override(
    given: Option<&VersioningOverride>,
    task_queue: &str,
    env: Env<'_>,
) -> Result<(), Rejection> {
    let Some(given) = given else { return Ok(()) };
    validate_override(given, env.limits.id_length_max)?;
    let Some(version) = normalised(given).as_ref().and_then(override_target) else {
        return Ok(());
    };
    let routing = env.routing;
    if routing.serves(TaskQueueType::Workflow, task_queue, &version) {
        return Ok(());
    }
    Err(Rejection::FailedPrecondition(format!(
        "Pinned version '{version}' is not present in task queue '{task_queue}' of type 'Workflow'"
    )))
}

/// As [`check_override`], of what a start brings.
pub(crate) fn check_start(
    start: &StartWorkflowExecutionRequest,
    env: Env<'_>,
) -> Result<(), Rejection> {
    let queue = start.task_queue.as_ref().map_or("", |queue| &queue.name);
    check_override(start.versioning_override.as_ref(), queue, env)
}

/// What a new run has from the one that it comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inherited {
    pinned_version: Option<Version>,
    auto_upgrade: Option<InheritedAutoUpgradeInfo>,
    version_override: Option<VersioningOverride>,
    declined: Option<DeclinedTargetVersionUpgrade>,
    /// The queue of the run that it comes from.
    task_queue: std::sync::Arc<str>,
}

/// What comes from a run to a child, or to the run that continues it.
pub(crate) fn inherited(state: &State, asked: ContinuedBehavior) -> Inherited {
    let Some(versioning) = &state.core.versioning else {
        return Inherited::default();
    };
    let version = state.effective_version();
    let behavior = state.effective_behavior();
    let stays = behavior == Behavior::Pinned && asked == ContinuedBehavior::Unspecified;
    let moves = behavior == Behavior::AutoUpgrade || (behavior == Behavior::Pinned && !stays);
    let auto_upgrade = version
        .as_ref()
        .filter(|_| moves && versioning.revision_number != 0)
        .map(|version| InheritedAutoUpgradeInfo {
            source_deployment_version: Some(version.to_wire()),
            source_deployment_revision_number: versioning.revision_number,
            continue_as_new_initial_versioning_behavior: asked.into(),
        });
    let pins = |o: &&VersioningOverride| override_target(o).is_some();
    Inherited {
        pinned_version: version.filter(|_| stays),
        auto_upgrade,
        version_override: versioning.version_override.as_ref().filter(pins).cloned(),
        declined: None,
        task_queue: state.core.start.task_queue.clone(),
    }
}

/// What a run that continues another has from it. Not a move that was meant for one run only.
pub(crate) fn inherited_by_next(step: &Step<'_>, asked: ContinuedBehavior) -> Inherited {
    let mut inherited = inherited(step.state, asked);
    let once = |o: &mut VersioningOverride| matches!(o.r#override, Some(Override::OneTime(_)));
    inherited.version_override.take_if(|o| once(o));
    if inherited.pinned_version.is_some() {
        let declined = |target: Target| DeclinedTargetVersionUpgrade {
            deployment_version: target.version.as_ref().map(Version::to_wire),
            revision_number: target.revision_number,
        };
        let start = &step.state.core.start.attributes;
        inherited.declined = pending_upgrade(step.state, step.env.routing)
            .map(declined)
            .or_else(|| start.declined_target_version_upgrade.clone());
    }
    inherited
}

/// What a retry has from the run before it: only a run that had inherited its version stays there.
pub(crate) fn inherited_by_retry(step: &Step<'_>) -> Inherited {
    let start = &step.state.core.start.attributes;
    let asked = match &start.inherited_auto_upgrade_info {
        Some(info) => info.continue_as_new_initial_versioning_behavior(),
        None => ContinuedBehavior::Unspecified,
    };
    let mut inherited = inherited_by_next(step, ContinuedBehavior::Unspecified);
    if start.inherited_pinned_version.is_none() {
        inherited.pinned_version = None;
    }
    if let Some(info) = &mut inherited.auto_upgrade {
        info.continue_as_new_initial_versioning_behavior = asked.into();
    }
    inherited
}

impl Inherited {
    /// What a cron's next run has: an override that pins, and nothing else.
    pub(crate) fn override_only(self) -> Self {
        Self {
            pinned_version: None,
            auto_upgrade: None,
            declined: None,
            ..self
        }
    }

    /// Writes into a new run's event 1 what it inherits. Another queue keeps a version only if that
    /// version serves it too; an override of the new run's own goes before everything.
    pub(crate) fn put_into(
        self,
        attributes: &mut WorkflowExecutionStartedEventAttributes,
        routing: &Routing,
    ) {
        attributes.inherited_pinned_version = None;
        attributes.inherited_auto_upgrade_info = None;
        attributes.declined_target_version_upgrade = None;
        if attributes.versioning_override.is_some() {
            return;
        }
        let queue = attributes.task_queue.as_ref().map_or("", |q| &q.name);
        let same_queue = *queue == *self.task_queue;
        let fits = |version: Option<&Version>| {
            version.is_some_and(|version| {
                same_queue || routing.serves(TaskQueueType::Workflow, queue, version)
            })
        };
        let pinned = self.pinned_version.filter(|version| fits(Some(version)));
        let auto_upgrade = self.auto_upgrade.filter(|info| {
            fits(Version::from_wire(info.source_deployment_version.as_ref()).as_ref())
        });
        attributes.versioning_override = self
            .version_override
            .filter(|o| fits(override_target(o).as_ref()));
        if let Some(pinned) = pinned {
            attributes.inherited_pinned_version = Some(pinned.to_wire());
            attributes.declined_target_version_upgrade = self.declined;
        } else {
            attributes.inherited_auto_upgrade_info = auto_upgrade;
        }
    }
}
