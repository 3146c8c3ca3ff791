//! The way of a query (behaviour, section 7.1): with the next workflow task if one is under way, else as a
//! task of its own: to the worker that has the run cached, and when that is silent, to any.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::Namespace;
use engine::deployment::Directive;
use engine::execution::Kind;
use engine::rejection::Rejection;
use engine::time::Timestamp;
use engine::workflow::input::Input;
use engine::workflow::state::workflow_task::Sticky;
use proto::temporal::api::enums::v1::{QueryResultType, VersioningBehavior};
use proto::temporal::api::query::v1::{QueryRejected, WorkflowQuery, WorkflowQueryResult};
use proto::temporal::api::workflowservice::v1::{QueryWorkflowRequest, QueryWorkflowResponse};
use store::ExecutionKey;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::matching::QueueKind;
use crate::node::Node;
use crate::shard::{CallError, QueryAnswer, slot_of};

/// The worker may be down: said so long before the caller's deadline, so that the caller hears it.
const NO_POLLER_MARGIN: Duration = Duration::from_secs(1);
const NO_POLLER: &str = "no poller seen for task queue recently, worker may be down";

/// QueryWorkflow, validated: waits for a worker's answer until the deadline.
pub(crate) async fn query(
    node: &Node,
    namespace: &Arc<Namespace>,
    request: QueryWorkflowRequest,
    deadline: Instant,
) -> Result<QueryWorkflowResponse, CallError> {
    let execution = request.execution.unwrap_or_default();
    let asked = Asked {
        node,
        namespace,
        workflow_id: execution.workflow_id.as_str().into(),
        run_id: run_id(&execution.run_id)?,
        query: request.query.unwrap_or_default(),
        reject_condition: request.query_reject_condition,
        deadline: node
            .clock
            .now()
            .after(deadline.saturating_duration_since(Instant::now())),
        direct: AtomicBool::new(false),
    };
    let mut answer = std::pin::pin!(asked.ask());
    let early = deadline.checked_sub(NO_POLLER_MARGIN).unwrap_or(deadline);
    if let Ok(answer) = timeout_at(early, &mut answer).await {
        return answer;
    }
    if asked.direct.load(Ordering::Relaxed) && !asked.has_recent_poller().await? {
        return Err(CallError::Rejected(Rejection::FailedPrecondition(
            NO_POLLER.to_owned(),
        )));
    }
    timeout_at(deadline, &mut answer)
        .await
        .unwrap_or(Err(CallError::DeadlineExceeded))
}

/// A question under way.
struct Asked<'a> {
    node: &'a Node,
    namespace: &'a Arc<Namespace>,
    workflow_id: Arc<str>,
    run_id: Option<Uuid>,
    query: WorkflowQuery,
    reject_condition: i32,
    deadline: Timestamp,
    /// No workflow task brings it to a worker: it has a task of its own.
    direct: AtomicBool,
}

impl Asked<'_> {
    async fn ask(&self) -> Result<QueryWorkflowResponse, CallError> {
        loop {
            let query = self.query.clone();
            let routed = self
                .node
                .shards
                .query(
                    self.namespace,
                    &self.workflow_id,
                    self.run_id,
                    query,
                    self.reject_condition,
                    self.deadline,
                )
                .await?;
            match routed {
                QueryAnswer::Rejected(status) => {
                    return Ok(QueryWorkflowResponse {
                        query_rejected: Some(QueryRejected {
                            status: status.into(),
                        }),
                        ..QueryWorkflowResponse::default()
                    });
                }
                QueryAnswer::Answered(result) => return response(result),
                QueryAnswer::Unanswered => {}
                QueryAnswer::Direct {
                    run_id,
                    task_queue,
                    sticky,
                    directive,
                } => {
                    self.direct.store(true, Ordering::Relaxed);
                    return self
                        .ask_directly(run_id, &task_queue, sticky.as_deref(), directive)
                        .await;
                }
            }
        }
    }

    /// Puts a query task on the sticky queue, and when that does not help, on the normal one.
    async fn ask_directly(
        &self,
        run_id: Uuid,
        task_queue: &Arc<str>,
        sticky: Option<&Sticky>,
        directive: Directive,
    ) -> Result<QueryWorkflowResponse, CallError> {
        let matching = &self.node.matching;
        self.refuse_drained(task_queue, &directive)?;
        let key = ExecutionKey {
            slot: slot_of(self.namespace.id, &self.workflow_id),
            namespace: self.namespace.id,
            kind: Kind::Workflow.number(),
            workflow_id: Arc::clone(&self.workflow_id),
            run_id,
        };
        if let Some(sticky) = sticky {
            if matching.is_sticky_alive(self.namespace.id, &sticky.queue) {
                let (place, answer) = self.node.queries.wait(
                    key.clone(),
                    self.query.clone(),
                    directive.clone(),
                    matching,
                );
                matching.offer_sticky_query(&place.task, &sticky.queue);
                if let Ok(Ok(result)) = timeout(sticky.timeout, answer).await {
                    return response(result);
                }
            }
            // The worker is gone or stuck. A run that closed meanwhile has nothing to be reset.
            let reset = Input::ResetStickyTaskQueue;
            let workflow_id = Arc::clone(&self.workflow_id);
            match self
                .node
                .shards
                .step(self.namespace, workflow_id, Some(run_id), reset)
                .await
            {
                Ok(_) | Err(CallError::Rejected(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let (place, answer) = self
            .node
            .queries
            .wait(key, self.query.clone(), directive, matching);
        matching.offer_query(&place.task, task_queue);
        match answer.await {
            Ok(result) => response(result),
            // The place holds the other end as long as this waits.
            Err(_) => Err(CallError::Unavailable("the query was dropped".to_owned())),
        }
    }

    /// A query of a run that stays with a version whose workers are gone would wait for nothing.
    fn refuse_drained(&self, task_queue: &str, directive: &Directive) -> Result<(), CallError> {
        let pinned = directive.behavior == VersioningBehavior::Pinned;
        let Some(version) = directive.version.as_ref().filter(|_| pinned) else {
            return Ok(());
        };
        let node = self.node;
        let deployment = node
            .deployments
            .get(self.namespace.id, &version.deployment_name);
        let is_drained = deployment.is_some_and(|it| it.is_drained(&version.build_id));
        let polled = || {
            let queue = node
                .matching
                .describe(self.namespace.id, task_queue, QueueKind::Workflow);
            !queue.pollers.is_empty()
        };
        if !is_drained || polled() {
            return Ok(());
        }
        let build = &version.build_id;
        Err(CallError::Rejected(Rejection::FailedPrecondition(format!(
            "You are trying to query a closed Workflow that is PINNED to Worker Deployment Version {build}, but \
             {build} is drained and has no pollers to answer the query. Immediately: You can re-deploy Workers in \
             this Deployment Version to take those queries, or you can workflow update-options to change your \
             workflow to AUTO_UPGRADE. For the future: In your infrastructure, consider waiting longer after the \
             last queried timestamp as reported in Describe Deployment before you sunset Workers. Or mark this \
             workflow as AUTO_UPGRADE."
        ))))
    }

    async fn has_recent_poller(&self) -> Result<bool, CallError> {
        let workflow_id = Arc::clone(&self.workflow_id);
        let queues = self
            .node
            .shards
            .read(self.namespace, workflow_id, self.run_id, |state| {
                let sticky = state
                    .core
                    .sticky
                    .as_ref()
                    .map(|sticky| Arc::clone(&sticky.queue));
                let normal = Arc::clone(&state.core.start.task_queue);
                (normal, sticky, state.directive())
            });
        let (normal, sticky, directive) = queues.await?;
        let recent = |queue: &Arc<str>, directive: &Directive| {
            let id = &self.workflow_id;
            let matching = &self.node.matching;
            matching.has_recent_poller(self.namespace.id, queue, id, directive)
        };
        let unversioned = Directive::default();
        let on_sticky = sticky.as_ref();
        Ok(recent(&normal, &directive)
            || on_sticky.is_some_and(|queue| recent(queue, &unversioned)))
    }
}

/// What a worker's answer means to the caller.
fn response(result: WorkflowQueryResult) -> Result<QueryWorkflowResponse, CallError> {
    if result.result_type == QueryResultType::Failed as i32 {
        return Err(CallError::Rejected(Rejection::QueryFailed {
            message: result.error_message,
            failure: result.failure.map(Box::new),
        }));
    }
    if result.answer.is_none() && !result.error_message.is_empty() {
        return Err(CallError::Rejected(Rejection::invalid(
            result.error_message,
        )));
    }
    Ok(QueryWorkflowResponse {
        query_result: Some(result.answer.unwrap_or_default()),
        ..QueryWorkflowResponse::default()
    })
}

fn run_id(text: &str) -> Result<Option<Uuid>, CallError> {
    if text.is_empty() {
        return Ok(None);
    }
    Uuid::try_parse(text)
        .map(Some)
        .map_err(|_| CallError::Rejected(Rejection::invalid("Invalid RunId.")))
}
