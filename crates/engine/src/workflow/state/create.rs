//! A run as its first record makes it.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use proto::temporal::api::enums::v1::{EventType, WorkflowExecutionStatus as Status};
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes};
use uuid::Uuid;

use super::apply::event_time;
use super::table::Table;
use super::time_skipping::TimeSkipping;
use super::versioning::Versioning;
use super::{Core, FirstTask, Start, State, Volatile};
use crate::time::{Timestamp, duration};
use crate::workflow::record::Created;

impl State {
    /// A run as its first record's creation and event 1 make it.
    pub(crate) fn create(workflow_id: Arc<str>, created: &Created, event: &HistoryEvent) -> Self {
        let attributes = match &event.attributes {
            Some(A::WorkflowExecutionStartedEventAttributes(a)) => a.clone(),
            _ => WorkflowExecutionStartedEventAttributes::default(),
        };
        let original_time = event_time(event);
        let reset = created.reset.clone();
        let reset_time = reset.as_ref().map(|reset| Timestamp(reset.time));
        let time = reset_time.unwrap_or(original_time);
        let run_timeout = duration(attributes.workflow_run_timeout.as_ref());
        let execution_timeout = duration(attributes.workflow_execution_timeout.as_ref());
        let backoff = match reset {
            // Its first task was there before.
            Some(_) => Duration::ZERO,
            None => duration(attributes.first_workflow_task_backoff.as_ref()),
        };
        let began = time.after(backoff);
        let expires = attributes.workflow_execution_expiration_time.as_ref();
        let execution_deadline = match reset {
            // All its time begins with the reset.
            Some(_) => (!execution_timeout.is_zero()).then(|| time.after(execution_timeout)),
            None => expires.map(Timestamp::from_proto),
        };
        let first_task = if created.awaits_parent {
            FirstTask::AwaitsParent
        } else if backoff.is_zero() {
            FirstTask::Scheduled
        } else {
            FirstTask::Delayed(time.after(backoff))
        };
        let core = Core {
            status: Status::Running,
            close: None,
            next_event_id: 2,
            history_size: event.encoded_len() as i64,
            seq: 0,
            workflow_task: None,
            workflow_task_problem: None,
            workflow_task_attempt: 1,
            previous_started_event_id: 0,
            last_completed_event_id: 0,
            sticky: None,
            memo: Arc::new(attributes.memo.clone().unwrap_or_default()),
            search_attributes: Arc::new(attributes.search_attributes.clone().unwrap_or_default()),
            cancel_requested: false,
            signal_count: 0,
            buffered: Arc::default(),
            buffered_size: 0,
            first_task,
            parent_asked_at: time,
            // The run's time begins when its first task may run (behaviour, sections 3.4 and 6.4).
            run_deadline: (!run_timeout.is_zero()).then(|| began.after(run_timeout)),
            execution_deadline,
            outbox_seq: 1,
            worker_version: None,
            builds: None,
            priority: attributes.priority.clone().map(Arc::new),
            pause: None,
            buffered_pauses: 0,
            paused_activities: 0,
            versioning: Versioning::started(&attributes),
            time_skipping: TimeSkipping::started(&attributes, original_time),
            reset_points: Arc::new(
                attributes
                    .prev_auto_reset_points
                    .as_ref()
                    .map_or_else(Vec::new, |p| p.points.clone()),
            ),
            reset_run_id: None,
            ended_by_reset: false,
            deleting: false,
            start: Arc::new(Start {
                time,
                original_time,
                reset,
                user_metadata: event.user_metadata.clone(),
                request_id: created.request_id.as_str().into(),
                workflow_type: attributes
                    .workflow_type
                    .as_ref()
                    .map_or("", |t| &t.name)
                    .into(),
                task_queue: attributes
                    .task_queue
                    .as_ref()
                    .map_or("", |q| &q.name)
                    .into(),
                workflow_task_timeout: duration(attributes.workflow_task_timeout.as_ref()),
                run_timeout,
                execution_timeout,
                namespace: created.namespace.as_str().into(),
                watcher: created.watcher.clone(),
                attributes,
            }),
        };
        let mut state = Self {
            workflow_id,
            run_id: Uuid::from_slice(&created.run_id).unwrap_or(Uuid::nil()),
            namespace_id: Uuid::from_slice(&created.namespace_id).unwrap_or(Uuid::nil()),
            core,
            activities: Table::default(),
            activity_ids: Table::default(),
            timers: Table::default(),
            children: Table::default(),
            external_signals: Table::default(),
            external_cancels: Table::default(),
            nexus_operations: Table::default(),
            callbacks: Table::default(),
            outbox: Table::default(),
            request_ids: Table::default(),
            updates: Table::default(),
            completed_updates: Table::default(),
            volatile: Volatile::default(),
        };
        let callbacks = state.core.start.attributes.completion_callbacks.clone();
        state.register_callbacks(&callbacks, &created.request_id, time);
        for id in &created.taken_messages {
            state.note_request_id(id, EventType::WorkflowExecutionSignaled as i32, 0);
        }
        state.note_request_id(
            &created.request_id,
            EventType::WorkflowExecutionStarted as i32,
            1,
        );
        state
    }
}
