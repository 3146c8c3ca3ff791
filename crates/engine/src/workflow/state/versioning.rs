//! The version of a run: what its workers said, what an override says, and where it is moving
//! (behaviour, section 6.9). A run that never met any of these has none of it.

use std::sync::Arc;

use proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use proto::temporal::api::enums::v1::{
    ContinueAsNewVersioningBehavior as ContinuedBehavior, VersioningBehavior as Behavior,
};
use proto::temporal::api::history::v1::{
    WorkflowExecutionOptionsUpdatedEventAttributes, WorkflowExecutionStartedEventAttributes,
    WorkflowTaskCompletedEventAttributes,
};
use proto::temporal::api::workflow::v1::versioning_override::Override;
use proto::temporal::api::workflow::v1::{
    DeploymentVersionTransition, VersioningOverride, WorkflowExecutionVersioningInfo,
};

use super::State;
use crate::deployment::{Directive, Version, normalised};

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioning {
    /// As the last completed workflow task said, or as inherited.
    pub behavior: Behavior,
    /// Of the worker that completed the last workflow task, or as inherited.
    pub version: Option<Version>,
    /// Goes before what workers say. In the newest fields alone.
    pub version_override: Option<VersioningOverride>,
    /// An activity has shown that the next workflow task belongs to another version.
    pub transition: Option<Transition>,
    /// Of the routing that sent the run to its version.
    pub revision_number: i64,
    /// The deployment of the last worker, versioned or not.
    pub deployment_name: Arc<str>,
    /// Versions that completed a workflow task, in the order in which they did.
    pub used: Vec<Version>,
    /// Where the first task of a continued run goes.
    pub continued_behavior: ContinuedBehavior,
    /// An upgrade that an earlier run of the chain was told of and did not take.
    pub declined_revision: i64,
}

impl Default for Versioning {
    fn default() -> Self {
        Self {
            behavior: Behavior::Unspecified,
            version: None,
            version_override: None,
            transition: None,
            revision_number: 0,
            deployment_name: "".into(),
            used: Vec::new(),
            continued_behavior: ContinuedBehavior::Unspecified,
            declined_revision: 0,
        }
    }
}

/// A move to another version, until a workflow task completes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// None: to workers without a version.
    pub version: Option<Version>,
    /// Of the routing that says so.
    pub revision_number: i64,
}

/// The version that an override names, if it names one.
pub fn override_target(given: &VersioningOverride) -> Option<Version> {
    let version = match given.r#override.as_ref()? {
        Override::Pinned(pinned) => pinned.version.as_ref(),
        Override::OneTime(one_time) => one_time.target_deployment_version.as_ref(),
        Override::AutoUpgrade(_) => None,
    };
    Version::from_wire(version)
}

impl Versioning {
    /// Without any transition: an override, else what the worker said.
    pub fn settled_behavior(&self) -> Behavior {
        match self
            .version_override
            .as_ref()
            .and_then(|o| o.r#override.as_ref())
        {
            Some(Override::AutoUpgrade(_)) => Behavior::AutoUpgrade,
            Some(Override::Pinned(_) | Override::OneTime(_)) => Behavior::Pinned,
            None => self.behavior,
        }
    }

    /// Without any transition: the version of an override, else the worker's.
    pub fn settled_version(&self) -> Option<Version> {
        if let Some(target) = self.version_override.as_ref().and_then(override_target) {
            return Some(target);
        }
        match self.settled_behavior() {
            Behavior::Unspecified => None,
            Behavior::Pinned | Behavior::AutoUpgrade => self.version.clone(),
        }
    }

    /// As event 1 says; `None` when it says nothing.
    pub(super) fn started(a: &WorkflowExecutionStartedEventAttributes) -> Option<Arc<Self>> {
        let mut versioning = Self {
            version_override: a.versioning_override.as_ref().and_then(normalised),
            declined_revision: a
                .declined_target_version_upgrade
                .as_ref()
                .map_or(0, |declined| declined.revision_number),
            ..Self::default()
        };
        if let Some(version) = Version::from_wire(a.inherited_pinned_version.as_ref()) {
            versioning.behavior = Behavior::Pinned;
            versioning.version = Some(version);
        } else if let Some(info) = &a.inherited_auto_upgrade_info {
            versioning.behavior = Behavior::AutoUpgrade;
            versioning.version = Version::from_wire(info.source_deployment_version.as_ref());
            versioning.revision_number = info.source_deployment_revision_number;
            versioning.continued_behavior = info.continue_as_new_initial_versioning_behavior();
        }
        versioning.name_override_deployment();
        (versioning != Self::default()).then(|| Arc::new(versioning))
    }

    /// A workflow task has completed.
    fn completed(&mut self, a: &WorkflowTaskCompletedEventAttributes) {
        let version = Version::from_wire(a.deployment_version.as_ref());
        self.deployment_name = a.worker_deployment_name.as_str().into();
        if let Some(transition) = self.transition.take_if(|t| t.version == version) {
            self.revision_number = transition.revision_number;
        }
        self.behavior = a.versioning_behavior();
        self.version = match self.behavior {
            Behavior::Unspecified => None,
            Behavior::Pinned | Behavior::AutoUpgrade => version.clone(),
        };
        let reached = |o: &mut VersioningOverride| {
            matches!(o.r#override, Some(Override::OneTime(_))) && override_target(o) == version
        };
        self.version_override.take_if(|o| reached(o));
        if let Some(version) = version
            && !self.used.contains(&version)
        {
            self.used.push(version);
        }
    }

    /// The options have changed. A move that is under way is off when that changes where the run is.
    fn options_updated(&mut self, a: &WorkflowExecutionOptionsUpdatedEventAttributes) {
        let before = (self.settled_behavior(), self.settled_version());
        if a.unset_versioning_override {
            self.version_override = None;
            let version = self.version.as_ref();
            self.deployment_name = version.map_or_else(|| "".into(), |v| v.deployment_name.clone());
        } else if let Some(given) = &a.versioning_override {
            self.version_override = normalised(given);
            self.name_override_deployment();
        } else {
            return;
        }
        if before != (self.settled_behavior(), self.settled_version()) {
            self.transition = None;
        }
    }

    fn name_override_deployment(&mut self) {
        if let Some(target) = self.version_override.as_ref().and_then(override_target) {
            self.deployment_name = target.deployment_name;
        }
    }
}

impl State {
    /// The move to another version that is under way: with a started workflow task, or waiting for
    /// the next.
    pub fn version_transition(&self) -> Option<&Transition> {
        let started = self.started_workflow_task().map(|(_, started)| started);
        let with_task = started.and_then(|started| started.transition.as_deref());
        with_task.or_else(|| self.core.versioning.as_ref()?.transition.as_ref())
    }

    /// How the run takes new versions now.
    pub fn effective_behavior(&self) -> Behavior {
        if self.version_transition().is_some() {
            return Behavior::AutoUpgrade;
        }
        let versioning = self.core.versioning.as_ref();
        versioning.map_or(Behavior::Unspecified, |v| v.settled_behavior())
    }

    /// The version that the run's tasks belong to now; `None` is workers without a version.
    pub fn effective_version(&self) -> Option<Version> {
        if let Some(transition) = self.version_transition() {
            return transition.version.clone();
        }
        self.core.versioning.as_ref()?.settled_version()
    }

    /// What the run says of the version that its tasks need.
    pub fn directive(&self) -> Directive {
        let Some(versioning) = &self.core.versioning else {
            return self.unversioned_directive();
        };
        let first = self.core.previous_started_event_id == 0;
        Directive {
            behavior: self.effective_behavior(),
            version: self.effective_version(),
            use_ramping_version: first
                && versioning.continued_behavior == ContinuedBehavior::UseRampingVersion,
        }
    }

    fn unversioned_directive(&self) -> Directive {
        match self.version_transition() {
            None => Directive::default(),
            Some(transition) => Directive {
                behavior: Behavior::AutoUpgrade,
                version: transition.version.clone(),
                use_ramping_version: false,
            },
        }
    }

    pub(super) fn version_completed(&mut self, a: &WorkflowTaskCompletedEventAttributes) {
        let says_nothing = a.deployment_version.is_none()
            && a.versioning_behavior == 0
            && a.worker_deployment_name.is_empty();
        if self.core.versioning.is_none() && says_nothing {
            return;
        }
        let versioning = Arc::make_mut(self.core.versioning.get_or_insert_default());
        versioning.completed(a);
    }

    pub(super) fn version_options_updated(
        &mut self,
        a: &WorkflowExecutionOptionsUpdatedEventAttributes,
    ) {
        let unsets = a.unset_versioning_override && self.core.versioning.is_some();
        if a.versioning_override.is_some() || unsets {
            let versioning = self.core.versioning.get_or_insert_default();
            Arc::make_mut(versioning).options_updated(a);
        }
    }

    pub(super) fn version_transition_started(&mut self, transition: Transition) {
        let versioning = self.core.versioning.get_or_insert_default();
        Arc::make_mut(versioning).transition = Some(transition);
    }

    /// The version that an operator or the starter has chosen.
    pub fn versioning_override(&self) -> Option<&VersioningOverride> {
        self.core.versioning.as_ref()?.version_override.as_ref()
    }

    /// As DescribeWorkflowExecution shows it, with the deprecated fields filled.
    pub fn versioning_info(&self) -> Option<WorkflowExecutionVersioningInfo> {
        let transition = self.version_transition();
        let default = Versioning::default();
        let versioning = self.core.versioning.as_deref().unwrap_or(&default);
        // A deployment's name alone is no versioning.
        let nameless = Versioning {
            deployment_name: "".into(),
            ..versioning.clone()
        };
        if nameless == default && transition.is_none() {
            return None;
        }
        let wire = |version: &Version| -> WorkerDeploymentVersion { version.to_wire() };
        let version = versioning.version.as_ref();
        Some(WorkflowExecutionVersioningInfo {
            behavior: versioning.behavior.into(),
            version: version.map_or_else(String::new, Version::dotted),
            deployment_version: version.map(wire),
            versioning_override: versioning.version_override.as_ref().map(shown_override),
            version_transition: transition.map(|t| DeploymentVersionTransition {
                version: Version::dotted_or_unversioned(t.version.as_ref()),
                deployment_version: t.version.as_ref().map(wire),
            }),
            revision_number: transition.map_or(versioning.revision_number, |t| t.revision_number),
            continue_as_new_initial_versioning_behavior: versioning.continued_behavior.into(),
            ..WorkflowExecutionVersioningInfo::default()
        })
    }
}

/// An override with the deprecated fields that say the same.
pub fn shown_override(given: &VersioningOverride) -> VersioningOverride {
    let mut shown = given.clone();
    match &given.r#override {
        Some(Override::AutoUpgrade(_)) => shown.set_behavior(Behavior::AutoUpgrade),
        Some(Override::Pinned(_)) => {
            shown.set_behavior(Behavior::Pinned);
            let target = override_target(given);
            shown.pinned_version = target.map_or_else(String::new, |version| version.dotted());
        }
        Some(Override::OneTime(_)) | None => {}
    }
    shown
}
