//! A job: what was asked for, how far it is, and how it ended. What was asked for never changes; the rest is a
//! fold of records, of which only the sum is kept: a job may have millions of targets.

use prost::Message;
use proto::temporal::api::batch::v1::BatchOperationInfo;
use proto::temporal::api::common::v1::Execution;
use proto::temporal::api::enums::v1::{BatchOperationState, BatchOperationType, ExecutionType};
use proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;
use proto::temporal::api::workflowservice::v1::{
    DescribeBatchOperationResponse, StartBatchOperationRequest,
};

use super::operation::{Target, is_about_activities};
use crate::time::Timestamp;

/// A job.
#[derive(Clone, PartialEq, Message)]
pub struct Job {
    /// What was asked for.
    #[prost(message, optional, tag = "1")]
    pub request: Option<StartBatchOperationRequest>,
    /// When, in nanoseconds since the epoch.
    #[prost(int64, tag = "2")]
    pub start_time: i64,
    /// The run id that a workflow in its place would have; clients see it when they use the job's id twice.
    #[prost(string, tag = "3")]
    pub run_id: String,
}

/// How far a job is.
#[derive(Clone, PartialEq, Message)]
pub struct Progress {
    /// Targets that there seemed to be at the beginning; absent until they are counted.
    #[prost(int64, optional, tag = "1")]
    pub total: Option<i64>,
    /// Targets that are done with.
    #[prost(int64, tag = "2")]
    pub completed: i64,
    /// Targets that the operation failed for.
    #[prost(int64, tag = "3")]
    pub failed: i64,
    /// Where the list of a query's targets goes on.
    #[prost(bytes = "vec", tag = "4")]
    pub cursor: Vec<u8>,
    /// Explicit targets that are behind us.
    #[prost(uint64, tag = "5")]
    pub listed: u64,
    /// When it ended, in nanoseconds since the epoch; 0 while it runs.
    #[prost(int64, tag = "6")]
    pub close_time: i64,
    /// How it ended.
    #[prost(enumeration = "BatchOperationState", tag = "7")]
    pub close_state: i32,
    /// Why it failed or was stopped.
    #[prost(string, tag = "8")]
    pub close_reason: String,
}

/// One page of targets is done with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Targets that are done with.
    pub completed: i64,
    /// Targets that the operation failed for.
    pub failed: i64,
    /// Where the list of a query's targets goes on.
    pub cursor: Vec<u8>,
    /// Explicit targets of the page.
    pub listed: u64,
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Its targets were counted.
    Counted(i64),
    /// A page is done with.
    Page(Page),
    /// All targets are done with.
    Completed(Timestamp),
    /// It was stopped, or cannot go on.
    Failed(Timestamp, String),
}

impl Progress {
    /// Folds a record. A job that has ended stays as it is.
    pub fn apply(&mut self, record: Record) {
        if self.is_closed() {
            return;
        }
        match record {
            Record::Counted(total) => self.total = Some(total),
            Record::Page(page) => {
                self.completed += page.completed;
                self.failed += page.failed;
                self.cursor = page.cursor;
                self.listed += page.listed;
            }
            Record::Completed(time) => {
                self.close_time = time.0;
                self.close_state = BatchOperationState::Completed.into();
                // The estimate has served; this is how many there were.
                self.total = Some(self.completed + self.failed);
            }
            Record::Failed(time, reason) => {
                self.close_time = time.0;
                self.close_state = BatchOperationState::Failed.into();
                self.close_reason = reason;
            }
        }
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.close_time != 0
    }

    fn state(&self) -> BatchOperationState {
        if self.is_closed() {
            self.close_state()
        } else {
            BatchOperationState::Running
        }
    }
}

impl Job {
    /// The job's id.
    pub fn id(&self) -> &str {
        self.request.as_ref().map_or("", |request| &request.job_id)
    }

    /// What is asked of each target.
    pub fn operation(&self) -> Option<&Operation> {
        self.request.as_ref()?.operation.as_ref()
    }

    /// The targets that were named, if they were.
    pub fn targets(&self) -> Vec<Target> {
        let Some(request) = &self.request else {
            return Vec::new();
        };
        let named = request.target_executions.iter().map(|target| Target {
            id: target.business_id.clone(),
            run_id: target.run_id.clone(),
        });
        let workflows = request.executions.iter().map(|target| Target {
            id: target.workflow_id.clone(),
            run_id: target.run_id.clone(),
        });
        named.chain(workflows).collect()
    }

    /// How lists show it.
    pub fn info(&self, progress: &Progress) -> BatchOperationInfo {
        BatchOperationInfo {
            job_id: self.id().to_owned(),
            state: progress.state().into(),
            start_time: Some(Timestamp(self.start_time).to_proto()),
            close_time: progress
                .is_closed()
                .then(|| Timestamp(progress.close_time).to_proto()),
            operation_type: self.kind().into(),
        }
    }

    /// How it is described. `live` is what is done of the current page.
    pub fn describe(&self, progress: &Progress, live: &Page) -> DescribeBatchOperationResponse {
        let request = self.request.clone().unwrap_or_default();
        let kind = match &request.operation {
            Some(operation) if is_about_activities(operation) => ExecutionType::Activity,
            _ => ExecutionType::Workflow,
        };
        let executions = self.targets().into_iter().map(|target| Execution {
            r#type: kind.into(),
            business_id: target.id,
            run_id: target.run_id,
        });
        let info = self.info(progress);
        DescribeBatchOperationResponse {
            operation_type: info.operation_type,
            job_id: info.job_id,
            state: info.state,
            start_time: info.start_time,
            close_time: info.close_time,
            total_operation_count: progress.total.unwrap_or_default(),
            complete_operation_count: progress.completed + live.completed,
            failure_operation_count: progress.failed + live.failed,
            identity: self.identity().to_owned(),
            reason: request.reason,
            query: request.visibility_query,
            executions: executions.collect(),
        }
    }

    fn kind(&self) -> BatchOperationType {
        use BatchOperationType as Kind;
        match self.operation() {
            None => Kind::Unspecified,
            Some(Operation::TerminationOperation(_)) => Kind::TerminateWorkflow,
            Some(Operation::SignalOperation(_)) => Kind::SignalWorkflow,
            Some(Operation::CancellationOperation(_)) => Kind::CancelWorkflow,
            Some(Operation::DeletionOperation(_)) => Kind::DeleteWorkflow,
            Some(Operation::ResetOperation(_)) => Kind::ResetWorkflow,
            Some(Operation::UpdateWorkflowOptionsOperation(_)) => {
                Kind::UpdateWorkflowExecutionOptions
            }
            Some(Operation::UnpauseActivitiesOperation(_)) => Kind::UnpauseActivity,
            Some(Operation::ResetActivitiesOperation(_)) => Kind::ResetActivity,
            Some(Operation::UpdateActivityOptionsOperation(_)) => Kind::UpdateActivityOptions,
            Some(Operation::CancelActivitiesOperation(_)) => Kind::CancelActivity,
            Some(Operation::TerminateActivitiesOperation(_)) => Kind::TerminateActivity,
            Some(Operation::DeleteActivitiesOperation(_)) => Kind::DeleteActivity,
        }
    }

    fn identity(&self) -> &str {
        match self.operation() {
            None | Some(Operation::DeleteActivitiesOperation(_)) => "",
            Some(Operation::TerminationOperation(given)) => &given.identity,
            Some(Operation::SignalOperation(given)) => &given.identity,
            Some(Operation::CancellationOperation(given)) => &given.identity,
            Some(Operation::DeletionOperation(given)) => &given.identity,
            Some(Operation::ResetOperation(given)) => &given.identity,
            Some(Operation::UpdateWorkflowOptionsOperation(given)) => &given.identity,
            Some(Operation::UnpauseActivitiesOperation(given)) => &given.identity,
            Some(Operation::ResetActivitiesOperation(given)) => &given.identity,
            Some(Operation::UpdateActivityOptionsOperation(given)) => &given.identity,
            Some(Operation::CancelActivitiesOperation(given)) => &given.identity,
            Some(Operation::TerminateActivitiesOperation(given)) => &given.identity,
        }
    }
}
