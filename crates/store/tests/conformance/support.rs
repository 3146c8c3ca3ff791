//! A small world: ids that can be read, rows that say only what matters, and a folder for files.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake};

use steadfast_store::{
    AttributeType, AttributeValue, Batch, Bytes, Column, Comparison, ExecutionKey, Filter,
    NewRecord, OrderBy, Row, SqliteStore, Store, StoreError, Uuid, Value, Write,
};

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future. The store must need no runtime.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Arc::new(Unpark(std::thread::current())).into();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A folder that goes away with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "steadfast-store-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("steadfast.db")
    }

    pub(crate) fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.file()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub(crate) const NAMESPACE: Uuid = Uuid::from_u128(0xA);
pub(crate) const OTHER_NAMESPACE: Uuid = Uuid::from_u128(0xB);

/// The run with this number.
pub(crate) fn run(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn key(workflow_id: &str, run_number: u128) -> ExecutionKey {
    ExecutionKey {
        slot: 7,
        namespace: NAMESPACE,
        kind: 0,
        workflow_id: workflow_id.into(),
        run_id: run(run_number),
    }
}

/// An open, current run, started at 0.
pub(crate) fn row(key: &ExecutionKey) -> Row {
    Row {
        current: true,
        status: 1,
        workflow_type: "type".into(),
        task_queue: "queue".into(),
        start_time: 0,
        execution_time: 0,
        close_time: None,
        history_length: 2,
        history_size: 100,
        state_transition_count: 1,
        parent: None,
        root: (key.workflow_id.clone(), key.run_id),
        memo: Bytes::from_static(b"memo"),
        search_attributes: Bytes::from_static(b"search attributes"),
        attributes: Vec::new(),
        division: None,
    }
}

pub(crate) fn closed(key: &ExecutionKey, start_time: i64, close_time: i64) -> Row {
    Row {
        status: 2,
        start_time,
        execution_time: start_time,
        close_time: Some(close_time),
        ..row(key)
    }
}

pub(crate) fn with(mut row: Row, attributes: &[(&str, AttributeValue)]) -> Row {
    row.attributes = attributes
        .iter()
        .map(|(name, value)| ((*name).into(), value.clone()))
        .collect();
    row
}

pub(crate) fn record(seq: u64) -> NewRecord {
    NewRecord {
        seq,
        bytes: format!("record {seq}").into_bytes().into(),
    }
}

/// The write that begins an execution.
pub(crate) fn begin(key: &ExecutionKey, row: Row) -> Write {
    Write {
        record: Some(record(1)),
        row: Some(row),
        ..Write::new(key.clone())
    }
}

pub(crate) fn append(key: &ExecutionKey, seq: u64) -> Write {
    Write {
        record: Some(record(seq)),
        ..Write::new(key.clone())
    }
}

pub(crate) fn delete(key: &ExecutionKey) -> Write {
    Write {
        delete: true,
        ..Write::new(key.clone())
    }
}

/// One shard that commits and waits each time.
pub(crate) struct Shard<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) number: u32,
    pub(crate) epoch: u64,
}

impl<'a> Shard<'a> {
    pub(crate) fn open(store: &'a dyn Store) -> Self {
        Self::numbered(store, 1)
    }

    pub(crate) fn numbered(store: &'a dyn Store, number: u32) -> Self {
        let epoch = wait(store.open_epoch(number)).unwrap();
        Self {
            store,
            number,
            epoch,
        }
    }

    pub(crate) fn batch(&self, writes: Vec<Write>) -> Batch {
        Batch {
            shard: self.number,
            epoch: self.epoch,
            writes,
        }
    }

    pub(crate) fn try_commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        wait(self.store.commit(self.batch(writes)))
    }

    #[track_caller]
    pub(crate) fn commit(&self, writes: Vec<Write>) {
        self.try_commit(writes).unwrap();
    }

    #[track_caller]
    pub(crate) fn begin(&self, key: &ExecutionKey, row: Row) {
        self.commit(vec![begin(key, row)]);
    }
}

/// The numbers of the runs that a list gives, in its order.
#[track_caller]
pub(crate) fn listed(store: &dyn Store, filter: &Filter, order: &[OrderBy]) -> Vec<u128> {
    let page = wait(store.list(NAMESPACE, filter, order, None, 1000)).unwrap();
    assert_eq!(page.next, None);
    page.rows
        .iter()
        .map(|(key, _)| key.run_id.as_u128())
        .collect()
}

/// The same, in the order of the numbers.
#[track_caller]
pub(crate) fn matching(store: &dyn Store, filter: &Filter) -> Vec<u128> {
    let mut numbers = listed(store, filter, &[]);
    numbers.sort_unstable();
    let count = wait(store.count(NAMESPACE, filter, &[])).unwrap();
    assert_eq!(count, [(Vec::new(), numbers.len() as u64)]);
    numbers
}

/// Nothing is left of anything that is gone, and nothing is missing.
#[track_caller]
pub(crate) fn check(store: &dyn Store) {
    let check = wait(store.check()).unwrap();
    assert_eq!(
        (check.orphans, check.gaps, check.doubles),
        (0, 0, 0),
        "{check:?}"
    );
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.into())
}

pub(crate) fn compare(column: &Column, op: Comparison, value: Value) -> Filter {
    Filter::Compare {
        column: column.clone(),
        op,
        value,
    }
}

pub(crate) fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

pub(crate) fn attribute(name: &str, attribute_type: AttributeType) -> Column {
    Column::Attribute(name.into(), attribute_type)
}
