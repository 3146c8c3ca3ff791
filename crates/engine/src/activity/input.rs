//! What can reach a standalone activity: one variant a verb.

use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::workflowservice::v1::{
    PauseActivityExecutionRequest, RequestCancelActivityExecutionRequest,
    ResetActivityExecutionRequest, UnpauseActivityExecutionRequest,
    UpdateActivityExecutionOptionsRequest,
};

use crate::workflow::input::{
    ActivityFailed, ActivityTarget, CallbackAnswer, PeerAnswer, StartActivityTask,
};

/// Everything that can happen to an existing standalone activity.
#[derive(Clone, Debug)]
pub enum Input {
    /// A poller claims the offered attempt. The offer's stamp is in the place of the scheduled event.
    StartActivityTask(StartActivityTask),
    /// RecordActivityTaskHeartbeat and its by-id form.
    Heartbeat(ActivityTarget, Option<Payloads>, String),
    /// RespondActivityTaskCompleted and its by-id form: result, identity.
    Completed(ActivityTarget, Option<Payloads>, String),
    /// RespondActivityTaskFailed and its by-id form.
    Failed(ActivityTarget, Box<ActivityFailed>),
    /// RespondActivityTaskCanceled and its by-id form: details, identity.
    Canceled(ActivityTarget, Option<Payloads>, String),
    /// RequestCancelActivityExecution.
    RequestCancel(Box<RequestCancelActivityExecutionRequest>),
    /// TerminateActivityExecution.
    Terminate(Terminate),
    /// DeleteActivityExecution.
    Delete,
    /// PauseActivityExecution without a workflow.
    Pause(Box<PauseActivityExecutionRequest>),
    /// UnpauseActivityExecution without a workflow.
    Unpause(Box<UnpauseActivityExecutionRequest>),
    /// ResetActivityExecution without a workflow.
    Reset(Box<ResetActivityExecutionRequest>),
    /// UpdateActivityExecutionOptions without a workflow.
    UpdateOptions(Box<UpdateActivityExecutionOptionsRequest>),
    /// What became of a callback to an address elsewhere: which one, attempts before, the answer.
    CallbackAnswered(u64, i32, CallbackAnswer),
    /// What another execution answers to a callback.
    PeerAnswer(u64, PeerAnswer),
    /// Time has passed: whatever is due, fires.
    Deadline,
}

/// Ends an activity from outside.
#[derive(Clone, Debug, Default)]
pub struct Terminate {
    /// Becomes the failure's message.
    pub reason: String,
    /// Who asks.
    pub identity: String,
    /// Recognises the caller's retries.
    pub request_id: String,
}
