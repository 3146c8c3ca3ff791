//! The store remembers: journals of executions, an index row for each, and when to look at each
//! again.
//!
//! It knows keys, bytes, order and index rows. It knows neither the API's messages nor any rule
//! about what a workflow may do, so that two SQL stores never hold the rules twice. It may depend
//! on `rusqlite` and on `tokio`'s channels; on no other crate of this workspace.
//!
//! [`Store`] is the border, used as `dyn Store`. [`SqliteStore`] keeps everything in one file;
//! [`MemoryStore`] keeps it in maps, and is a second, independent implementation of the same
//! contract: `tests/conformance` runs one suite over both and then compares them on random work.
//!
//! Absent on purpose: workflow rules, encodings of records (the engine's), parsing of list filters
//! (the engine's), retries (the caller decides what a refused commit means).

mod cursor;
mod error;
mod filter;
mod memory;
mod model;
mod sqlite;

pub use bytes::Bytes;
pub use error::StoreError;
pub use filter::{AttributeType, Column, Comparison, Filter, OrderBy, Value};
pub use memory::MemoryStore;
pub use model::{
    AttributeValue, Batch, Check, ExecutionKey, Loaded, NewRecord, Page, RecordRange, Row,
    Snapshot, Stats, Wake, WakeCursor, Write,
};
pub use sqlite::SqliteStore;
pub use uuid::Uuid;

use std::ops::Range;
use std::pin::Pin;

/// A future that can be spawned: it borrows nothing from the store or from the arguments of the
/// call.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// The answer of nearly every method of [`Store`].
pub type Answer<T> = BoxFuture<Result<T, StoreError>>;

/// What remembers executions.
///
/// **Order and durability.** A call of [`commit`](Store::commit), [`open_epoch`](Store::open_epoch)
/// or [`meta_put`](Store::meta_put) takes its place in the queue at once, in the call itself,
/// whether or not the future is ever polled. What one shard has queued is committed in that order.
/// When the future resolves to `Ok`, the write is durable and every later read sees it.
///
/// **After a refusal.** [`StoreError::Unavailable`] means the batch may or may not be there after a
/// crash, but nothing that was queued behind it by the same shard in the same epoch will ever be:
/// everything of that shard is refused until it calls `open_epoch` again and reloads. So a later
/// record never lands where an earlier one was lost. [`StoreError::Conflict`] (a bug in the caller,
/// or a run that is gone) is narrower: it refuses whatever touches the runs of that batch until the
/// next `open_epoch`, and leaves the neighbours alone.
pub trait Store: Send + Sync {
    /// Opens a new epoch of a shard and answers its number, greater than all before it. From then
    /// on commits with an older epoch of this shard are [`StoreError::Fenced`].
    fn open_epoch(&self, shard: u32) -> Answer<u64>;

    /// Commits a batch: all of its writes or none, in one transaction.
    fn commit(&self, batch: Batch) -> Answer<()>;

    /// The current (latest) run of an id of this kind, open or closed.
    fn current(
        &self,
        slot: u16,
        namespace: Uuid,
        kind: u8,
        workflow_id: &str,
    ) -> Answer<Option<ExecutionKey>>;

    /// The key of a run, if this id of this kind has it.
    fn find(
        &self,
        slot: u16,
        namespace: Uuid,
        kind: u8,
        workflow_id: &str,
        run_id: Uuid,
    ) -> Answer<Option<ExecutionKey>>;

    /// Everything needed to fold an execution's state: its snapshot and the records after it.
    fn load(&self, key: &ExecutionKey) -> Answer<Option<Loaded>>;

    /// Records of one run, by sequence number, for pages of history. At least one record is given
    /// when the range holds any, however large it is.
    fn records(&self, key: &ExecutionKey, range: RecordRange) -> Answer<Vec<(u64, Bytes)>>;

    /// Executions of these slots that want to be looked at earlier than `before` (ns since the
    /// epoch), in order of `(wake_at, run_id)`, those behind `after`.
    fn wakes(
        &self,
        slots: Range<u16>,
        before: i64,
        after: Option<WakeCursor>,
        limit: usize,
    ) -> Answer<Vec<Wake>>;

    /// One page of a namespace's executions.
    ///
    /// An empty `order` is the default one: open runs first, then by close time, then by start
    /// time, the newest first. In any other order, rows without a value come last, whatever its
    /// direction, and the run id breaks every tie, in the direction of the last column. `after` is the [`Page::next`] of a page with the same filter and order.
    ///
    /// Rows with a namespace division are left out unless the filter names [`Column::Division`].
    fn list(
        &self,
        namespace: Uuid,
        filter: &Filter,
        order: &[OrderBy],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Answer<Page>;

    /// Counts a namespace's executions by the values of `group_by`, in ascending order of these
    /// values with missing ones last. With an empty `group_by` there is exactly one group.
    /// Divisions as in [`list`](Store::list).
    fn count(
        &self,
        namespace: Uuid,
        filter: &Filter,
        group_by: &[Column],
    ) -> Answer<Vec<(Vec<Value>, u64)>>;

    /// The value under a key of the small map for namespaces and cluster metadata.
    fn meta_get(&self, key: &str) -> Answer<Option<Bytes>>;

    /// Writes to that map, all in one transaction; `None` removes the key.
    fn meta_put(&self, writes: Vec<(String, Option<Bytes>)>) -> Answer<()>;

    /// All keys of that map that begin with `prefix`, in order.
    fn meta_scan(&self, prefix: &str) -> Answer<Vec<(String, Bytes)>>;

    /// Looks through all tables for rows that belong to no execution, and through all journals for
    /// gaps. It reads everything: for operators and tests, not for every day.
    fn check(&self) -> Answer<Check>;

    /// Counters since the store was opened.
    fn stats(&self) -> Stats;

    /// Finishes what is queued, writes all back to where it belongs and lets go of the file. Every
    /// later call is answered with [`StoreError::Closed`].
    fn close(&self) -> Answer<()>;
}
