//! The index row of a run: what lists show and filters look at. Derived from the state, written in the
//! same transaction as the record that changed it.

use std::sync::Arc;

use bytes::Bytes;
use proto::temporal::api::common::v1::{Payload, SearchAttributes, WorkerVersionStamp};
use proto::temporal::api::enums::v1::VersioningBehavior as Behavior;

use super::command::camel;
use super::state::versioning::{Versioning, override_target};
use super::state::{Core, State, worker_builds};
use crate::Namespace;
use crate::deployment::Version;
use crate::ids::EventId;
use crate::search_attributes::value::{self, Value};
use crate::search_attributes::{SearchAttributeType, system};
use crate::time::Timestamp;

/// What a list knows of a run.
#[derive(Clone, Debug)]
pub struct IndexRow {
    /// The number of the kind's own status on the wire.
    pub status: i32,
    /// The workflow's type.
    pub workflow_type: Arc<str>,
    /// Its queue.
    pub task_queue: Arc<str>,
    /// When it started.
    pub start_time: Timestamp,
    /// When its first workflow task was due.
    pub execution_time: Timestamp,
    /// When it closed.
    pub close_time: Option<Timestamp>,
    /// Events, 0 while it is open (behaviour, section 9.2).
    pub history_length: i64,
    /// Bytes of events, 0 while it is open.
    pub history_size: i64,
    /// Steps taken, 0 while it is open.
    pub state_transition_count: i64,
    /// Workflow id and run id of the parent.
    pub parent: Option<(String, String)>,
    /// Workflow id and run id of the root; itself if it has no parent.
    pub root: (String, String),
    /// An encoded `Memo`.
    pub memo: Bytes,
    /// An encoded `SearchAttributes`, as clients see them.
    pub search_attributes: Bytes,
    /// The same, typed, for filters.
    pub attributes: Vec<(String, Value)>,
}

/// The row of a run.
pub fn row(state: &State, namespace: &Namespace) -> IndexRow {
    use prost::Message;
    let core = &state.core;
    let closed = !state.is_open();
    let when_closed = |value: i64| if closed { value } else { 0 };
    let start = &core.start.attributes;
    let parent = start.parent_workflow_execution.as_ref();
    let own = || (state.workflow_id.to_string(), state.run_id.to_string());
    let search_attributes = search_attributes(state);
    let attributes = search_attributes
        .indexed_fields
        .iter()
        .filter_map(|(name, payload)| {
            let kind = attribute_type(namespace, name)?;
            let value = value::decode(payload, kind).ok().flatten()?;
            Some((name.clone(), value))
        })
        .collect();
    IndexRow {
        status: core.status as i32,
        workflow_type: core.start.workflow_type.clone(),
        task_queue: core.start.task_queue.clone(),
        start_time: core.start.time,
        execution_time: state.execution_time(),
        close_time: state.close_time(),
        history_length: when_closed(state.last_event_id()),
        history_size: when_closed(core.history_size),
        state_transition_count: when_closed(i64::try_from(core.seq).unwrap_or(i64::MAX)),
        parent: parent.map(|p| (p.workflow_id.clone(), p.run_id.clone())),
        root: start
            .root_workflow_execution
            .as_ref()
            .map_or_else(own, |r| (r.workflow_id.clone(), r.run_id.clone())),
        memo: core.memo.encode_to_vec().into(),
        search_attributes: search_attributes.encode_to_vec().into(),
        attributes,
    }
}

/// The type of an attribute of a namespace: the system's own, or a registered one.
pub(crate) fn attribute_type(namespace: &Namespace, name: &str) -> Option<SearchAttributeType> {
    system(name)
        .map(|(kind, _)| kind)
        .or_else(|| namespace.search_attributes.get(name).copied())
}

/// A run's search attributes with those that the server derives (behaviour, section 1.6).
pub(crate) fn search_attributes(state: &State) -> SearchAttributes {
    let mut all = SearchAttributes::clone(&state.core.search_attributes);
    let behavior = versioning_attributes(state, &mut all);
    let stamp = state.core.worker_version.as_deref();
    let versioned = stamp.is_some_and(|stamp| stamp.use_versioning);
    let mut builds = Vec::new();
    if behavior == Behavior::Pinned {
        builds.push(format!("pinned:{}", pinned_version(state)));
    } else if behavior == Behavior::Unspecified
        && state.core.previous_started_event_id > 0
        && !versioned
    {
        builds.push("unversioned".to_owned());
    }
    builds.extend(worker_builds::all(&state.core));
    let checksums = worker_builds::checksums(state);
    if !checksums.is_empty() {
        let payload = Value::KeywordList(checksums).to_payload();
        all.indexed_fields
            .insert("BinaryChecksums".to_owned(), payload);
    }
    if !builds.is_empty() {
        let payload: Payload = Value::KeywordList(builds).to_payload();
        all.indexed_fields.insert("BuildIds".to_owned(), payload);
    }
    if let Some(problems) = reported_problems(state) {
        let payload = Value::KeywordList(problems).to_payload();
        all.indexed_fields
            .insert("TemporalReportedProblems".to_owned(), payload);
    }
    if let Some(paused) = pause_info(state) {
        let payload = Value::KeywordList(paused).to_payload();
        all.indexed_fields
            .insert("TemporalPauseInfo".to_owned(), payload);
    }
    all
}

/// What is paused of an open run: itself, and activities by their types (behaviour, sections 5.6 and 6.8).
fn pause_info(state: &State) -> Option<Vec<String>> {
    if !state.is_open() {
        return None;
    }
    let mut entries = Vec::new();
    if let Some(pause) = &state.core.pause {
        entries.push(format!("Workflow:{}", state.workflow_id));
        if !pause.reason.is_empty() {
            entries.push(format!("Reason:{}", pause.reason));
        }
    }
    if state.core.paused_activities > 0 {
        let types = state.paused_activity_types();
        entries.extend(
            types
                .into_iter()
                .map(|name| format!("property:activityType={name}")),
        );
    }
    (!entries.is_empty()).then_some(entries)
}

/// What of a run decides which builds it is said to have been worked on by.
pub(crate) fn builds(core: &Core) -> (bool, Option<&WorkerVersionStamp>, EventId) {
    let points = core.reset_points.iter().rev();
    let checked = points.filter(|point| !point.binary_checksum.is_empty());
    let last = checked.map(|point| point.first_workflow_task_completed_id);
    (
        core.previous_started_event_id > 0,
        core.worker_version.as_deref(),
        last.max().unwrap_or(0),
    )
}

/// Adds what versioning says, and gives the behavior that counts.
fn versioning_attributes(state: &State, all: &mut SearchAttributes) -> Behavior {
    let Some(versioning) = state.core.versioning.as_deref() else {
        return Behavior::Unspecified;
    };
    let mut add = |name: &str, value: Value| {
        all.indexed_fields
            .insert(name.to_owned(), value.to_payload());
    };
    let version = shown_version(versioning);
    let deployment = version
        .as_ref()
        .map_or(&versioning.deployment_name, |v| &v.deployment_name);
    if !deployment.is_empty() {
        add(
            "TemporalWorkerDeployment",
            Value::Keyword(deployment.to_string()),
        );
    }
    if let Some(version) = version {
        add(
            "TemporalWorkerDeploymentVersion",
            Value::Keyword(version.to_string()),
        );
    }
    let behavior = versioning.settled_behavior();
    if behavior != Behavior::Unspecified {
        let name = camel(behavior.as_str_name(), "VERSIONING_BEHAVIOR_");
        add("TemporalWorkflowVersioningBehavior", Value::Keyword(name));
    }
    if !versioning.used.is_empty() {
        let used = versioning.used.iter().map(ToString::to_string).collect();
        add(
            "TemporalUsedWorkerDeploymentVersions",
            Value::KeywordList(used),
        );
    }
    behavior
}

/// The version of an override, else of the worker.
fn shown_version(versioning: &Versioning) -> Option<Version> {
    let target = versioning
        .version_override
        .as_ref()
        .and_then(override_target);
    target.or_else(|| versioning.version.clone())
}

fn pinned_version(state: &State) -> String {
    let versioning = state.core.versioning.as_deref();
    let version = versioning.and_then(shown_version);
    version.map_or_else(String::new, |version| version.to_string())
}

/// After five failed attempts the run says so of itself (behaviour, section 4.5).
fn reported_problems(state: &State) -> Option<Vec<String>> {
    let problem = state.core.workflow_task_problem.as_ref()?;
    (state.is_open() && reports_problems(&state.core)).then(|| {
        vec![
            format!("category={}", problem.category),
            format!("cause={}", problem.cause),
        ]
    })
}

/// Whether so many attempts have failed that a run says so of itself.
pub(crate) fn reports_problems(core: &Core) -> bool {
    core.workflow_task
        .as_ref()
        .is_some_and(|task| task.attempt > 5)
}
