//! What else goes on while the server is killed: each scene has clients of its own, promises of its own that it notes, and
//! its own reckoning. Their workflows are simple; one worker carries them all out.
//!
//! - [`worker`], [`decide`]: the workflows, by their types.
//! - [`updates`], [`resets`], [`batches`], [`schedules`], [`nexus`], [`jobs`]: one scene each.

mod batches;
mod decide;
mod jobs;
mod nexus;
mod resets;
mod schedules;
mod updates;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto::temporal::api::common::v1::{Payloads, WorkflowType};
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::workflowservice::v1::{
    ListWorkflowExecutionsRequest, StartWorkflowExecutionRequest,
};
use tokio::task::JoinSet;
use tonic::Code;

use super::decide::WORKFLOW_TASK_MILLIS;
use super::world::World;
use crate::client::is_answer;
use crate::error::Error;
use crate::{api, payload};

/// The task queue of all scenes' workflows.
const QUEUE: &str = "scenes";
/// The signal that ends a workflow that waits for one.
const END: &str = "end";

/// What the scenes were promised.
#[derive(Debug, Default)]
pub(super) struct Promises(Mutex<Noted>);

/// See [`Promises`].
#[derive(Debug, Default)]
struct Noted {
    /// Outcomes of updates by workflow id and update id; nothing yet for one that is accepted only.
    updates: BTreeMap<(String, String), Option<String>>,
    /// Runs that resets opened, by workflow id.
    resets: BTreeMap<String, Vec<String>>,
    /// Workflow ids of batch operations' targets that must have been signalled once.
    batched: Vec<String>,
    /// From when to when a schedule must have acted, in seconds since the epoch, by the prefix of its workflow ids.
    schedules: BTreeMap<String, (i64, i64)>,
    /// Jobs by activity id.
    jobs: BTreeMap<String, jobs::Job>,
    /// Attempts that workers were given, by run id and attempt: the nonce, and whether it was taken.
    attempts: BTreeMap<(String, i32), (String, bool)>,
}

impl Promises {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts all clients and workers.
pub(super) fn start(world: &Arc<World>, clients: &mut JoinSet<()>, workers: &mut JoinSet<()>) {
    for number in 0..3 {
        workers.spawn(worker::run(Arc::clone(world), number));
        workers.spawn(jobs::run_worker(Arc::clone(world), number));
    }
    workers.spawn(nexus::run_handler(Arc::clone(world)));
    clients.spawn(updates::run(Arc::clone(world), 0));
    clients.spawn(updates::run(Arc::clone(world), 1));
    clients.spawn(resets::run(Arc::clone(world)));
    clients.spawn(batches::run(Arc::clone(world)));
    clients.spawn(nexus::run(Arc::clone(world)));
    clients.spawn(jobs::run(Arc::clone(world), 0));
    clients.spawn(jobs::run(Arc::clone(world), 1));
    schedules::start(world, clients);
}

/// Compares what there is with what was promised.
///
/// # Errors
/// When the server does not give it.
pub(super) async fn reckon(world: &World) -> Result<(), Error> {
    updates::reckon(world).await?;
    resets::reckon(world).await?;
    batches::reckon(world).await?;
    nexus::reckon(world).await?;
    jobs::reckon(world).await?;
    schedules::reckon(world).await
}

/// The runs of all workflows whose ids begin so: ids and run ids.
async fn runs_of(world: &World, prefix: &str) -> Result<Vec<(String, String)>, Error> {
    let client = world.client().await;
    let mut request = ListWorkflowExecutionsRequest {
        namespace: api::NAMESPACE.to_owned(),
        query: format!("WorkflowId STARTS_WITH '{prefix}'"),
        ..Default::default()
    };
    let mut runs = Vec::new();
    loop {
        let page = client
            .list(request.clone())
            .await
            .map_err(failed("ListWorkflowExecutions"))?;
        runs.extend(page.executions.into_iter().map(|info| {
            let execution = info.execution.unwrap_or_default();
            (execution.workflow_id, execution.run_id)
        }));
        if page.next_page_token.is_empty() {
            return Ok(runs);
        }
        request.next_page_token = page.next_page_token;
    }
}

async fn history_of(world: &World, id: &str, run_id: &str) -> Result<Vec<HistoryEvent>, Error> {
    let events = world.client().await.whole_history(id, run_id).await;
    events.map_err(failed("GetWorkflowExecutionHistory"))
}

fn failed(method: &'static str) -> impl FnOnce(tonic::Status) -> Error {
    move |status| Error::Call {
        method,
        status: Box::new(status),
    }
}

fn request(kind: &str, id: &str, input: Option<Payloads>) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        workflow_type: Some(WorkflowType {
            name: kind.to_owned(),
        }),
        workflow_task_timeout: api::millis_of(WORKFLOW_TASK_MILLIS),
        ..api::start(QUEUE, id, input)
    }
}

/// Starts a workflow, however often it takes; answers its run.
async fn start_workflow(world: &World, kind: &str, id: &str) -> Option<String> {
    let request = request(kind, id, Some(payload::of_json(&id)));
    let (answer, _) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.start(request).await }
        })
        .await;
    match answer {
        Ok(answer) => {
            world.ledger.acknowledged("scenes' workflows started");
            Some(answer.run_id)
        }
        Err(status) => {
            world.ledger.finding(format!("{id}: start: {status}"));
            None
        }
    }
}

/// Sends a signal, however often it takes.
async fn send(world: &World, id: &str, name: &str) {
    let request = api::signal(id, name, None);
    let (answer, repeated) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.signal(request).await }
        })
        .await;
    match answer {
        Ok(_) => world.ledger.acknowledged("scenes' signals"),
        // An earlier try was taken, and all is over.
        Err(status) if repeated && status.code() == Code::NotFound => {}
        Err(status) => world.ledger.finding(format!("{id}: signal: {status}")),
    }
}

/// Waits until the current run of a workflow is closed; answers how.
async fn ended(world: &World, id: &str) -> Option<HistoryEvent> {
    let mut token = Bytes::new();
    loop {
        let mut next = token.clone();
        let read = world
            .once(|client| {
                let next = &mut next;
                async move { client.await_close(id, "", next).await }
            })
            .await;
        match read {
            Ok(Some(event)) => return Some(event),
            Ok(None) => token = next,
            Err(status) if !is_answer(&status) => {}
            Err(status) => {
                world
                    .ledger
                    .finding(format!("{id}: waiting for its end: {status}"));
                return None;
            }
        }
    }
}
