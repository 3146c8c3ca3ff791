//! How a started workflow task looks on the wire: in the answer of a poll, of a start with an eager
//! task, and of a completion with an inline one.

use std::collections::BTreeMap;

use bytes::Bytes;
use engine::workflow::transition::WorkflowTask;
use prost::Message;
use proto::temporal::api::common::v1::{WorkflowExecution, WorkflowType};
use proto::temporal::api::enums::v1::TaskQueueKind;
use proto::temporal::api::query::v1::WorkflowQuery;
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::history_page::{Kind, token};
use crate::shard::TaskHistory;
use crate::wire::Reply;

/// The response's field for the history.
pub(super) const HISTORY: u32 = 8;

/// A workflow task with its history.
pub(super) fn workflow_task(
    workflow_id: &str,
    run_id: &str,
    task: WorkflowTask,
    history: TaskHistory,
    queries: Vec<(String, WorkflowQuery)>,
) -> Reply<PollWorkflowTaskQueueResponse> {
    let message = PollWorkflowTaskQueueResponse {
        task_token: task.token.encode_to_vec().into(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
        }),
        workflow_type: Some(WorkflowType {
            name: task.workflow_type,
        }),
        previous_started_event_id: task.previous_started_event_id,
        started_event_id: task.started_event_id,
        attempt: task.attempt,
        workflow_execution_task_queue: Some(normal_queue(&task.task_queue)),
        scheduled_time: Some(task.scheduled_time.to_proto()),
        started_time: Some(task.started_time.to_proto()),
        queries: queries.into_iter().collect::<BTreeMap<_, _>>(),
        next_page_token: next_page(&history),
        messages: task.messages,
        ..Default::default()
    };
    Reply::with(message, HISTORY, history.fragments)
}

/// Where the rest of a task's history begins, if there is a rest.
pub(super) fn next_page(history: &TaskHistory) -> Bytes {
    history
        .next
        .map_or_else(Bytes::new, |next| token(&next, Kind::Forward))
}

/// A task queue that is not sticky.
pub(super) fn normal_queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        kind: TaskQueueKind::Normal.into(),
        normal_name: String::new(),
    }
}
