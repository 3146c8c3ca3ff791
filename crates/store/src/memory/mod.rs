//! The store in maps behind one mutex: for `--in-memory` servers and for the simulator. A commit is
//! instantaneous, and nothing survives the process.
//!
//! It shares with the SQL stores only what a caller could see (types, checks of filters, cursors),
//! and decides everything else in its own way, so that comparing them means something.

mod commit;
mod list;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use uuid::Uuid;

use crate::error::StoreError;
use crate::filter::{Column, Filter, OrderBy, Value};
use crate::model::{
    Batch, Check, ExecutionKey, Loaded, Page, RecordRange, Row, Snapshot, Stats, Wake, WakeCursor,
};
use crate::{Answer, Store};

/// The store in memory.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    closed: bool,
    stats: Stats,
    shards: HashMap<u32, Shard>,
    executions: BTreeMap<Uuid, Execution>,
    /// The current run of an id of a kind.
    current: HashMap<(Uuid, u8, Arc<str>), Uuid>,
    /// All runs of a namespace, ascending in the default order of lists.
    listing: BTreeSet<Listing>,
    wakes: BTreeSet<(i64, Uuid)>,
    meta: BTreeMap<String, Bytes>,
}

#[derive(Default)]
struct Shard {
    epoch: u64,
    /// Runs that a refused batch of this epoch touched.
    refused: HashSet<Uuid>,
}

/// Place in the default order. A missing close time is greater than all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Listing {
    namespace: Uuid,
    open: bool,
    close_time: i64,
    start_time: i64,
    run_id: Uuid,
}

struct Execution {
    key: ExecutionKey,
    /// Without attributes.
    row: Row,
    attributes: list::Attributes,
    snapshot: Option<Snapshot>,
    /// Record `seq` lies at `seq - 1`.
    records: Vec<Bytes>,
    wake_at: Option<i64>,
}

impl Execution {
    fn listing(&self) -> Listing {
        Listing {
            namespace: self.key.namespace,
            open: self.row.close_time.is_none(),
            close_time: self.row.close_time.unwrap_or(0),
            start_time: self.row.start_time,
            run_id: self.key.run_id,
        }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tables, unless the store was closed. A panic elsewhere cannot have left them
    /// half-written in a way that matters more than going on does: every commit checks all before
    /// it changes anything.
    fn tables(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.closed {
            Err(StoreError::Closed)
        } else {
            Ok(tables)
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Tables) -> Result<T, StoreError>) -> Answer<T>
    where
        T: Send + 'static,
    {
        ready(self.tables().and_then(|tables| read(&tables)))
    }
}

fn ready<T: Send + 'static>(answer: Result<T, StoreError>) -> Answer<T> {
    Box::pin(std::future::ready(answer))
}

impl Store for MemoryStore {
    fn open_epoch(&self, shard: u32) -> Answer<u64> {
        ready(self.tables().map(|mut tables| tables.open_epoch(shard)))
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        ready(self.tables().and_then(|mut tables| tables.commit(batch)))
    }

    fn current(
        &self,
        _slot: u16,
        namespace: Uuid,
        kind: u8,
        workflow_id: &str,
    ) -> Answer<Option<ExecutionKey>> {
        let workflow = (namespace, kind, Arc::from(workflow_id));
        self.read(|tables| {
            let run_id = tables.current.get(&workflow);
            let execution = run_id.and_then(|run_id| tables.executions.get(run_id));
            Ok(execution.map(|execution| execution.key.clone()))
        })
    }

    fn find(
        &self,
        _slot: u16,
        namespace: Uuid,
        kind: u8,
        workflow_id: &str,
        run_id: Uuid,
    ) -> Answer<Option<ExecutionKey>> {
        self.read(|tables| {
            let key = tables
                .executions
                .get(&run_id)
                .map(|execution| &execution.key);
            let same = key.filter(|key| {
                key.namespace == namespace && key.kind == kind && &*key.workflow_id == workflow_id
            });
            Ok(same.cloned())
        })
    }

    fn load(&self, key: &ExecutionKey) -> Answer<Option<Loaded>> {
        self.read(|tables| {
            Ok(tables.executions.get(&key.run_id).map(|execution| {
                let folded = execution
                    .snapshot
                    .as_ref()
                    .map_or(0, |snapshot| snapshot.seq);
                let records = (1..)
                    .zip(&execution.records)
                    .filter(|(seq, _)| *seq > folded);
                Loaded {
                    key: execution.key.clone(),
                    snapshot: execution.snapshot.clone(),
                    records: records.map(|(seq, bytes)| (seq, bytes.clone())).collect(),
                    row: execution.row.clone(),
                    wake_at: execution.wake_at,
                }
            }))
        })
    }

    fn records(&self, key: &ExecutionKey, range: RecordRange) -> Answer<Vec<(u64, Bytes)>> {
        self.read(|tables| {
            let Some(execution) = tables.executions.get(&key.run_id) else {
                return Ok(Vec::new());
            };
            let last = range.to.min(execution.records.len() as u64);
            let seqs = range.from.max(1)..last.saturating_add(1);
            let at = |seq: u64| Some((seq, execution.records.get(usize::try_from(seq - 1).ok()?)?));
            Ok(if range.reverse {
                page(seqs.rev().filter_map(at), range)
            } else {
                page(seqs.filter_map(at), range)
            })
        })
    }

    fn wakes(
        &self,
        slots: Range<u16>,
        before: i64,
        after: Option<WakeCursor>,
        limit: usize,
    ) -> Answer<Vec<Wake>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.read(|tables| {
            let after = after.map_or(Unbounded, |cursor| {
                Excluded((cursor.wake_at, cursor.run_id))
            });
            let due = tables
                .wakes
                .range((after, Unbounded))
                .take_while(|(at, _)| *at < before);
            let wakes = due.filter_map(|(wake_at, run_id)| {
                let key = &tables.executions.get(run_id)?.key;
                slots.contains(&key.slot).then(|| Wake {
                    key: key.clone(),
                    wake_at: *wake_at,
                })
            });
            Ok(wakes.take(limit).collect())
        })
    }

    fn list(
        &self,
        namespace: Uuid,
        filter: &Filter,
        order: &[OrderBy],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Answer<Page> {
        self.read(|tables| tables.list(namespace, filter, order, after, limit))
    }

    fn count(
        &self,
        namespace: Uuid,
        filter: &Filter,
        group_by: &[Column],
    ) -> Answer<Vec<(Vec<Value>, u64)>> {
        self.read(|tables| tables.count(namespace, filter, group_by))
    }

    fn meta_get(&self, key: &str) -> Answer<Option<Bytes>> {
        self.read(|tables| Ok(tables.meta.get(key).cloned()))
    }

    fn meta_put(&self, writes: Vec<(String, Option<Bytes>)>) -> Answer<()> {
        ready(self.tables().map(|mut tables| {
            for (key, value) in writes {
                match value {
                    Some(value) => drop(tables.meta.insert(key, value)),
                    None => drop(tables.meta.remove(&key)),
                }
            }
            tables.stats.transactions += 1;
        }))
    }

    fn meta_scan(&self, prefix: &str) -> Answer<Vec<(String, Bytes)>> {
        self.read(|tables| {
            let from = tables.meta.range(prefix.to_owned()..);
            let found = from.take_while(|(key, _)| key.starts_with(prefix));
            Ok(found
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect())
        })
    }

    fn check(&self) -> Answer<Check> {
        self.read(|tables| Ok(tables.check()))
    }

    fn stats(&self) -> Stats {
        self.tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stats
    }

    fn close(&self) -> Answer<()> {
        ready(self.tables().map(|mut tables| tables.closed = true))
    }
}

fn page<'a>(
    records: impl Iterator<Item = (u64, &'a Bytes)>,
    range: RecordRange,
) -> Vec<(u64, Bytes)> {
    let mut size = 0;
    records
        .take(range.count_max)
        .enumerate()
        .take_while(|(index, (_, bytes))| {
            size += bytes.len();
            *index == 0 || size <= range.bytes_max
        })
        .map(|(_, (seq, bytes))| (seq, bytes.clone()))
        .collect()
}
