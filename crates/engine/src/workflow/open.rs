//! Opening a run: its first record. Every new run goes through here, whoever asks for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::temporal::api::common::v1::{Link, Memo, TimeSkippingStatePropagation};
use proto::temporal::api::enums::v1::{EventType, TaskQueueKind};
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes};
use proto::temporal::api::sdk::v1::UserMetadata;
use proto::temporal::api::taskqueue::v1::TaskQueue;
use uuid::Uuid;

use super::input::Watcher;
use super::record::{ChangeKind, Created};
use super::state::State;
use super::step::Step;
use super::transition::NewRun;
use crate::Env;
use crate::ids::Now;
use crate::limits::{Limits, WORKFLOW_TASK_TIMEOUT_MAX};
use crate::time::duration;

/// What a new run is made of.
pub(crate) struct Opening {
    pub(crate) workflow_id: Arc<str>,
    pub(crate) run_id: Uuid,
    pub(crate) request_id: String,
    pub(crate) attributes: WorkflowExecutionStartedEventAttributes,
    pub(crate) user_metadata: Option<UserMetadata>,
    pub(crate) links: Vec<Link>,
    pub(crate) awaits_parent: bool,
    pub(crate) taken_messages: Vec<String>,
    pub(crate) watcher: Option<Watcher>,
}

/// Opens a run and does `then` in the same record: a signal, the first workflow task.
pub(crate) fn open<T>(
    opening: Opening,
    now: &mut Now,
    env: Env<'_>,
    then: impl FnOnce(&mut Step<'_>) -> T,
) -> (NewRun, T) {
    let inherited = opening.attributes.time_skipping_state_propagation;
    let time = now.time.after(ahead(inherited.as_ref()));
    let created = Created {
        namespace_id: Bytes::copy_from_slice(env.namespace.id.as_bytes()),
        run_id: Bytes::copy_from_slice(opening.run_id.as_bytes()),
        request_id: opening.request_id,
        awaits_parent: opening.awaits_parent,
        namespace: env.namespace.name.to_string(),
        taken_messages: opening.taken_messages,
        reset: None,
        watcher: opening.watcher,
    };
    let event = HistoryEvent {
        event_id: 1,
        event_time: Some(time.to_proto()),
        event_type: EventType::WorkflowExecutionStarted as i32,
        task_id: now.next_task_id(),
        user_metadata: opening.user_metadata,
        links: opening.links,
        attributes: Some(Attributes::WorkflowExecutionStartedEventAttributes(
            opening.attributes,
        )),
        ..HistoryEvent::default()
    };
    let mut state = State::create(opening.workflow_id, &created, &event);
    let mut step = Step::begin(&mut state, now, env);
    step.change(ChangeKind::Created(created));
    step.adopt_first_event(&event);
    let value = then(&mut step);
    let (record, effects) = step.into_new_run_parts();
    (
        NewRun {
            state,
            copied: Vec::new(),
            record,
            effects,
        },
        value,
    )
}

/// How far the time of a new run is ahead of the clock.
pub(crate) fn ahead(inherited: Option<&TimeSkippingStatePropagation>) -> Duration {
    duration(inherited.and_then(|it| it.initial_skipped_duration.as_ref()))
}

/// Run timeout as it takes effect: an execution timeout bounds it, and stands in for it (behaviour,
/// section 3.4). Zero is none.
pub(crate) fn run_timeout(run: Duration, execution: Duration) -> Duration {
    match (run.is_zero(), execution.is_zero()) {
        (true, _) => execution,
        (false, true) => run,
        (false, false) => run.min(execution),
    }
}

/// A memo as events show it: an empty one is none.
pub(crate) fn shown_memo(memo: Option<Memo>) -> Option<Memo> {
    memo.filter(|memo| !memo.fields.is_empty())
}

/// Workflow task timeout as it takes effect.
pub(crate) fn task_timeout(asked: Duration, run: Duration, limits: &Limits) -> Duration {
    let asked = if asked.is_zero() {
        limits.workflow_task_timeout_default
    } else {
        asked
    };
    let capped = asked.min(WORKFLOW_TASK_TIMEOUT_MAX);
    if run.is_zero() {
        capped
    } else {
        capped.min(run)
    }
}

/// A queue as events show it.
pub(crate) fn normal_queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        kind: TaskQueueKind::Normal as i32,
        normal_name: String::new(),
    }
}
