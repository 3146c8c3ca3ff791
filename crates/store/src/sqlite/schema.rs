//! Tables, and how older files become newer ones.
//!
//! What is laid out how follows from bytes written, since a commit writes whole pages:
//!
//! - `executions` holds the index row and the wake time in one table. A run gets a number when it
//!   begins, and all tables know it by that: numbers grow with time, so runs that are alive
//!   together lie on the same pages, and they are short, so there are few such pages.
//! - `journal` is append-only and shared by all runs, so one page takes the records of many.
//! - A row in `attributes` exists only for what a row really has, and names it by a number.
//! - Entries of an index lie where the last ones were written: behind a value that few columns have
//!   many of, they go by time. What few runs have (a parent) is in an index of its own for these.
//! - Ids are blobs and times integers. What usually equals something else (the root of a run
//!   without a parent) is not stored.

use rusqlite::Connection;

/// Marks a file as ours (`PRAGMA application_id`): "STDF".
pub(super) const APPLICATION_ID: i32 = 0x5354_4446;

/// Each brings a file from the version of its index to the next one (`PRAGMA user_version`). They
/// run one after the other, so an upgrade may skip any number of releases. Never change one that
/// was released.
const MIGRATIONS: &[&str] = &[V1];

/// The newest version that this program knows.
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// In `executions.close_time`, for runs that are open: they sort before all closed ones, and one
/// plain index serves the default order of lists.
pub(super) const OPEN: i64 = i64::MAX;

// `executions_list` serves the default order, and `executions_type`, `_queue` and `_status` the same
// among the rows of one value; the columns behind the run id are there so that the common filters
// are decided on the index, without a look at the row. A query names the index that it means: without
// statistics SQLite's planner cannot know which is the one.
//
// `counts` has the number of rows for each combination of what lists are most often counted by.
const V1: &str = "
CREATE TABLE executions (
    number INTEGER PRIMARY KEY,
    run_id BLOB NOT NULL,
    namespace BLOB NOT NULL,
    workflow_id TEXT NOT NULL,
    kind INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    current INTEGER NOT NULL,
    status INTEGER NOT NULL,
    workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    start_time INTEGER NOT NULL,
    execution_time INTEGER NOT NULL,
    close_time INTEGER NOT NULL,
    history_length INTEGER NOT NULL,
    history_size INTEGER NOT NULL,
    state_transition_count INTEGER NOT NULL,
    parent_workflow_id TEXT,
    parent_run_id BLOB,
    root_workflow_id TEXT,
    root_run_id BLOB,
    division TEXT,
    wake_at INTEGER,
    memo BLOB NOT NULL,
    search_attributes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX executions_run ON executions (run_id);
CREATE INDEX executions_workflow ON executions (namespace, workflow_id, kind, current);
CREATE INDEX executions_list ON executions
    (namespace, division, close_time, start_time, run_id, status, workflow_type);
CREATE INDEX executions_type ON executions
    (namespace, workflow_type, close_time, start_time, run_id, status) WHERE division IS NULL;
CREATE INDEX executions_queue ON executions
    (namespace, task_queue, close_time, start_time, run_id, status) WHERE division IS NULL;
CREATE INDEX executions_status ON executions
    (namespace, status, close_time, start_time, run_id, workflow_type)
    WHERE division IS NULL AND close_time < 9223372036854775807;
CREATE INDEX executions_start ON executions (namespace, start_time, run_id) WHERE division IS NULL;
CREATE INDEX executions_parent ON executions (namespace, parent_workflow_id)
    WHERE parent_workflow_id IS NOT NULL;
CREATE INDEX executions_parent_run ON executions (parent_run_id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX executions_root ON executions (namespace, root_workflow_id)
    WHERE root_workflow_id IS NOT NULL;
CREATE INDEX executions_root_run ON executions (root_run_id) WHERE root_run_id IS NOT NULL;
CREATE INDEX executions_wake ON executions (wake_at, run_id, slot) WHERE wake_at IS NOT NULL;

CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    execution INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX journal_execution ON journal (execution, seq);

CREATE TABLE snapshots (
    execution INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE attribute_names (
    id INTEGER PRIMARY KEY,
    namespace BLOB NOT NULL,
    name TEXT NOT NULL,
    type INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX attribute_names_name ON attribute_names (namespace, name, type);

CREATE TABLE attributes (
    execution INTEGER NOT NULL,
    attribute INTEGER NOT NULL,
    value ANY NOT NULL,
    run_id BLOB NOT NULL,
    PRIMARY KEY (execution, attribute, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX attributes_value ON attributes (attribute, value, run_id);

CREATE TABLE counts (
    namespace BLOB NOT NULL,
    division ANY NOT NULL,
    workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    open INTEGER NOT NULL,
    status INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (namespace, division, workflow_type, task_queue, open, status)
) STRICT, WITHOUT ROWID;

CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Brings the tables from version `found` to the newest, each step in a transaction of its own.
pub(super) fn migrate(conn: &mut Connection, found: u32) -> rusqlite::Result<()> {
    for (version, migration) in (1_u32..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = conn.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
