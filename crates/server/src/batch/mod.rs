//! Batch operations: jobs that are kept in the store's small map, each driven by a task of its own. What a job is
//! and what it asks of its targets is the engine's; here it is listed, called and written down. A job calls the
//! API like any client, by the same table.
//!
//! A page of targets is written down when all of it is done with. After a crash the page is gone through again,
//! which changes nothing: a call for the same target has the same request id, and most targets are gone.
//!
//! - [`run`]: the task that drives a job.

mod run;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use engine::Namespace;
use engine::batch::{self, Job, Page, Progress, Record};
use engine::rejection::Rejection;
use prost::Message;
use proto::temporal::api::workflowservice::v1::StartBatchOperationRequest;
use store::{Store, StoreError};
use tokio::sync::watch;
use uuid::Uuid;

use crate::error::WireError;
use crate::grpc::Frontend;
use crate::sync::{Mutex, lock};

/// Keys of the map: what was asked for, and how far it is. Two, because the first may be large and never changes.
const JOB: &str = "batch/job/";
const PROGRESS: &str = "batch/progress/";

/// All jobs of this server.
#[derive(Default)]
pub struct Batches {
    jobs: Mutex<BTreeMap<Key, Arc<Entry>>>,
}

/// A namespace and a job's id.
type Key = (Uuid, String);

/// A job in memory.
pub(crate) struct Entry {
    namespace: Uuid,
    pub(crate) job: Job,
    state: Mutex<State>,
    /// Held while a record is written: what is written later has been decided later.
    writing: tokio::sync::Mutex<()>,
    /// Turns true when it is stopped.
    stop: watch::Sender<bool>,
}

struct State {
    progress: Progress,
    /// What is done of the page that is under way.
    live: Page,
}

impl Entry {
    fn new(namespace: Uuid, job: Job, progress: Progress) -> Self {
        let live = Page::default();
        Self {
            namespace,
            job,
            state: Mutex::new(State { progress, live }),
            writing: tokio::sync::Mutex::new(()),
            stop: watch::channel(false).0,
        }
    }

    /// How far it is, and what is done of the current page.
    pub(crate) fn progress(&self) -> (Progress, Page) {
        let state = lock(&self.state);
        (state.progress.clone(), state.live.clone())
    }

    fn is_closed(&self) -> bool {
        lock(&self.state).progress.is_closed()
    }

    fn key(prefix: &str, namespace: Uuid, id: &str) -> String {
        format!("{prefix}{namespace}/{id}")
    }

    /// Writes a record down, and then it is so. Records of one job are written one after another: by its task, or
    /// by who stops it, and what comes second finds it closed.
    async fn record(&self, store: &dyn Store, record: Record) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let mut next = lock(&self.state).progress.clone();
        if next.is_closed() {
            return Ok(());
        }
        next.apply(record.clone());
        let key = Self::key(PROGRESS, self.namespace, self.job.id());
        let bytes = Bytes::from(next.encode_to_vec());
        store.meta_put(vec![(key, Some(bytes))]).await?;
        let mut state = lock(&self.state);
        if matches!(record, Record::Page(_)) {
            state.live = Page::default();
        }
        state.progress.apply(record);
        Ok(())
    }
}

impl Batches {
    /// A job, if there is one of this id.
    pub(crate) fn find(&self, namespace: &Namespace, id: &str) -> Result<Arc<Entry>, WireError> {
        let key = (namespace.id, id.to_owned());
        let found = lock(&self.jobs).get(&key).cloned();
        let unknown = || Rejection::WorkflowNotFound {
            workflow_id: id.to_owned(),
        };
        found.ok_or_else(|| unknown().into())
    }

    /// The jobs of a namespace, the latest first.
    pub(crate) fn list(&self, namespace: &Namespace) -> Vec<Arc<Entry>> {
        let jobs = lock(&self.jobs);
        let first = (namespace.id, String::new());
        let of_namespace = jobs
            .range(first..)
            .take_while(|((id, _), _)| *id == namespace.id);
        let mut found: Vec<_> = of_namespace.map(|(_, entry)| entry.clone()).collect();
        found.sort_by(|one, other| {
            let order = |entry: &Entry| (entry.job.start_time, entry.job.id().to_owned());
            order(other).cmp(&order(one))
        });
        found
    }
}

/// Starts a job. When this returns, it will be carried out, whatever happens to this process.
pub(crate) async fn start(
    server: &Arc<Frontend>,
    namespace: &Namespace,
    request: StartBatchOperationRequest,
) -> Result<(), WireError> {
    batch::validate(&request)?;
    check_operation(server, namespace, &request)?;
    forget_old(server, namespace).await?;
    let entry = admit(server, namespace, request)?;
    let id = entry.job.id().to_owned();
    let job = Bytes::from(entry.job.encode_to_vec());
    let key = Entry::key(JOB, namespace.id, &id);
    if let Err(error) = server.node.store.meta_put(vec![(key, Some(job))]).await {
        lock(&server.batches.jobs).remove(&(namespace.id, id));
        return Err(error.into());
    }
    tokio::spawn(run::run(server.clone(), entry));
    Ok(())
}

/// What only this server knows of an operation: whether it is served, and whether its query can be understood.
fn check_operation(
    server: &Frontend,
    namespace: &Namespace,
    request: &StartBatchOperationRequest,
) -> Result<(), WireError> {
    let method = request
        .operation
        .as_ref()
        .map(batch::method)
        .unwrap_or_default();
    if !server.serves(method) {
        return Err(WireError::unimplemented(format!(
            "{method} is not served by this version of Steadfast"
        )));
    }
    let about_workflows = !request
        .operation
        .as_ref()
        .is_some_and(batch::is_about_activities);
    if !request.visibility_query.is_empty() && about_workflows {
        let checked = crate::visibility::filter(&request.visibility_query, namespace);
        checked.map_err(|error| {
            WireError::invalid(format!("invalid visibility query: {}", error.message))
        })?;
    }
    let limit = server.limits.batch_executions_max;
    if request
        .executions
        .len()
        .max(request.target_executions.len())
        > limit
    {
        return Err(WireError::invalid(format!(
            "a batch operation takes at most {limit} executions; use a query for more"
        )));
    }
    Ok(())
}

/// A new job takes its place among the others, if there is one.
fn admit(
    server: &Frontend,
    namespace: &Namespace,
    request: StartBatchOperationRequest,
) -> Result<Arc<Entry>, WireError> {
    let mut jobs = lock(&server.batches.jobs);
    let key = (namespace.id, request.job_id.clone());
    if let Some(before) = jobs.get(&key) {
        let id = before.job.id();
        let run_id = &before.job.run_id;
        let message = if before.is_closed() {
            format!(
                "Workflow execution already finished. WorkflowId: {id}, RunId: {run_id}. \
                 Workflow Id reuse policy: reject duplicate workflow Id."
            )
        } else {
            format!("Workflow execution is already running. WorkflowId: {id}, RunId: {run_id}.")
        };
        return Err(Rejection::AlreadyStarted {
            message,
            start_request_id: String::new(),
            run_id: run_id.parse().unwrap_or_default(),
            first_execution_run_id: run_id.clone(),
        }
        .into());
    }
    let running = jobs
        .iter()
        .filter(|((id, _), entry)| *id == namespace.id && !entry.is_closed())
        .count();
    if running >= server.limits.batches_running_max {
        let text = "Max concurrent batch operations is reached".to_owned();
        return Err(Rejection::ConcurrentLimit(text).into());
    }
    let job = Job {
        request: Some(request),
        start_time: server.node.clock.now().0,
        run_id: Uuid::now_v7().to_string(),
    };
    let entry = Arc::new(Entry::new(namespace.id, job, Progress::default()));
    jobs.insert(key, entry.clone());
    Ok(entry)
}

/// Stops a job: no further target is asked anything once this returns, but for those that are just being asked.
pub(crate) async fn stop(
    server: &Frontend,
    namespace: &Namespace,
    id: &str,
    reason: String,
) -> Result<(), WireError> {
    let entry = server.batches.find(namespace, id)?;
    if entry.is_closed() {
        return Err(Rejection::AlreadyCompleted.into());
    }
    let record = Record::Failed(server.node.clock.now(), reason);
    entry.record(server.node.store.as_ref(), record).await?;
    let _ = entry.stop.send_replace(true);
    Ok(())
}

/// As [`forget_old`], for who only looks: a store that takes nothing now will later.
pub(crate) async fn tidy(server: &Frontend, namespace: &Namespace) {
    if let Err(error) = forget_old(server, namespace).await {
        tracing::warn!(
            error = error.message,
            "old batch operations cannot be removed"
        );
    }
}

/// Removes what ended longer ago than the namespace keeps it.
async fn forget_old(server: &Frontend, namespace: &Namespace) -> Result<(), WireError> {
    let now = server.node.clock.now();
    let is_old = |entry: &Entry| {
        let (progress, _) = entry.progress();
        let closed = engine::time::Timestamp(progress.close_time);
        progress.is_closed() && now.since(closed) > namespace.retention
    };
    let mut old = server.batches.list(namespace);
    old.retain(|entry| is_old(entry));
    if old.is_empty() {
        return Ok(());
    }
    forget(server.node.store.as_ref(), &old).await?;
    let mut jobs = lock(&server.batches.jobs);
    for entry in old {
        jobs.remove(&(entry.namespace, entry.job.id().to_owned()));
    }
    Ok(())
}

async fn forget(store: &dyn Store, entries: &[Arc<Entry>]) -> Result<(), StoreError> {
    // A server starts on a full disk, too: it writes nothing that it need not.
    if entries.is_empty() {
        return Ok(());
    }
    let keys = entries.iter().flat_map(|entry| {
        [JOB, PROGRESS].map(|prefix| (Entry::key(prefix, entry.namespace, entry.job.id()), None))
    });
    store.meta_put(keys.collect()).await
}

/// Reads the jobs of earlier lives of this server, and goes on with those that had not ended.
///
/// # Errors
/// What the store refuses.
pub async fn resume(server: &Arc<Frontend>) -> Result<(), StoreError> {
    let store = server.node.store.as_ref();
    let progress = store.meta_scan(PROGRESS).await?.into_iter();
    let progress: HashMap<String, Progress> = progress
        .filter_map(|(key, bytes)| {
            let progress = Progress::decode(bytes).ok()?;
            Some((key.strip_prefix(PROGRESS)?.to_owned(), progress))
        })
        .collect();
    let mut gone = Vec::new();
    for (key, bytes) in store.meta_scan(JOB).await? {
        let name = key.strip_prefix(JOB).unwrap_or_default();
        let namespace = name.split('/').next().and_then(|id| id.parse().ok());
        let (Some(namespace), Ok(job)) = (namespace, Job::decode(bytes)) else {
            tracing::warn!(key, "a batch operation cannot be read, and is left alone");
            continue;
        };
        let progress = progress.get(name).cloned().unwrap_or_default();
        let entry = Arc::new(Entry::new(namespace, job, progress));
        let known = server.namespaces.by_id(namespace);
        if known.is_none_or(|known| known.is_deleted()) {
            gone.push(entry);
            continue;
        }
        let key = (namespace, entry.job.id().to_owned());
        lock(&server.batches.jobs).insert(key, entry.clone());
        if !entry.is_closed() {
            tokio::spawn(run::run(server.clone(), entry));
        }
    }
    forget(store, &gone).await
}
