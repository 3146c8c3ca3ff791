//! What can reach a standalone Nexus operation: one variant a verb.

use proto::temporal::api::workflowservice::v1::RequestCancelNexusOperationExecutionRequest;

use crate::workflow::input::{NexusAnswer, NexusCompletion};

/// Everything that can happen to an existing standalone operation.
#[derive(Clone, Debug)]
pub enum Input {
    /// The handler's answer to a request to start it: the attempt.
    StartAnswered(i32, Box<NexusAnswer>),
    /// The handler's answer to a request to cancel it: the attempt.
    CancelAnswered(i32, Box<NexusAnswer>),
    /// Its result, from the callback that the handler was given.
    Completed(Box<NexusCompletion>),
    /// RequestCancelNexusOperationExecution.
    RequestCancel(Box<RequestCancelNexusOperationExecutionRequest>),
    /// TerminateNexusOperationExecution.
    Terminate(Terminate),
    /// It is to be deleted.
    Delete,
    /// Time has passed: whatever is due, fires.
    Deadline,
}

/// Ends an operation from outside; its handler hears nothing of it.
#[derive(Clone, Debug, Default)]
pub struct Terminate {
    /// Becomes the failure's message.
    pub reason: String,
    /// Who asks.
    pub identity: String,
    /// Recognises the caller's retries.
    pub request_id: String,
}
