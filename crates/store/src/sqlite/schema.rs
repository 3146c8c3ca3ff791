//! Tables, and how older files become newer ones.
//!
//! What is laid out how follows from bytes written, since a commit writes whole pages:
//!
//! - `executions` holds the index row and the wake time in one table. A run gets a number when it
//!   begins, and all tables know it by that: numbers grow with time, so runs that are alive
//!   together lie on the same pages, and they are short, so there are few such pages.
//! - `journal` is append-only and shared by all runs, so one page takes the records of many.
//! - A row in `attributes` exists only for what a row really has.
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

// `executions_list` serves the default order; the columns behind the run id are there so that the
// common filters and counts are decided on the index, without a look at the row.
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

CREATE TABLE attributes (
    execution INTEGER NOT NULL,
    name TEXT NOT NULL,
    type INTEGER NOT NULL,
    value ANY NOT NULL,
    PRIMARY KEY (execution, name, type, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX attributes_value ON attributes (name, type, value, execution);

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
