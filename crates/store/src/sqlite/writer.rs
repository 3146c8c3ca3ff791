//! The one thread that writes.
//!
//! Group commit: it takes the first thing that waits and everything else that waits with it, and
//! makes one transaction of it: one fsync for all. While the disk works, the next group gathers by
//! itself, so nobody waits for company.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;

use bytes::Bytes;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::apply::{self, Failure};
use super::checkpoint::Checkpointer;
use super::known::Memory;
use crate::error::StoreError;
use crate::model::{Batch, Stats};

/// A transaction takes no more things, and no more bytes, than this. It is large enough to share
/// the fsync among thousands of callers, and small enough that its pages stay in the cache until it
/// ends.
const GROUP_COUNT_MAX: usize = 1024;
const GROUP_BYTES_MAX: usize = 2 << 20;

/// Where an answer goes. It does not matter if nobody waits for it any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do.
pub(super) enum Item {
    Commit {
        batch: Batch,
        reply: Reply<()>,
    },
    OpenEpoch {
        shard: u32,
        reply: Reply<u64>,
    },
    MetaPut {
        writes: Vec<(String, Option<Bytes>)>,
        reply: Reply<()>,
    },
    /// Let the file grow to so many bytes and no further; `None`: as far as the disk goes.
    SizeMax {
        bytes: Option<u64>,
        reply: Reply<()>,
    },
    /// The checkpoint thread has copied all but the pages written since.
    FinishCheckpoint,
    /// Close after these threads, which are about to end, have let go of the file.
    Close {
        readers: Vec<JoinHandle<()>>,
        reply: Reply<()>,
    },
}

impl Item {
    fn is_control(&self) -> bool {
        matches!(
            self,
            Self::SizeMax { .. } | Self::FinishCheckpoint | Self::Close { .. }
        )
    }

    /// About how much it will write.
    fn bytes(&self) -> usize {
        match self {
            Self::Commit { batch, .. } => batch.writes.iter().fold(0, |sum, write| {
                let record = write.record.as_ref().map_or(0, |record| record.bytes.len());
                let snapshot = write
                    .snapshot
                    .as_ref()
                    .map_or(0, |snapshot| snapshot.bytes.len());
                sum + record + snapshot
            }),
            Self::MetaPut { writes, .. } => writes
                .iter()
                .filter_map(|(_, value)| value.as_ref())
                .map(Bytes::len)
                .sum(),
            _ => 0,
        }
    }

    fn refuse(self, error: StoreError) {
        match self {
            Self::Commit { reply, .. }
            | Self::MetaPut { reply, .. }
            | Self::SizeMax { reply, .. }
            | Self::Close { reply, .. } => drop(reply.send(Err(error))),
            Self::OpenEpoch { reply, .. } => drop(reply.send(Err(error))),
            Self::FinishCheckpoint => {}
        }
    }
}

/// [`Stats`] as they grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    transactions: AtomicU64,
    batches: AtomicU64,
    records: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    pub(super) queued: AtomicU64,
}

impl Counters {
    pub(super) fn stats(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            transactions: get(&self.transactions),
            batches: get(&self.batches),
            records: get(&self.records),
            refused: get(&self.refused),
            failed: get(&self.failed),
            queued: get(&self.queued),
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

/// What the writer knows of a shard.
#[derive(Debug, Clone, Default)]
struct Shard {
    epoch: u64,
    /// Why nothing more lands in this epoch: a transaction with something of this shard in it
    /// failed.
    broken: Option<Arc<str>>,
    /// Runs that a refused batch of this epoch touched.
    refused: HashSet<Uuid>,
}

type Shards = HashMap<u32, Shard>;

/// The writer's own state, moved into its thread.
pub(super) struct Writer {
    conn: Connection,
    path: PathBuf,
    shards: Shards,
    memory: Memory,
    checkpointer: Checkpointer,
    counters: Arc<Counters>,
}

/// What became of one item of a group, should the transaction commit.
enum Verdict {
    Done,
    Epoch(u64),
    Refused(StoreError),
}

impl Writer {
    pub(super) fn new(
        mut conn: Connection,
        path: PathBuf,
        sender: Sender<Item>,
        counters: Arc<Counters>,
    ) -> rusqlite::Result<Self> {
        let epochs = conn
            .prepare("SELECT shard, epoch FROM shards")?
            .query_map((), |row| {
                let epoch = row.get::<_, i64>(1)?.cast_unsigned();
                Ok((
                    row.get(0)?,
                    Shard {
                        epoch,
                        ..Shard::default()
                    },
                ))
            })?
            .collect::<rusqlite::Result<Shards>>()?;
        let checkpointer = Checkpointer::start(&mut conn, &path, sender)?;
        Ok(Self {
            conn,
            path,
            shards: epochs,
            memory: Memory::default(),
            checkpointer,
            counters,
        })
    }

    /// Works until it is told to close, and answers whom to tell that it is done.
    pub(super) fn run(mut self, queue: &Receiver<Item>) -> Option<Reply<()>> {
        let mut next = None;
        while let Some(first) = next.take().or_else(|| queue.recv().ok()) {
            match first {
                Item::Close { readers, reply } => {
                    // They can only have panicked, and their connections are closed all the same.
                    readers.into_iter().for_each(|reader| drop(reader.join()));
                    self.close();
                    return Some(reply);
                }
                Item::SizeMax { bytes, reply } => drop(reply.send(self.limit_size(bytes))),
                Item::FinishCheckpoint => self.checkpointer.turn(&self.conn),
                first => {
                    let (group, control) = gather(first, queue);
                    self.commit(group);
                    self.checkpointer.turn(&self.conn);
                    next = control;
                }
            }
        }
        None
    }

    fn close(self) {
        self.checkpointer.stop();
        // Everything is durable in the log; this only moves it to where it belongs.
        let moved = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
            .and_then(|()| self.conn.close().map_err(|(_, cause)| cause));
        if let Err(cause) = moved {
            let path = self.path.display();
            tracing::warn!(%path, %cause, "the log was left beside the database");
        }
    }

    fn limit_size(&self, bytes: Option<u64>) -> Result<(), StoreError> {
        let limit = || {
            let page_size = self
                .conn
                .pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))?;
            // The greatest number of pages that SQLite takes.
            let pages_max = u64::from(u32::MAX - 1);
            let pages = bytes
                .map_or(pages_max, |bytes| bytes / u64::from(page_size))
                .max(1);
            let pages = pages.min(pages_max).cast_signed();
            self.conn
                .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        };
        limit().map_err(StoreError::unavailable)
    }

    /// Commits a group and answers everyone in it.
    fn commit(&mut self, group: Vec<Item>) {
        match self.transact(&group) {
            Ok(verdicts) => {
                add(&self.counters.transactions, 1);
                for (item, verdict) in group.into_iter().zip(verdicts) {
                    self.answer(item, verdict);
                }
            }
            Err(cause) => {
                tracing::error!(path = %self.path.display(), %cause, "a commit failed");
                add(&self.counters.failed, 1);
                self.recover();
                let cause: Arc<str> = cause.to_string().into();
                for item in group {
                    if let Item::Commit { batch, .. } = &item {
                        add(&self.counters.refused, 1);
                        self.break_epoch(batch, &cause);
                    }
                    self.counters.queued.fetch_sub(1, Ordering::Relaxed);
                    item.refuse(StoreError::Unavailable {
                        cause: cause.clone(),
                    });
                }
            }
        }
    }

    fn answer(&self, item: Item, verdict: Verdict) {
        self.counters.queued.fetch_sub(1, Ordering::Relaxed);
        match (item, verdict) {
            (item @ Item::Commit { .. }, Verdict::Refused(error)) => {
                add(&self.counters.refused, 1);
                item.refuse(error);
            }
            (item, Verdict::Refused(error)) => item.refuse(error),
            (Item::OpenEpoch { reply, .. }, Verdict::Epoch(epoch)) => drop(reply.send(Ok(epoch))),
            (Item::Commit { batch, reply }, _) => {
                add(&self.counters.batches, 1);
                let records = batch
                    .writes
                    .iter()
                    .filter(|write| write.record.is_some())
                    .count();
                add(&self.counters.records, records);
                drop(reply.send(Ok(())));
            }
            (Item::MetaPut { reply, .. }, _) => drop(reply.send(Ok(()))),
            // No other kinds get into a group.
            _ => {}
        }
    }

    /// What was lost must not be followed by what came after it.
    fn break_epoch(&mut self, batch: &Batch, cause: &Arc<str>) {
        let shard = self.shards.get_mut(&batch.shard);
        if let Some(shard) = shard.filter(|shard| shard.epoch == batch.epoch) {
            shard.broken.get_or_insert_with(|| cause.clone());
        }
    }

    /// Makes one transaction of a group. Savepoints cost, and conflicts are bugs: so first it goes
    /// without, and only when a batch is refused half-way all is done again with a savepoint for
    /// each.
    fn transact(&mut self, group: &[Item]) -> rusqlite::Result<Vec<Verdict>> {
        if let Some(verdicts) = self.attempt(group, false)? {
            return Ok(verdicts);
        }
        // With savepoints there is always a verdict for each.
        Ok(self.attempt(group, true)?.unwrap_or_default())
    }

    fn attempt(
        &mut self,
        group: &[Item],
        savepoints: bool,
    ) -> rusqlite::Result<Option<Vec<Verdict>>> {
        let mut shards = self.shards.clone();
        let outcome = self.try_group(group, &mut shards, savepoints);
        if matches!(outcome, Ok(Some(_))) {
            self.shards = shards;
        } else {
            self.memory.forget();
        }
        outcome
    }

    fn try_group(
        &mut self,
        group: &[Item],
        shards: &mut Shards,
        savepoints: bool,
    ) -> rusqlite::Result<Option<Vec<Verdict>>> {
        let transaction = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let memory = &mut self.memory;
        let verdicts = group
            .iter()
            .map(|item| apply_item(&transaction, item, shards, memory, savepoints))
            .collect::<rusqlite::Result<Option<Vec<_>>>>()?;
        if verdicts.is_none() {
            transaction.rollback()?;
            return Ok(None);
        }
        memory.write_counts(&transaction)?;
        transaction.commit()?;
        Ok(verdicts)
    }

    /// After a failure: a connection that is still inside the lost transaction is replaced.
    fn recover(&mut self) {
        if self.conn.is_autocommit() || self.conn.execute_batch("ROLLBACK").is_ok() {
            return;
        }
        match super::open::connect(&self.path, super::open::Purpose::Write) {
            Ok(mut conn) => {
                if let Err(cause) = self.checkpointer.watch(&mut conn) {
                    tracing::error!(%cause, "the log of the new connection is not watched");
                }
                self.conn = conn;
            }
            Err(cause) => tracing::error!(%cause, "the database could not be opened again"),
        }
    }
}

/// Everything that waits with `first`, up to the next control item, which comes after the group.
fn gather(first: Item, queue: &Receiver<Item>) -> (Vec<Item>, Option<Item>) {
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while group.len() < GROUP_COUNT_MAX && bytes < GROUP_BYTES_MAX {
        match queue.try_recv() {
            Ok(item) if item.is_control() => return (group, Some(item)),
            Ok(item) => {
                bytes += item.bytes();
                group.push(item);
            }
            Err(_) => break,
        }
    }
    (group, None)
}

/// Applies one item; `None` when it was refused half-way and there is no savepoint to go back to.
fn apply_item(
    conn: &Connection,
    item: &Item,
    shards: &mut Shards,
    memory: &mut Memory,
    savepoints: bool,
) -> rusqlite::Result<Option<Verdict>> {
    match item {
        Item::Commit { batch, .. } => apply_batch(conn, batch, shards, memory, savepoints),
        Item::OpenEpoch { shard, .. } => open_epoch(conn, *shard, shards).map(Some),
        Item::MetaPut { writes, .. } => meta_put(conn, writes).map(Some),
        Item::SizeMax { .. } | Item::FinishCheckpoint | Item::Close { .. } => {
            Ok(Some(Verdict::Done))
        }
    }
}

fn open_epoch(conn: &Connection, shard: u32, shards: &mut Shards) -> rusqlite::Result<Verdict> {
    let known = shards.entry(shard).or_default();
    *known = Shard {
        epoch: known.epoch + 1,
        ..Shard::default()
    };
    conn.prepare_cached("INSERT OR REPLACE INTO shards (shard, epoch) VALUES (?1, ?2)")?
        .execute(params![shard, known.epoch.cast_signed()])?;
    Ok(Verdict::Epoch(known.epoch))
}

fn meta_put(conn: &Connection, writes: &[(String, Option<Bytes>)]) -> rusqlite::Result<Verdict> {
    for (key, value) in writes {
        match value {
            Some(value) => conn
                .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
                .execute(params![key, &value[..]])?,
            None => conn
                .prepare_cached("DELETE FROM meta WHERE key = ?1")?
                .execute([key])?,
        };
    }
    Ok(Verdict::Done)
}

fn apply_batch(
    conn: &Connection,
    batch: &Batch,
    shards: &mut Shards,
    memory: &mut Memory,
    savepoints: bool,
) -> rusqlite::Result<Option<Verdict>> {
    if let Some(refusal) = refusal(batch, shards.get(&batch.shard)) {
        refuse_runs(batch, &refusal, shards);
        return Ok(Some(Verdict::Refused(refusal)));
    }
    if savepoints {
        conn.execute_batch("SAVEPOINT batch")?;
    }
    match batch
        .writes
        .iter()
        .try_for_each(|write| apply::write(conn, memory, write))
    {
        Ok(()) => {
            if savepoints {
                memory.write_counts(conn)?;
                conn.execute_batch("RELEASE batch")?;
            }
            Ok(Some(Verdict::Done))
        }
        Err(Failure::Sql(cause)) => Err(cause),
        Err(Failure::Refused(_)) if !savepoints => Ok(None),
        Err(Failure::Refused(refusal)) => {
            conn.execute_batch("ROLLBACK TO batch; RELEASE batch")?;
            memory.forget();
            refuse_runs(batch, &refusal, shards);
            Ok(Some(Verdict::Refused(refusal)))
        }
    }
}

/// Why a batch may not even be tried.
fn refusal(batch: &Batch, shard: Option<&Shard>) -> Option<StoreError> {
    let current = shard.map_or(0, |shard| shard.epoch);
    let Some(shard) = shard.filter(|shard| shard.epoch == batch.epoch) else {
        return Some(StoreError::Fenced {
            shard: batch.shard,
            epoch: batch.epoch,
            current,
        });
    };
    if let Some(cause) = &shard.broken {
        return Some(StoreError::Unavailable {
            cause: cause.clone(),
        });
    }
    let run_ids = batch.writes.iter().map(|write| write.key.run_id);
    let refused = run_ids
        .into_iter()
        .find(|run_id| shard.refused.contains(run_id))?;
    Some(StoreError::conflict(
        refused,
        "an earlier write was refused",
    ))
}

/// After a conflict, nothing more of these runs lands in this epoch.
fn refuse_runs(batch: &Batch, refusal: &StoreError, shards: &mut Shards) {
    if matches!(refusal, StoreError::Conflict { .. })
        && let Some(shard) = shards.get_mut(&batch.shard)
    {
        shard
            .refused
            .extend(batch.writes.iter().map(|write| write.key.run_id));
    }
}
