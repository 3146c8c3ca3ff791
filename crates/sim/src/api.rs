//! The calls of Temporal's API that are made here, and requests with only what varies.

use std::time::Duration;

use bytes::Bytes;
use proto::temporal::api::command::v1 as command;
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::common::v1::{ActivityType, Payloads, WorkflowExecution, WorkflowType};
use proto::temporal::api::enums::v1::{CommandType, HistoryEventFilterType, TaskQueueKind};
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::*;
use tonic::Status;

use crate::client::{Client, Method};

/// The namespace that every server has.
pub const NAMESPACE: &str = "default";
/// The deadline of calls that answer at once.
pub const SHORT: Duration = Duration::from_secs(30);
/// The deadline of calls that wait for something; the server answers earlier that there is nothing yet.
pub const WAIT: Duration = Duration::from_secs(40);
/// The deadline of polls.
pub const POLL: Duration = Duration::from_secs(20);

macro_rules! calls {
    ($($call:ident $name:literal $deadline:ident $request:ident $response:ident;)+) => {
        impl Client {
            $(
                #[doc = concat!("Calls ", $name, ".\n\n# Errors\nThe server's answer, or that there was none.")]
                pub async fn $call(&self, request: $request) -> Result<$response, Status> {
                    let method = Method {
                        name: $name,
                        path: concat!("/temporal.api.workflowservice.v1.WorkflowService/", $name),
                    };
                    self.call(method, request, $deadline).await
                }
            )+
        }
    };
}

calls! {
    start "StartWorkflowExecution" SHORT
        StartWorkflowExecutionRequest StartWorkflowExecutionResponse;
    signal_with_start "SignalWithStartWorkflowExecution" SHORT
        SignalWithStartWorkflowExecutionRequest SignalWithStartWorkflowExecutionResponse;
    signal "SignalWorkflowExecution" SHORT
        SignalWorkflowExecutionRequest SignalWorkflowExecutionResponse;
    terminate_workflow "TerminateWorkflowExecution" SHORT
        TerminateWorkflowExecutionRequest TerminateWorkflowExecutionResponse;
    delete_workflow "DeleteWorkflowExecution" SHORT
        DeleteWorkflowExecutionRequest DeleteWorkflowExecutionResponse;
    describe "DescribeWorkflowExecution" SHORT
        DescribeWorkflowExecutionRequest DescribeWorkflowExecutionResponse;
    describe_namespace "DescribeNamespace" SHORT
        DescribeNamespaceRequest DescribeNamespaceResponse;
    history "GetWorkflowExecutionHistory" POLL
        GetWorkflowExecutionHistoryRequest GetWorkflowExecutionHistoryResponse;
    list "ListWorkflowExecutions" SHORT
        ListWorkflowExecutionsRequest ListWorkflowExecutionsResponse;
    poll_workflow_task "PollWorkflowTaskQueue" POLL
        PollWorkflowTaskQueueRequest PollWorkflowTaskQueueResponse;
    poll_activity_task "PollActivityTaskQueue" POLL
        PollActivityTaskQueueRequest PollActivityTaskQueueResponse;
    complete_workflow_task "RespondWorkflowTaskCompleted" SHORT
        RespondWorkflowTaskCompletedRequest RespondWorkflowTaskCompletedResponse;
    fail_workflow_task "RespondWorkflowTaskFailed" SHORT
        RespondWorkflowTaskFailedRequest RespondWorkflowTaskFailedResponse;
    complete_activity_task "RespondActivityTaskCompleted" SHORT
        RespondActivityTaskCompletedRequest RespondActivityTaskCompletedResponse;
    complete_activity_task_by_id "RespondActivityTaskCompletedById" SHORT
        RespondActivityTaskCompletedByIdRequest RespondActivityTaskCompletedByIdResponse;
    fail_activity_task "RespondActivityTaskFailed" SHORT
        RespondActivityTaskFailedRequest RespondActivityTaskFailedResponse;
    heartbeat "RecordActivityTaskHeartbeat" SHORT
        RecordActivityTaskHeartbeatRequest RecordActivityTaskHeartbeatResponse;
    update "UpdateWorkflowExecution" WAIT
        UpdateWorkflowExecutionRequest UpdateWorkflowExecutionResponse;
    poll_update "PollWorkflowExecutionUpdate" WAIT
        PollWorkflowExecutionUpdateRequest PollWorkflowExecutionUpdateResponse;
    reset "ResetWorkflowExecution" SHORT
        ResetWorkflowExecutionRequest ResetWorkflowExecutionResponse;
    start_batch "StartBatchOperation" SHORT
        StartBatchOperationRequest StartBatchOperationResponse;
    describe_batch "DescribeBatchOperation" SHORT
        DescribeBatchOperationRequest DescribeBatchOperationResponse;
    create_schedule "CreateSchedule" SHORT
        CreateScheduleRequest CreateScheduleResponse;
    describe_schedule "DescribeSchedule" SHORT
        DescribeScheduleRequest DescribeScheduleResponse;
    patch_schedule "PatchSchedule" SHORT
        PatchScheduleRequest PatchScheduleResponse;
    start_activity "StartActivityExecution" SHORT
        StartActivityExecutionRequest StartActivityExecutionResponse;
    poll_activity "PollActivityExecution" WAIT
        PollActivityExecutionRequest PollActivityExecutionResponse;
    delete_activity "DeleteActivityExecution" SHORT
        DeleteActivityExecutionRequest DeleteActivityExecutionResponse;
    list_activities "ListActivityExecutions" SHORT
        ListActivityExecutionsRequest ListActivityExecutionsResponse;
    poll_nexus_task "PollNexusTaskQueue" POLL
        PollNexusTaskQueueRequest PollNexusTaskQueueResponse;
    complete_nexus_task "RespondNexusTaskCompleted" SHORT
        RespondNexusTaskCompletedRequest RespondNexusTaskCompletedResponse;
}

impl Client {
    /// All events of a run, transient ones left out.
    ///
    /// # Errors
    /// As the calls.
    pub async fn whole_history(
        &self,
        workflow_id: &str,
        run_id: &str,
    ) -> Result<Vec<HistoryEvent>, Status> {
        let mut events = Vec::new();
        let mut request = GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: execution(workflow_id, run_id),
            ..Default::default()
        };
        loop {
            let page = self.history(request.clone()).await?;
            events.extend(page.history.unwrap_or_default().events);
            if page.next_page_token.is_empty() {
                return Ok(events);
            }
            request.next_page_token = page.next_page_token;
        }
    }

    /// Waits for the close event of a run for as long as the server lets it; with the token of the call
    /// before, it waits on.
    ///
    /// # Errors
    /// As the calls.
    pub async fn await_close(
        &self,
        workflow_id: &str,
        run_id: &str,
        token: &mut Bytes,
    ) -> Result<Option<HistoryEvent>, Status> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: execution(workflow_id, run_id),
            next_page_token: token.clone(),
            wait_new_event: true,
            history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
            ..Default::default()
        };
        let page = self.history(request).await?;
        *token = page.next_page_token;
        Ok(page.history.unwrap_or_default().events.pop())
    }
}

/// A run, or with an empty run id the current one.
pub fn execution(workflow_id: &str, run_id: &str) -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.to_owned(),
    })
}

/// A task queue that anybody may poll.
pub fn queue(name: &str) -> Option<TaskQueue> {
    Some(TaskQueue {
        name: name.to_owned(),
        kind: TaskQueueKind::Normal.into(),
        normal_name: String::new(),
    })
}

/// A worker's own queue beside the normal one.
pub fn sticky_queue(name: &str, normal: &str) -> Option<TaskQueue> {
    Some(TaskQueue {
        name: name.to_owned(),
        kind: TaskQueueKind::Sticky.into(),
        normal_name: normal.to_owned(),
    })
}

/// A random request id.
pub fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A start with a request id of its own.
pub fn start(
    queue_name: &str,
    workflow_id: &str,
    input: Option<Payloads>,
) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: String::from("Doubt"),
        }),
        task_queue: queue(queue_name),
        input,
        identity: String::from("starter"),
        request_id: request_id(),
        ..Default::default()
    }
}

/// A signal with a request id of its own, to the current run.
pub fn signal(
    workflow_id: &str,
    name: &str,
    input: Option<Payloads>,
) -> SignalWorkflowExecutionRequest {
    SignalWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: execution(workflow_id, ""),
        signal_name: name.to_owned(),
        input,
        identity: String::from("signaller"),
        request_id: request_id(),
        ..Default::default()
    }
}

/// A poll for a workflow task.
pub fn poll_workflow(queue: Option<TaskQueue>, identity: &str) -> PollWorkflowTaskQueueRequest {
    PollWorkflowTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: queue,
        identity: identity.to_owned(),
        ..Default::default()
    }
}

/// A poll for an activity task.
pub fn poll_activity(queue_name: &str, identity: &str) -> PollActivityTaskQueueRequest {
    PollActivityTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: queue(queue_name),
        identity: identity.to_owned(),
        ..Default::default()
    }
}

/// The completion of a workflow task.
pub fn completion(
    token: Bytes,
    commands: Vec<command::Command>,
) -> RespondWorkflowTaskCompletedRequest {
    RespondWorkflowTaskCompletedRequest {
        namespace: NAMESPACE.to_owned(),
        task_token: token,
        commands,
        identity: String::from("worker"),
        ..Default::default()
    }
}

/// The completion of an activity task.
pub fn activity_completion(
    token: Bytes,
    result: Option<Payloads>,
) -> RespondActivityTaskCompletedRequest {
    RespondActivityTaskCompletedRequest {
        namespace: NAMESPACE.to_owned(),
        task_token: token,
        result,
        identity: String::from("worker"),
        ..Default::default()
    }
}

/// A command.
pub fn command_of(kind: CommandType, attributes: Attributes) -> command::Command {
    command::Command {
        command_type: kind.into(),
        attributes: Some(attributes),
        ..Default::default()
    }
}

/// The command that ends a workflow well.
pub fn complete(result: Option<Payloads>) -> command::Command {
    let attributes = command::CompleteWorkflowExecutionCommandAttributes { result };
    command_of(
        CommandType::CompleteWorkflowExecution,
        Attributes::CompleteWorkflowExecutionCommandAttributes(attributes),
    )
}

/// The command that starts a timer.
pub fn start_timer(id: &str, millis: u64) -> command::Command {
    let attributes = command::StartTimerCommandAttributes {
        timer_id: id.to_owned(),
        start_to_fire_timeout: millis_of(millis),
    };
    command_of(
        CommandType::StartTimer,
        Attributes::StartTimerCommandAttributes(attributes),
    )
}

/// The command that schedules an activity with this start-to-close timeout.
pub fn schedule_activity(
    id: &str,
    queue_name: &str,
    input: Option<Payloads>,
    start_to_close_millis: u64,
) -> command::ScheduleActivityTaskCommandAttributes {
    command::ScheduleActivityTaskCommandAttributes {
        activity_id: id.to_owned(),
        activity_type: Some(ActivityType {
            name: String::from("Do"),
        }),
        task_queue: queue(queue_name),
        input,
        start_to_close_timeout: millis_of(start_to_close_millis),
        ..Default::default()
    }
}

/// A duration on the wire.
pub fn millis_of(millis: u64) -> Option<proto::Duration> {
    Some(proto::Duration {
        // A span of 292 million years is none of ours.
        seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
        nanos: (millis % 1000) as i32 * 1_000_000,
    })
}
