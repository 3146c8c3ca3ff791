//! The task that drives a job: lists a page of targets, asks each of them what the job asks, writes the page down,
//! and so on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::batch::{
    Call, Outcome, Page, Record, ResetPoint, Target, filter, is_about_activities, outcome,
    reset_point,
};
use futures_util::StreamExt;
use futures_util::stream;
use http::{HeaderMap, HeaderValue};
use prost::Message;
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::workflowservice::v1 as api;
use tokio::sync::{Mutex, watch};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Code;

use super::Entry;
use crate::error::WireError;
use crate::grpc::Frontend;
use crate::sync::lock;

const SERVICE: &str = "temporal.api.workflowservice.v1.WorkflowService";
/// Targets that are written down together.
const PAGE: usize = 100;
/// How often a target is asked that cannot answer now.
const ATTEMPTS_MAX: u32 = 50;
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Drives a job until it ends, is stopped, or the server stops.
pub(super) async fn run(server: Arc<Frontend>, entry: Arc<Entry>) {
    let mut stopped = entry.stop.subscribe();
    let mut stopping = server.stopping.clone();
    let driver = Driver::new(server.clone(), entry.clone());
    tokio::select! {
        () = driver.drive() => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
        _ = until(&mut stopping) => {}
    }
}

/// Waits until the server stops; for ever, if nobody will ever say so.
async fn until(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Driver {
    server: Arc<Frontend>,
    entry: Arc<Entry>,
    headers: HeaderMap,
    /// One tick, one call.
    pace: Mutex<Interval>,
}

/// A page of targets, and where the next one begins.
struct Targets {
    targets: Vec<Target>,
    cursor: Vec<u8>,
    listed: u64,
    is_last: bool,
}

impl Driver {
    fn new(server: Arc<Frontend>, entry: Arc<Entry>) -> Self {
        let asked = entry.job.request.as_ref();
        let asked = asked.map_or(0.0, |request| request.max_operations_per_second);
        let rate = f64::from(server.limits.batch_rate_max.max(1));
        let rate = if asked > 0.0 {
            rate.min(f64::from(asked))
        } else {
            rate
        };
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut headers = HeaderMap::new();
        headers.insert("client-name", HeaderValue::from_static("temporal-server"));
        Self {
            server,
            entry,
            headers,
            pace: Mutex::new(pace),
        }
    }

    async fn drive(&self) {
        loop {
            match self.turn().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if outcome(error.code as i32) == Outcome::Again => {
                    tracing::warn!(
                        job = self.entry.job.id(),
                        error = error.message,
                        "a batch operation waits"
                    );
                    tokio::time::sleep(RETRY_MAX).await;
                }
                Err(error) => {
                    let record = Record::Failed(self.server.node.clock.now(), error.message);
                    self.record(record).await;
                    break;
                }
            }
        }
    }

    /// One page. Whether there may be more.
    async fn turn(&self) -> Result<bool, WireError> {
        let (progress, _) = self.entry.progress();
        if progress.is_closed() {
            return Ok(false);
        }
        if progress.total.is_none() {
            let total = self.count().await?;
            self.record(Record::Counted(total)).await;
        }
        let page = self.targets(&progress.cursor, progress.listed).await?;
        let concurrency = self.server.limits.batch_concurrency.max(1);
        stream::iter(&page.targets)
            .for_each_concurrent(concurrency, |target| self.operate(target))
            .await;
        let (_, live) = self.entry.progress();
        self.record(Record::Page(Page {
            cursor: page.cursor,
            listed: page.listed,
            ..live
        }))
        .await;
        if page.is_last {
            let now = self.server.node.clock.now();
            self.record(Record::Completed(now)).await;
        }
        Ok(!page.is_last)
    }

    /// Writes a record down, however long the store takes.
    async fn record(&self, record: Record) {
        let store = self.server.node.store.as_ref();
        while let Err(error) = self.entry.record(store, record.clone()).await {
            tracing::warn!(%error, "the progress of a batch operation could not be written");
            tokio::time::sleep(RETRY_MAX).await;
        }
    }

    async fn count(&self) -> Result<i64, WireError> {
        let request = self.entry.job.request.clone().unwrap_or_default();
        if request.visibility_query.is_empty() {
            let named = self.entry.job.targets().len();
            return Ok(i64::try_from(named).unwrap_or(i64::MAX));
        }
        let query = filter(&request);
        let namespace = request.namespace;
        if self.entry.job.operation().is_some_and(is_about_activities) {
            let request = api::CountActivityExecutionsRequest { namespace, query };
            let counted: api::CountActivityExecutionsResponse =
                self.call("CountActivityExecutions", &request).await?;
            return Ok(counted.count);
        }
        let request = api::CountWorkflowExecutionsRequest { namespace, query };
        let counted: api::CountWorkflowExecutionsResponse =
            self.call("CountWorkflowExecutions", &request).await?;
        Ok(counted.count)
    }

    async fn targets(&self, cursor: &[u8], listed: u64) -> Result<Targets, WireError> {
        let request = self.entry.job.request.clone().unwrap_or_default();
        if request.visibility_query.is_empty() {
            let named = self.entry.job.targets();
            let behind = usize::try_from(listed).unwrap_or(usize::MAX);
            let targets: Vec<_> = named.iter().skip(behind).take(PAGE).cloned().collect();
            return Ok(Targets {
                listed: targets.len() as u64,
                is_last: behind.saturating_add(targets.len()) >= named.len(),
                targets,
                cursor: Vec::new(),
            });
        }
        let query = filter(&request);
        let (page_size, next_page_token) = (PAGE as i32, Bytes::copy_from_slice(cursor));
        let namespace = request.namespace;
        let (targets, token): (Vec<_>, Bytes) =
            if self.entry.job.operation().is_some_and(is_about_activities) {
                let request = api::ListActivityExecutionsRequest {
                    namespace,
                    page_size,
                    next_page_token,
                    query,
                };
                let page: api::ListActivityExecutionsResponse =
                    self.call("ListActivityExecutions", &request).await?;
                let listed = page.executions.into_iter().map(|found| Target {
                    id: found.activity_id,
                    run_id: found.run_id,
                });
                (listed.collect(), page.next_page_token)
            } else {
                let request = api::ListWorkflowExecutionsRequest {
                    namespace,
                    page_size,
                    next_page_token,
                    query,
                };
                let page: api::ListWorkflowExecutionsResponse =
                    self.call("ListWorkflowExecutions", &request).await?;
                let found = page.executions.into_iter();
                let listed = found.filter_map(|info| info.execution).map(|found| Target {
                    id: found.workflow_id,
                    run_id: found.run_id,
                });
                (listed.collect(), page.next_page_token)
            };
        Ok(Targets {
            targets,
            is_last: token.is_empty(),
            cursor: token.to_vec(),
            listed: 0,
        })
    }

    /// Asks one target, as often as it takes.
    async fn operate(&self, target: &Target) {
        let mut wait = RETRY_FIRST;
        for attempt in 1.. {
            self.pace.lock().await.tick().await;
            let result = match self.ask(target).await {
                Ok(()) => Outcome::Done,
                Err(error) => {
                    tracing::debug!(id = target.id, error = error.message, "a target refused");
                    outcome(error.code as i32)
                }
            };
            let mut state = lock(&self.entry.state);
            match result {
                Outcome::Done => state.live.completed += 1,
                Outcome::Again if attempt < ATTEMPTS_MAX => {
                    drop(state);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY_MAX);
                    continue;
                }
                Outcome::Again | Outcome::Failed => state.live.failed += 1,
            }
            return;
        }
    }

    async fn ask(&self, target: &Target) -> Result<(), WireError> {
        let (Some(request), Some(operation)) =
            (&self.entry.job.request, self.entry.job.operation())
        else {
            return Err(WireError::invalid("a job without an operation"));
        };
        let mut target = target.clone();
        let reset_to = match ResetPoint::of(operation) {
            None => 0,
            Some(point) => self.reset_point(&mut target, point).await?,
        };
        let call = Call::new(request, operation, &target, reset_to);
        let asked = self.invoke(call.method, Bytes::from(call.request)).await;
        asked.map(drop)
    }

    /// The event that a reset goes back to. A build may have been in an earlier run, which is the target then.
    async fn reset_point(&self, target: &mut Target, point: ResetPoint) -> Result<i64, WireError> {
        let missing = || WireError::invalid("unable to find any scheduled or completed task");
        match point {
            ResetPoint::Event(id) => Ok(id),
            ResetPoint::BuildId(build_id) => {
                let request = api::DescribeWorkflowExecutionRequest {
                    namespace: self.namespace(),
                    execution: execution(target),
                };
                let described: api::DescribeWorkflowExecutionResponse =
                    self.call("DescribeWorkflowExecution", &request).await?;
                let info = described.workflow_execution_info.unwrap_or_default();
                let points = info.auto_reset_points.unwrap_or_default().points;
                let mut known = points.into_iter();
                let point = known.find(|point| point.build_id == build_id && point.resettable);
                let point = point.ok_or_else(|| {
                    WireError::invalid(format!("Can't find reset point for {build_id}"))
                })?;
                target.run_id = point.run_id;
                Ok(point.first_workflow_task_completed_id)
            }
            ResetPoint::FirstWorkflowTask | ResetPoint::LastWorkflowTask => {
                let last = point == ResetPoint::LastWorkflowTask;
                let events = self.history(target, last).await?;
                reset_point(events.iter(), last).ok_or_else(missing)
            }
        }
    }

    /// As much of a history as a reset point needs: from its end, or from its beginning, up to a completed task.
    async fn history(
        &self,
        target: &Target,
        from_end: bool,
    ) -> Result<Vec<proto::temporal::api::history::v1::HistoryEvent>, WireError> {
        let mut events = Vec::new();
        let mut next_page_token = Bytes::new();
        loop {
            let (page, token) = if from_end {
                let request = api::GetWorkflowExecutionHistoryReverseRequest {
                    namespace: self.namespace(),
                    execution: execution(target),
                    next_page_token,
                    ..Default::default()
                };
                let page: api::GetWorkflowExecutionHistoryReverseResponse = self
                    .call("GetWorkflowExecutionHistoryReverse", &request)
                    .await?;
                (page.history, page.next_page_token)
            } else {
                let request = api::GetWorkflowExecutionHistoryRequest {
                    namespace: self.namespace(),
                    execution: execution(target),
                    next_page_token,
                    ..Default::default()
                };
                let page: api::GetWorkflowExecutionHistoryResponse =
                    self.call("GetWorkflowExecutionHistory", &request).await?;
                (page.history, page.next_page_token)
            };
            events.extend(page.unwrap_or_default().events);
            let is_enough = events.iter().any(|event| {
                event.event_type()
                    == proto::temporal::api::enums::v1::EventType::WorkflowTaskCompleted
            });
            if token.is_empty() || is_enough {
                break;
            }
            next_page_token = token;
        }
        events.sort_by_key(|event| event.event_id);
        Ok(events)
    }

    fn namespace(&self) -> String {
        let request = self.entry.job.request.as_ref();
        request.map_or_else(String::new, |request| request.namespace.clone())
    }

    async fn call<A: Message + Default>(
        &self,
        method: &'static str,
        request: &impl Message,
    ) -> Result<A, WireError> {
        let answer = self
            .invoke(method, Bytes::from(request.encode_to_vec()))
            .await?;
        A::decode(answer).map_err(WireError::internal)
    }

    async fn invoke(&self, method: &str, request: Bytes) -> Result<Bytes, WireError> {
        let (_, answer) = self
            .server
            .invoke(SERVICE, method, &self.headers, request)
            .await;
        if let Err(error) = &answer
            && error.code == Code::Unimplemented
        {
            tracing::warn!(method, "a batch operation needs what is not served");
        }
        answer
    }
}

fn execution(target: &Target) -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: target.id.clone(),
        run_id: target.run_id.clone(),
    })
}
