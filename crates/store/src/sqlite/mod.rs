//! The store in one SQLite file: the default, and meant for production on one machine.
//!
//! One thread writes (`writer`), others read (`reader`), one moves pages from the log into the file
//! (`checkpoint`). The file is in WAL mode with `synchronous=FULL`: what was acknowledged is on the
//! disk.

mod apply;
mod checkpoint;
mod compile;
mod count;
mod known;
mod list;
mod open;
mod plan;
mod point;
mod reader;
mod row;
mod schema;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::Uuid;

use self::reader::{Lane, Readers};
use self::writer::{Counters, Item, Reply, Writer};
use crate::error::StoreError;
use crate::filter::{Column, Filter, OrderBy, Value};
use crate::model::{
    Batch, Check, ExecutionKey, Loaded, Page, RecordRange, Stats, Wake, WakeCursor,
};
use crate::{Answer, Store};

/// The store in one SQLite file.
///
/// Dropping it without [`close`](Store::close) finishes what is queued too, and blocks for as long.
pub struct SqliteStore {
    writer: Sender<Item>,
    readers: Readers,
    counters: Arc<Counters>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the file, or makes a new one with the folders above it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`], [`StoreError::ReadOnly`], [`StoreError::Corrupt`],
    /// [`StoreError::Foreign`], [`StoreError::Newer`], or [`StoreError::Open`] with the cause.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (conn, lock) = open::open(path)?;
        let failed = |cause: std::io::Error| StoreError::Open {
            path: path.into(),
            cause: cause.to_string().into(),
        };
        let (sender, queue) = channel();
        let counters = Arc::<Counters>::default();
        let writer = Writer::new(conn, path.into(), sender.clone(), counters.clone())
            .map_err(|cause| open::open_error(path, &cause))?;
        let readers = Readers::start(path).map_err(failed)?;
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                let done = writer.run(&queue);
                // Others may have the file now.
                drop(lock);
                drop(done.map(|reply| reply.send(Ok(()))));
            })
            .map_err(failed)?;
        Ok(Self {
            writer: sender,
            readers,
            counters,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Keeps the file from growing beyond `bytes`; `None` takes the limit away. At the limit
    /// commits fail as they do when the disk is full.
    pub fn set_size_max(&self, bytes: Option<u64>) -> Answer<()> {
        self.send(|reply| Item::SizeMax { bytes, reply })
    }

    /// Queues an item at once, and answers what becomes of it.
    fn send<T: Send + 'static>(&self, item: impl FnOnce(Reply<T>) -> Item) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        // If the writer is gone, the item is dropped and with it the reply.
        drop(self.writer.send(item(reply)));
        Box::pin(async move { answer.await.unwrap_or(Err(StoreError::Closed)) })
    }

    /// [`send`](Self::send) for what becomes part of a transaction.
    fn queue<T: Send + 'static>(&self, item: impl FnOnce(Reply<T>) -> Item) -> Answer<T> {
        self.counters.queued.fetch_add(1, Ordering::Relaxed);
        self.send(item)
    }

    fn point<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Answer<T> {
        ready(self.readers.point(read))
    }
}

fn ready<T: Send + 'static>(answer: Result<T, StoreError>) -> Answer<T> {
    Box::pin(std::future::ready(answer))
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        let readers = self.readers.close();
        let (reply, _answer) = oneshot::channel();
        drop(self.writer.send(Item::Close { readers, reply }));
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // It can only have panicked, and then has written its message already.
        drop(thread.map(JoinHandle::join));
    }
}

impl Store for SqliteStore {
    fn open_epoch(&self, shard: u32) -> Answer<u64> {
        self.queue(|reply| Item::OpenEpoch { shard, reply })
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        self.queue(|reply| Item::Commit { batch, reply })
    }

    fn current(
        &self,
        _slot: u16,
        namespace: Uuid,
        kind: u8,
        workflow_id: &str,
    ) -> Answer<Option<ExecutionKey>> {
        self.point(|conn| point::current(conn, namespace, kind, workflow_id))
    }

    fn find(
        &self,
        _slot: u16,
        namespace: Uuid,
        kind: u8,
        workflow_id: &str,
        run_id: Uuid,
    ) -> Answer<Option<ExecutionKey>> {
        self.point(|conn| point::find(conn, namespace, kind, workflow_id, run_id))
    }

    fn load(&self, key: &ExecutionKey) -> Answer<Option<Loaded>> {
        self.point(|conn| point::load(conn, key.run_id))
    }

    fn records(&self, key: &ExecutionKey, range: RecordRange) -> Answer<Vec<(u64, Bytes)>> {
        self.point(|conn| point::records(conn, key.run_id, range))
    }

    fn wakes(
        &self,
        slots: Range<u16>,
        before: i64,
        after: Option<WakeCursor>,
        limit: usize,
    ) -> Answer<Vec<Wake>> {
        self.readers.scan(Lane::Wakes, move |conn| {
            Ok(point::wakes(conn, &slots, before, after, limit)?)
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
        match list::List::new(namespace, filter, order, after, limit) {
            Ok(list) => self.readers.scan(Lane::Lists, move |conn| list.run(conn)),
            Err(error) => ready(Err(error)),
        }
    }

    fn count(
        &self,
        namespace: Uuid,
        filter: &Filter,
        group_by: &[Column],
    ) -> Answer<Vec<(Vec<Value>, u64)>> {
        match count::Count::new(namespace, filter, group_by) {
            Ok(count) => self.readers.scan(Lane::Lists, move |conn| count.run(conn)),
            Err(error) => ready(Err(error)),
        }
    }

    fn meta_get(&self, key: &str) -> Answer<Option<Bytes>> {
        self.point(|conn| point::meta_get(conn, key))
    }

    fn meta_put(&self, writes: Vec<(String, Option<Bytes>)>) -> Answer<()> {
        self.queue(|reply| Item::MetaPut { writes, reply })
    }

    fn meta_scan(&self, prefix: &str) -> Answer<Vec<(String, Bytes)>> {
        self.point(|conn| point::meta_scan(conn, prefix))
    }

    fn check(&self) -> Answer<Check> {
        self.readers
            .scan(Lane::Lists, |conn| Ok(point::check(conn)?))
    }

    fn stats(&self) -> Stats {
        self.counters.stats()
    }

    fn close(&self) -> Answer<()> {
        let readers = self.readers.close();
        self.send(|reply| Item::Close { readers, reply })
    }
}
