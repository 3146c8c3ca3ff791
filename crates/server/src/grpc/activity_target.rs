//! What the eight RPCs that report on an activity have in common: which activity is meant, and what
//! happens to values that are too large (behaviour, section 3.6).

use std::sync::Arc;

use engine::execution::{self, Kind};
use engine::limits::Limits;
use engine::workflow::Input;
use engine::workflow::input::{ActivityFailed, ActivityTarget};
use engine::workflow::token::{self, ActivityTaskToken};
use engine::{Namespace, activity};
use prost::Message;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, ServerFailureInfo};
use uuid::Uuid;

use super::{Frontend, validate};
use crate::error::WireError;
use crate::shard::Stepped;

/// An activity of a run, by token or by id.
pub(super) struct Activity {
    namespace: Arc<Namespace>,
    standalone: bool,
    /// A standalone one is its own workflow.
    workflow_id: String,
    run_id: Option<Uuid>,
    target: ActivityTarget,
}

impl Activity {
    /// The attempt that a token was given out for.
    pub(super) fn by_token(namespace: Arc<Namespace>, token: ActivityTaskToken) -> Self {
        Self {
            namespace,
            standalone: token.kind == u32::from(Kind::Activity.number()),
            workflow_id: token.workflow_id.clone(),
            run_id: Some(token::id(&token.run_id)),
            target: ActivityTarget::Token(token),
        }
    }

    /// The activity of this id, whatever its attempt.
    pub(super) fn by_id(
        namespace: Arc<Namespace>,
        workflow_id: String,
        run_id: &str,
        activity_id: String,
    ) -> Result<Self, WireError> {
        if activity_id.is_empty() {
            return Err(WireError::invalid("ActivityId is not set on request."));
        }
        let run_id = validate::run_id(run_id, "RunId is not valid UUID.")?;
        // Without a workflow it is a standalone activity, and the run is its own.
        let standalone = workflow_id.is_empty();
        Ok(Self {
            namespace,
            standalone,
            workflow_id: if standalone {
                activity_id.clone()
            } else {
                workflow_id
            },
            run_id,
            target: ActivityTarget::Id(activity_id),
        })
    }

    /// Hands an input about this activity to its run.
    pub(super) async fn step(
        self,
        server: &Frontend,
        input: impl FnOnce(ActivityTarget) -> Input,
    ) -> Result<Stepped, WireError> {
        let report = input(self.target);
        let input = if self.standalone {
            standalone(report)?
        } else {
            report.into()
        };
        Ok(server
            .node
            .shards
            .step(&self.namespace, self.workflow_id, self.run_id, input)
            .await?)
    }

    /// Fails the activity for good, because of something that it reported.
    pub(super) async fn fail(
        self,
        server: &Frontend,
        message: &str,
        identity: String,
    ) -> Result<Stepped, WireError> {
        let failed = ActivityFailed {
            failure: Some(server_failure(message, None)),
            last_heartbeat_details: None,
            identity,
            worker_version: None,
        };
        self.step(server, |target| {
            Input::ActivityTaskFailed(target, Box::new(failed))
        })
        .await
    }
}

/// A report on a workflow's activity, as one on a standalone activity.
fn standalone(report: Input) -> Result<execution::Input, WireError> {
    use activity::Input as Standalone;
    let input = match report {
        Input::ActivityTaskHeartbeat(target, details, identity) => {
            Standalone::Heartbeat(target, details, identity)
        }
        Input::ActivityTaskCompleted(target, completed) => {
            Standalone::Completed(target, completed.result, completed.identity)
        }
        Input::ActivityTaskFailed(target, failed) => Standalone::Failed(target, failed),
        Input::ActivityTaskCanceled(target, details, identity) => {
            Standalone::Canceled(target, details, identity)
        }
        _ => return Err(WireError::internal("no report on an activity")),
    };
    Ok(input.into())
}

/// Whether a value is larger than it may be.
pub(super) fn is_too_large<M: Message>(value: Option<&M>, limits: &Limits) -> bool {
    value.map_or(0, Message::encoded_len) > limits.blob_size_error
}

/// A failure of the server's own making, which is never retried.
pub(super) fn server_failure(message: &str, cause: Option<Failure>) -> Failure {
    Failure {
        message: message.to_owned(),
        source: "Server".to_owned(),
        cause: cause.map(Box::new),
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo {
            non_retryable: true,
        })),
        ..Default::default()
    }
}
