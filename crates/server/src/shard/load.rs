//! Bringing executions into memory: asking the store, and parking what has to wait for its answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use engine::execution::{Execution, JournalError};
use engine::workflow::record::Record;
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hashbrown::HashMap;
use prost::Message as _;
use store::{BoxFuture, ExecutionKey, Loaded, RecordRange, Store, StoreError};

use super::cache::WorkflowKey;
use super::cell::Cell;
use super::message::{Body, Target};

/// What the store said of a run that was asked for.
pub(super) type LoadResult = Result<Option<Loaded>, StoreError>;

/// A load that has come to its end.
pub(super) type LoadEnded = (Target, LoadResult, VecDeque<(Target, Body)>);

/// Loads under way. All messages to a workflow id wait while one of its runs is loaded, so that they stay in
/// order.
pub(super) struct Loads {
    store: Arc<dyn Store>,
    under_way: FuturesUnordered<BoxFuture<(Target, LoadResult)>>,
    parked: HashMap<WorkflowKey, VecDeque<(Target, Body)>>,
}

impl Loads {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            under_way: FuturesUnordered::new(),
            parked: HashMap::new(),
        }
    }

    /// Parks a message if its workflow id is being loaded; else gives it back.
    pub(super) fn park(&mut self, target: Target, body: Body) -> Option<(Target, Body)> {
        if self.parked.is_empty() {
            return Some((target, body));
        }
        match self.parked.get_mut(&workflow_key(&target)) {
            Some(queue) => {
                queue.push_back((target, body));
                None
            }
            None => Some((target, body)),
        }
    }

    /// Whether nothing is being loaded.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether this workflow id is being loaded.
    pub(super) fn is_loading(&self, target: &Target) -> bool {
        !self.parked.is_empty() && self.parked.contains_key(&workflow_key(target))
    }

    /// Asks the store for a run. A store that can answers at once; else the load is under way, and everything
    /// for this workflow id has to be parked.
    pub(super) fn begin(&mut self, target: &Target) -> Option<LoadResult> {
        let store = Arc::clone(&self.store);
        let (slot, namespace, kind) = (target.slot, target.namespace.id, target.kind);
        let workflow_id = Arc::clone(&target.workflow_id);
        let load: BoxFuture<LoadResult> = match target.run_id {
            Some(run_id) => store.load(&ExecutionKey {
                slot,
                namespace,
                kind,
                workflow_id,
                run_id,
            }),
            None => {
                let mut current = store.current(slot, namespace, kind, &workflow_id);
                match (&mut current).now_or_never() {
                    Some(Ok(None)) => return Some(Ok(None)),
                    Some(Err(error)) => return Some(Err(error)),
                    Some(Ok(Some(key))) => store.load(&key),
                    None => Box::pin(async move {
                        match current.await? {
                            Some(key) => store.load(&key).await,
                            None => Ok(None),
                        }
                    }),
                }
            }
        };
        self.follow(target, load)
    }

    /// Reads a journal from its beginning, for one whose snapshot is of no use.
    pub(super) fn begin_whole(&mut self, target: &Target, loaded: Loaded) -> Option<LoadResult> {
        let load = read_whole(Arc::clone(&self.store), loaded);
        self.follow(target, Box::pin(load))
    }

    fn follow(&mut self, target: &Target, mut load: BoxFuture<LoadResult>) -> Option<LoadResult> {
        if let Some(result) = (&mut load).now_or_never() {
            return Some(result);
        }
        self.parked.entry(workflow_key(target)).or_default();
        let target = target.clone();
        self.under_way
            .push(Box::pin(async move { (target, load.await) }));
        None
    }

    /// The next load that has come to its end: what was asked for, the answer, and what waited for it.
    pub(super) fn poll_loaded(&mut self, context: &mut Context<'_>) -> Poll<LoadEnded> {
        match self.under_way.poll_next_unpin(context) {
            Poll::Ready(Some((target, result))) => {
                let waiting = self
                    .parked
                    .remove(&workflow_key(&target))
                    .unwrap_or_default();
                Poll::Ready((target, result, waiting))
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Forgets all loads; gives back what waited for them.
    pub(super) fn abort(&mut self) -> Vec<(Target, Body)> {
        self.under_way = FuturesUnordered::new();
        self.parked.drain().flat_map(|(_, queue)| queue).collect()
    }
}

/// All records of a journal, in the place of its snapshot.
async fn read_whole(store: Arc<dyn Store>, mut loaded: Loaded) -> LoadResult {
    loaded.snapshot = None;
    loaded.records.clear();
    loop {
        let from = loaded.records.last().map_or(1, |(seq, _)| seq + 1);
        let (to, count_max, bytes_max) = (u64::MAX >> 1, 1024, 8 << 20);
        let range = RecordRange {
            from,
            to,
            count_max,
            bytes_max,
            reverse: false,
        };
        let records = store.records(&loaded.key, range).await?;
        if records.is_empty() {
            return Ok(Some(loaded));
        }
        loaded.records.extend(records);
    }
}

fn workflow_key(target: &Target) -> WorkflowKey {
    WorkflowKey {
        namespace: target.namespace.id,
        kind: target.kind,
        workflow_id: Arc::clone(&target.workflow_id),
    }
}

/// Why a journal does not become a state.
pub(super) enum FoldError {
    /// Its snapshot is of another version: it has to be folded from its beginning.
    Snapshot(Box<Loaded>),
    /// Says what is wrong with it.
    Damaged(String),
}

/// Folds what the store gave into a cell.
pub(super) fn fold(mut loaded: Loaded) -> Result<Box<Cell>, FoldError> {
    let state = Execution::load(
        loaded.key.kind,
        Arc::clone(&loaded.key.workflow_id),
        loaded.key.run_id,
        loaded
            .snapshot
            .as_ref()
            .map(|snapshot| snapshot.bytes.clone()),
        loaded.records.iter().map(|(_, bytes)| bytes.clone()),
    );
    let state = match state {
        Ok(state) => state,
        Err(JournalError::Snapshot { .. }) if loaded.snapshot.take().is_some() => {
            return Err(FoldError::Snapshot(Box::new(loaded)));
        }
        Err(error) => return Err(FoldError::Damaged(error.to_string())),
    };
    let Loaded {
        key,
        snapshot,
        records,
        row,
        wake_at,
    } = loaded;
    let snapshot_bytes = snapshot.map_or(0, |snapshot| snapshot.bytes.len());
    let mut cell = Box::new(Cell::new(state, key));
    cell.current = row.current;
    cell.stored_wake = wake_at;
    cell.records_since = u32::try_from(records.len()).unwrap_or(u32::MAX);
    cell.bytes_since = records.iter().map(|(_, bytes)| bytes.len()).sum();
    cell.snapshot_bytes = snapshot_bytes;
    #[cfg(debug_assertions)]
    {
        cell.journal =
            (snapshot_bytes == 0).then(|| records.iter().map(|(_, bytes)| bytes.clone()).collect());
    }
    if cell.state.workflow().is_none() {
        return Ok(cell);
    }
    let newest_first = records.into_iter().rev().map_while(|(seq, bytes)| {
        // The engine has just folded these bytes.
        Some((seq, Record::decode(bytes).ok()?.history))
    });
    cell.tail.fill(newest_first, cell.state.next_event_id());
    Ok(cell)
}
