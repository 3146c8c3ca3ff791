//! The calls of Temporal's API that the load is made of, with only the arguments that vary.

use std::time::Duration;

use bytes::Bytes;
use proto::temporal::api::activity::v1::activity_execution_outcome::Value;
use proto::temporal::api::common::v1::{ActivityType, Payloads, WorkflowExecution, WorkflowType};
use proto::temporal::api::enums::v1::{
    ActivityIdReusePolicy, HistoryEventFilterType, QueryResultType, ScheduleOverlapPolicy,
    TaskQueueKind, UpdateWorkflowExecutionLifecycleStage, WorkflowIdReusePolicy,
};
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::query::v1::WorkflowQuery;
use proto::temporal::api::schedule::v1::{
    IntervalSpec, Schedule, ScheduleAction, ScheduleInfo, SchedulePolicies, ScheduleSpec,
    schedule_action,
};
use proto::temporal::api::taskqueue::v1::{StickyExecutionAttributes, TaskQueue};
use proto::temporal::api::update::v1::{self as update, WaitPolicy};
use proto::temporal::api::workflow::v1::NewWorkflowExecutionInfo;
use proto::temporal::api::workflowservice::v1::*;

use crate::client::{Client, Method};
use crate::commands::ACTIVITY_TIMEOUT_SECONDS;
use crate::error::Error;
use crate::payload;
use crate::script::Plan;

/// The deadline of calls that answer at once.
const SHORT: Duration = Duration::from_secs(30);
/// The deadline of polls: longer than a server holds them.
const POLL: Duration = Duration::from_secs(70);
/// How long a sticky task may wait for its worker.
const STICKY_TIMEOUT_SECONDS: i64 = 60;

macro_rules! method {
    ($name:literal) => {
        Method {
            name: $name,
            path: concat!("/temporal.api.workflowservice.v1.WorkflowService/", $name),
        }
    };
}

/// A task queue that anybody may poll.
pub(crate) fn normal_queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        kind: TaskQueueKind::Normal.into(),
        normal_name: String::new(),
    }
}

/// The queue of one worker beside its normal one.
pub(crate) fn sticky_queue(name: &str, normal: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        kind: TaskQueueKind::Sticky.into(),
        normal_name: normal.to_owned(),
    }
}

fn execution(workflow_id: &str, run_id: &str) -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.to_owned(),
    })
}

impl Client {
    /// Starts a workflow; returns its run id.
    pub(crate) async fn start(
        &self,
        queue: &str,
        workflow_id: &str,
        plan: &Plan,
    ) -> Result<String, Error> {
        let request = StartWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_id: workflow_id.to_owned(),
            workflow_type: Some(WorkflowType {
                name: String::from("Load"),
            }),
            task_queue: Some(normal_queue(queue)),
            input: Some(payload::of_json(plan)),
            identity: self.identity.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate.into(),
            ..Default::default()
        };
        let method = method!("StartWorkflowExecution");
        let response: StartWorkflowExecutionResponse = self.call(method, request, SHORT).await?;
        Ok(response.run_id)
    }

    /// Starts a job; returns its run id.
    pub(crate) async fn start_job(
        &self,
        queue: &str,
        id: &str,
        plan: &Plan,
    ) -> Result<String, Error> {
        let request = StartActivityExecutionRequest {
            namespace: self.namespace.clone(),
            activity_id: id.to_owned(),
            activity_type: Some(ActivityType {
                name: String::from("Echo"),
            }),
            task_queue: Some(normal_queue(queue)),
            input: Some(payload::of_json(plan)),
            identity: self.identity.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            start_to_close_timeout: Some(proto::Duration {
                seconds: ACTIVITY_TIMEOUT_SECONDS,
                nanos: 0,
            }),
            id_reuse_policy: ActivityIdReusePolicy::RejectDuplicate.into(),
            ..Default::default()
        };
        let method = method!("StartActivityExecution");
        let response: StartActivityExecutionResponse = self.call(method, request, SHORT).await?;
        Ok(response.run_id)
    }

    /// Waits for a job's result; nothing if there is none yet after one long poll.
    pub(crate) async fn await_job(
        &self,
        id: &str,
        run_id: &str,
    ) -> Result<Option<Payloads>, Error> {
        let request = PollActivityExecutionRequest {
            namespace: self.namespace.clone(),
            activity_id: id.to_owned(),
            run_id: run_id.to_owned(),
        };
        let method = method!("PollActivityExecution");
        let response: PollActivityExecutionResponse = self.call(method, request, POLL).await?;
        match response.outcome.and_then(|outcome| outcome.value) {
            None => Ok(None),
            Some(Value::Result(result)) => Ok(Some(result)),
            Some(Value::Failure(failure)) => Err(Error::Unusable(format!(
                "the job failed: {}",
                failure.message
            ))),
        }
    }

    /// Sends the signal with this number.
    pub(crate) async fn signal(&self, workflow_id: &str, number: u64) -> Result<(), Error> {
        let request = SignalWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: execution(workflow_id, ""),
            signal_name: String::from("number"),
            input: Some(payload::of_json(&number)),
            identity: self.identity.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            ..Default::default()
        };
        let method = method!("SignalWorkflowExecution");
        let _: SignalWorkflowExecutionResponse = self.call(method, request, SHORT).await?;
        Ok(())
    }

    /// Sends the update with this number; returns its result.
    pub(crate) async fn update(
        &self,
        workflow_id: &str,
        number: u64,
    ) -> Result<Option<Payloads>, Error> {
        let request = UpdateWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: execution(workflow_id, ""),
            wait_policy: Some(WaitPolicy {
                lifecycle_stage: UpdateWorkflowExecutionLifecycleStage::Completed.into(),
            }),
            request: Some(update::Request {
                meta: Some(update::Meta {
                    update_id: format!("update-{number}"),
                    identity: self.identity.clone(),
                }),
                input: Some(update::Input {
                    name: String::from("number"),
                    args: Some(payload::of_json(&number)),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let method = method!("UpdateWorkflowExecution");
        // The server may answer early that it is not done: the same id asks again.
        loop {
            let response: UpdateWorkflowExecutionResponse =
                self.call(method, request.clone(), POLL).await?;
            match response.outcome.and_then(|outcome| outcome.value) {
                None => {}
                Some(update::outcome::Value::Success(result)) => return Ok(Some(result)),
                Some(update::outcome::Value::Failure(failure)) => {
                    return Err(Error::Unusable(format!(
                        "update {number} failed: {failure:?}"
                    )));
                }
            }
        }
    }

    /// Creates a schedule that starts a workflow each second.
    pub(crate) async fn create_schedule(
        &self,
        queue: &str,
        id: &str,
        plan: &Plan,
    ) -> Result<(), Error> {
        let action = NewWorkflowExecutionInfo {
            workflow_id: id.to_owned(),
            workflow_type: Some(WorkflowType {
                name: String::from("Load"),
            }),
            task_queue: Some(normal_queue(queue)),
            input: Some(payload::of_json(plan)),
            ..Default::default()
        };
        let interval = IntervalSpec {
            interval: Some(proto::Duration {
                seconds: 1,
                nanos: 0,
            }),
            phase: None,
        };
        let schedule = Schedule {
            spec: Some(ScheduleSpec {
                interval: vec![interval],
                ..Default::default()
            }),
            action: Some(ScheduleAction {
                action: Some(schedule_action::Action::StartWorkflow(action)),
            }),
            policies: Some(SchedulePolicies {
                overlap_policy: ScheduleOverlapPolicy::AllowAll.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let request = CreateScheduleRequest {
            namespace: self.namespace.clone(),
            schedule_id: id.to_owned(),
            schedule: Some(schedule),
            identity: self.identity.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            ..Default::default()
        };
        let _: CreateScheduleResponse =
            self.call(method!("CreateSchedule"), request, SHORT).await?;
        Ok(())
    }

    /// What a schedule did.
    pub(crate) async fn describe_schedule(&self, id: &str) -> Result<ScheduleInfo, Error> {
        let request = DescribeScheduleRequest {
            namespace: self.namespace.clone(),
            schedule_id: id.to_owned(),
        };
        let response: DescribeScheduleResponse = self
            .call(method!("DescribeSchedule"), request, SHORT)
            .await?;
        Ok(response.info.unwrap_or_default())
    }

    /// Deletes a schedule.
    pub(crate) async fn delete_schedule(&self, id: &str) -> Result<(), Error> {
        let request = DeleteScheduleRequest {
            namespace: self.namespace.clone(),
            schedule_id: id.to_owned(),
            identity: self.identity.clone(),
        };
        let _: DeleteScheduleResponse =
            self.call(method!("DeleteSchedule"), request, SHORT).await?;
        Ok(())
    }

    /// Waits for the close event; nothing if there is none yet after one long poll.
    pub(crate) async fn await_close(
        &self,
        workflow_id: &str,
        run_id: &str,
        token: &mut Bytes,
    ) -> Result<Option<HistoryEvent>, Error> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: self.namespace.clone(),
            execution: execution(workflow_id, run_id),
            next_page_token: token.clone(),
            wait_new_event: true,
            history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
            skip_archival: true,
            ..Default::default()
        };
        let method = method!("GetWorkflowExecutionHistory");
        let response: GetWorkflowExecutionHistoryResponse =
            self.call(method, request, POLL).await?;
        *token = response.next_page_token;
        Ok(response
            .history
            .and_then(|history| history.events.into_iter().next_back()))
    }

    /// A page of history.
    pub(crate) async fn history_page(
        &self,
        execution: &WorkflowExecution,
        token: Bytes,
    ) -> Result<(Vec<HistoryEvent>, Bytes), Error> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: self.namespace.clone(),
            execution: Some(execution.clone()),
            next_page_token: token,
            ..Default::default()
        };
        let method = method!("GetWorkflowExecutionHistory");
        let response: GetWorkflowExecutionHistoryResponse =
            self.call(method, request, SHORT).await?;
        let events = response
            .history
            .map(|history| history.events)
            .unwrap_or_default();
        Ok((events, response.next_page_token))
    }

    /// Asks an open workflow.
    pub(crate) async fn query(
        &self,
        workflow_id: &str,
        argument: &str,
    ) -> Result<Option<Payloads>, Error> {
        let request = QueryWorkflowRequest {
            namespace: self.namespace.clone(),
            execution: execution(workflow_id, ""),
            query: Some(WorkflowQuery {
                query_type: String::from("echo"),
                query_args: Some(payload::of_json(&argument)),
                header: None,
            }),
            ..Default::default()
        };
        let method = method!("QueryWorkflow");
        let response: QueryWorkflowResponse = self.call(method, request, SHORT).await?;
        Ok(response.query_result)
    }

    /// Long-polls for a workflow task; an empty token means that none came.
    pub(crate) async fn poll_workflow_task(
        &self,
        queue: TaskQueue,
    ) -> Result<PollWorkflowTaskQueueResponse, Error> {
        let request = PollWorkflowTaskQueueRequest {
            namespace: self.namespace.clone(),
            task_queue: Some(queue),
            identity: self.identity.clone(),
            ..Default::default()
        };
        self.call(method!("PollWorkflowTaskQueue"), request, POLL)
            .await
    }

    /// Long-polls for an activity task; an empty token means that none came.
    pub(crate) async fn poll_activity_task(
        &self,
        queue: &str,
    ) -> Result<PollActivityTaskQueueResponse, Error> {
        let request = PollActivityTaskQueueRequest {
            namespace: self.namespace.clone(),
            task_queue: Some(normal_queue(queue)),
            identity: self.identity.clone(),
            ..Default::default()
        };
        self.call(method!("PollActivityTaskQueue"), request, POLL)
            .await
    }

    /// Completes a workflow task, made by [`completion`].
    pub(crate) async fn complete_workflow_task(
        &self,
        request: RespondWorkflowTaskCompletedRequest,
    ) -> Result<(), Error> {
        let request = RespondWorkflowTaskCompletedRequest {
            namespace: self.namespace.clone(),
            identity: self.identity.clone(),
            ..request
        };
        let method = method!("RespondWorkflowTaskCompleted");
        let _: RespondWorkflowTaskCompletedResponse = self.call(method, request, SHORT).await?;
        Ok(())
    }

    /// Answers a query task.
    pub(crate) async fn answer_query(&self, token: Bytes, answer: Payloads) -> Result<(), Error> {
        let request = RespondQueryTaskCompletedRequest {
            namespace: self.namespace.clone(),
            task_token: token,
            completed_type: QueryResultType::Answered.into(),
            query_result: Some(answer),
            ..Default::default()
        };
        let method = method!("RespondQueryTaskCompleted");
        let _: RespondQueryTaskCompletedResponse = self.call(method, request, SHORT).await?;
        Ok(())
    }

    /// Completes an activity task.
    pub(crate) async fn complete_activity_task(
        &self,
        token: Bytes,
        result: Option<Payloads>,
    ) -> Result<(), Error> {
        let request = RespondActivityTaskCompletedRequest {
            namespace: self.namespace.clone(),
            identity: self.identity.clone(),
            task_token: token,
            result,
            ..Default::default()
        };
        let method = method!("RespondActivityTaskCompleted");
        let _: RespondActivityTaskCompletedResponse = self.call(method, request, SHORT).await?;
        Ok(())
    }
}

/// The completion of a workflow task; with a sticky queue the next one comes there.
pub(crate) fn completion(
    token: Bytes,
    commands: Vec<proto::temporal::api::command::v1::Command>,
    sticky: Option<TaskQueue>,
) -> RespondWorkflowTaskCompletedRequest {
    RespondWorkflowTaskCompletedRequest {
        task_token: token,
        commands,
        sticky_attributes: sticky.map(|queue| StickyExecutionAttributes {
            worker_task_queue: Some(queue),
            schedule_to_start_timeout: Some(proto::Duration {
                seconds: STICKY_TIMEOUT_SECONDS,
                nanos: 0,
            }),
        }),
        ..Default::default()
    }
}
