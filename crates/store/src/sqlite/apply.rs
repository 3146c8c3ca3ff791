//! One write as statements inside the writer's transaction.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use uuid::Uuid;

use super::point::number;
use super::row::{AttributeRow, attribute_rows};
use super::schema::OPEN;
use crate::error::StoreError;
use crate::model::{ExecutionKey, Row, Write};

/// In `counts.division`, for rows without one.
const NO_DIVISION: SqlValue = SqlValue::Integer(0);

/// Why a write was not made.
#[derive(Debug)]
pub(super) enum Failure {
    /// It contradicts what is stored: its batch is refused, the transaction may go on.
    Refused(StoreError),
    /// The database failed: the transaction is lost.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

type Outcome = Result<(), Failure>;

/// Makes one write.
pub(super) fn write(conn: &Connection, write: &Write) -> Outcome {
    statements(conn, write).map_err(|failure| match failure {
        // What the database refuses for its content, it would refuse for ever.
        Failure::Sql(cause)
            if matches!(
                cause.sqlite_error_code(),
                Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig)
            ) =>
        {
            refused(write, &cause.to_string())
        }
        failure => failure,
    })
}

fn refused(write: &Write, cause: &str) -> Failure {
    Failure::Refused(StoreError::conflict(write.key.run_id, cause))
}

fn statements(conn: &Connection, write: &Write) -> Outcome {
    let run_id = write.key.run_id;
    let parts = write.record.is_some()
        || write.snapshot.is_some()
        || write.row.is_some()
        || write.wake_at.is_some();
    if write.delete {
        return if parts {
            Err(refused(write, "a deletion with other parts"))
        } else {
            delete(conn, run_id)
        };
    }
    if !parts {
        return Ok(());
    }
    let begins = write.record.as_ref().is_some_and(|record| record.seq == 1);
    let number = match &write.row {
        Some(row) if begins => insert_row(conn, write, row)?,
        None if begins => return Err(refused(write, "record 1 without a row")),
        _ => number(conn, run_id)?.ok_or_else(|| refused(write, "no such execution"))?,
    };
    if let (Some(row), false) = (&write.row, begins) {
        update_row(conn, write, number, row)?;
    }
    if let Some(record) = &write.record {
        let before = record.seq.checked_sub(1);
        if !begins && !has_record(conn, number, before.unwrap_or(0))? {
            return Err(refused(write, "not the next record"));
        }
        conn.prepare_cached("INSERT INTO journal (execution, seq, bytes) VALUES (?1, ?2, ?3)")?
            .execute(params![number, integer(record.seq), &record.bytes[..]])?;
    }
    if let Some(snapshot) = &write.snapshot {
        if !has_record(conn, number, snapshot.seq)? {
            return Err(refused(write, "a snapshot of records that are not there"));
        }
        conn.prepare_cached(
            "INSERT OR REPLACE INTO snapshots (execution, seq, bytes) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![number, integer(snapshot.seq), &snapshot.bytes[..]])?;
    }
    if let (Some(wake_at), false) = (write.wake_at, begins) {
        conn.prepare_cached("UPDATE executions SET wake_at = ?2 WHERE number = ?1")?
            .execute(params![number, wake_at])?;
    }
    Ok(())
}

/// Numbers that no journal reaches are kept where they contradict every journal.
fn integer(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn has_record(conn: &Connection, number: i64, seq: u64) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM journal WHERE execution = ?1 AND seq = ?2")?
        .exists(params![number, integer(seq)])
}

/// Inserts the row, and answers the number that the execution gets.
fn insert_row(conn: &Connection, write: &Write, row: &Row) -> Result<i64, Failure> {
    let key = &write.key;
    take_current(conn, write, row)?;
    let (parent, root) = relatives(write, row);
    conn.prepare_cached(
        "INSERT INTO executions (run_id, namespace, workflow_id, slot, current, status, \
         workflow_type, task_queue, start_time, execution_time, close_time, history_length, \
         history_size, state_transition_count, parent_workflow_id, parent_run_id, \
         root_workflow_id, root_run_id, division, wake_at, memo, search_attributes, kind) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
         ?19, ?20, ?21, ?22, ?23)",
    )?
    .execute(params![
        key.run_id.as_bytes().as_slice(),
        key.namespace.as_bytes().as_slice(),
        key.workflow_id,
        key.slot,
        row.current,
        row.status,
        row.workflow_type,
        row.task_queue,
        row.start_time,
        row.execution_time,
        row.close_time.unwrap_or(OPEN),
        row.history_length,
        row.history_size,
        row.state_transition_count,
        parent.map(|(id, _)| id),
        parent.map(|(_, run_id)| run_id),
        root.map(|(id, _)| id),
        root.map(|(_, run_id)| run_id),
        row.division,
        write.wake_at.flatten(),
        &row.memo[..],
        &row.search_attributes[..],
        key.kind,
    ])?;
    let number = conn.last_insert_rowid();
    add_count(conn, &Counted::of(key, row), 1)?;
    for attribute in &attribute_rows(row) {
        let name = attribute_id(conn, key.namespace, attribute)?;
        insert_attribute(conn, number, key, name, &attribute.value)?;
    }
    Ok(number)
}

/// What a row is counted by.
#[derive(PartialEq)]
struct Counted {
    namespace: Vec<u8>,
    division: SqlValue,
    workflow_type: String,
    task_queue: String,
    open: bool,
    status: i32,
}

impl Counted {
    fn of(key: &ExecutionKey, row: &Row) -> Self {
        let division = row.division.as_deref().map(str::to_owned);
        Self {
            namespace: key.namespace.as_bytes().to_vec(),
            division: division.map_or(NO_DIVISION, SqlValue::Text),
            workflow_type: row.workflow_type.to_string(),
            task_queue: row.task_queue.to_string(),
            open: row.close_time.is_none(),
            status: row.status,
        }
    }

    fn stored(conn: &Connection, number: i64) -> rusqlite::Result<Self> {
        conn.prepare_cached(
            "SELECT namespace, division, workflow_type, task_queue, close_time, status \
             FROM executions WHERE number = ?1",
        )?
        .query_row([number], |row| {
            let division: Option<String> = row.get(1)?;
            Ok(Self {
                namespace: row.get(0)?,
                division: division.map_or(NO_DIVISION, SqlValue::Text),
                workflow_type: row.get(2)?,
                task_queue: row.get(3)?,
                open: row.get::<_, i64>(4)? == OPEN,
                status: row.get(5)?,
            })
        })
    }
}

/// Counts one row more or less. Nothing is left of a combination that no row has.
fn add_count(conn: &Connection, counted: &Counted, by: i64) -> rusqlite::Result<()> {
    let sql = if by > 0 {
        "INSERT INTO counts (namespace, division, workflow_type, task_queue, open, status, count) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET count = count + ?7"
    } else {
        "UPDATE counts SET count = count + ?7 WHERE namespace = ?1 AND division = ?2 \
         AND workflow_type = ?3 AND task_queue = ?4 AND open = ?5 AND status = ?6"
    };
    let key = params![
        counted.namespace,
        counted.division,
        counted.workflow_type,
        counted.task_queue,
        counted.open,
        counted.status,
        by,
    ];
    conn.prepare_cached(sql)?.execute(key)?;
    if by < 0 {
        conn.prepare_cached(
            "DELETE FROM counts WHERE namespace = ?1 AND division = ?2 AND workflow_type = ?3 \
             AND task_queue = ?4 AND open = ?5 AND status = ?6 AND count = 0",
        )?
        .execute(params![
            counted.namespace,
            counted.division,
            counted.workflow_type,
            counted.task_queue,
            counted.open,
            counted.status,
        ])?;
    }
    Ok(())
}

type Relative<'a> = Option<(&'a str, &'a [u8])>;

/// Parent and root as they are stored: a run that is its own root stores none.
fn relatives<'a>(write: &Write, row: &'a Row) -> (Relative<'a>, Relative<'a>) {
    let parent = row
        .parent
        .as_ref()
        .map(|(id, run_id)| (&**id, run_id.as_bytes().as_slice()));
    let own = row.root.1 == write.key.run_id && row.root.0 == write.key.workflow_id;
    let root = (!own).then(|| (&*row.root.0, row.root.1.as_bytes().as_slice()));
    (parent, root)
}

/// Takes the mark of the current run from the one that has it.
fn take_current(conn: &Connection, write: &Write, row: &Row) -> rusqlite::Result<()> {
    if row.current {
        conn.prepare_cached(
            "UPDATE executions SET current = 0 \
             WHERE namespace = ?1 AND workflow_id = ?2 AND kind = ?4 AND current = 1 AND run_id <> ?3",
        )?
        .execute(params![
            write.key.namespace.as_bytes().as_slice(),
            write.key.workflow_id,
            write.key.run_id.as_bytes().as_slice(),
            write.key.kind
        ])?;
    }
    Ok(())
}

/// The columns of the key are not set, and `current` only when it changes, so that the update
/// leaves their index alone: workflow ids lie anywhere in it, and each touch would cost a page of
/// its own.
fn update_row(conn: &Connection, write: &Write, number: i64, row: &Row) -> Outcome {
    let key = &write.key;
    let stored = conn
        .prepare_cached(
            "SELECT current FROM executions \
             WHERE number = ?1 AND namespace = ?2 AND workflow_id = ?3 AND slot = ?4 AND kind = ?5",
        )?
        .query_row(
            params![
                number,
                key.namespace.as_bytes().as_slice(),
                key.workflow_id,
                key.slot,
                key.kind
            ],
            |row| row.get::<_, bool>(0),
        )
        .optional()?;
    let Some(was_current) = stored else {
        return Err(refused(write, "the run belongs to another workflow id"));
    };
    if was_current != row.current {
        take_current(conn, write, row)?;
        conn.prepare_cached("UPDATE executions SET current = ?2 WHERE number = ?1")?
            .execute(params![number, row.current])?;
    }
    let (before, after) = (Counted::stored(conn, number)?, Counted::of(key, row));
    if before != after {
        add_count(conn, &before, -1)?;
        add_count(conn, &after, 1)?;
    }
    let (parent, root) = relatives(write, row);
    conn.prepare_cached(
        "UPDATE executions SET status = ?2, workflow_type = ?3, task_queue = ?4, start_time = ?5, \
         execution_time = ?6, close_time = ?7, history_length = ?8, history_size = ?9, \
         state_transition_count = ?10, parent_workflow_id = ?11, parent_run_id = ?12, \
         root_workflow_id = ?13, root_run_id = ?14, division = ?15, memo = ?16, \
         search_attributes = ?17 WHERE number = ?1",
    )?
    .execute(params![
        number,
        row.status,
        row.workflow_type,
        row.task_queue,
        row.start_time,
        row.execution_time,
        row.close_time.unwrap_or(OPEN),
        row.history_length,
        row.history_size,
        row.state_transition_count,
        parent.map(|(id, _)| id),
        parent.map(|(_, run_id)| run_id),
        root.map(|(id, _)| id),
        root.map(|(_, run_id)| run_id),
        row.division,
        &row.memo[..],
        &row.search_attributes[..],
    ])?;
    update_attributes(conn, number, key, row)
}

/// Writes only the attributes that differ: most updates of a row change none, and each lies on two
/// pages.
fn update_attributes(conn: &Connection, number: i64, key: &ExecutionKey, row: &Row) -> Outcome {
    let new = attribute_rows(row)
        .into_iter()
        .map(|attribute| {
            let name = attribute_id(conn, key.namespace, &attribute)?;
            Ok((name, attribute.value))
        })
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut select =
        conn.prepare_cached("SELECT attribute, value FROM attributes WHERE execution = ?1")?;
    let old = select
        .query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, SqlValue)>>>()?;
    for (name, value) in old.iter().filter(|attribute| !new.contains(attribute)) {
        conn.prepare_cached(
            "DELETE FROM attributes WHERE execution = ?1 AND attribute = ?2 AND value = ?3",
        )?
        .execute(params![number, name, value])?;
    }
    for (name, value) in new.iter().filter(|attribute| !old.contains(attribute)) {
        insert_attribute(conn, number, key, *name, value)?;
    }
    Ok(())
}

fn insert_attribute(
    conn: &Connection,
    number: i64,
    key: &ExecutionKey,
    name: i64,
    value: &SqlValue,
) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO attributes (execution, attribute, value, run_id) \
         VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        number,
        name,
        value,
        key.run_id.as_bytes().as_slice()
    ])?;
    Ok(())
}

/// The number of a search attribute in its namespace; given to it when it is first used.
fn attribute_id(
    conn: &Connection,
    namespace: Uuid,
    attribute: &AttributeRow,
) -> rusqlite::Result<i64> {
    let key = params![
        namespace.as_bytes().as_slice(),
        attribute.name,
        attribute.type_number
    ];
    let known = conn
        .prepare_cached(
            "SELECT id FROM attribute_names WHERE namespace = ?1 AND name = ?2 AND type = ?3",
        )?
        .query_row(key, |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    conn.prepare_cached("INSERT INTO attribute_names (namespace, name, type) VALUES (?1, ?2, ?3)")?
        .execute(key)?;
    Ok(conn.last_insert_rowid())
}

/// Deletes every row that the execution ever caused.
fn delete(conn: &Connection, run_id: Uuid) -> Outcome {
    let Some(number) = number(conn, run_id)? else {
        return Ok(());
    };
    add_count(conn, &Counted::stored(conn, number)?, -1)?;
    for statement in [
        "DELETE FROM journal WHERE execution = ?1",
        "DELETE FROM snapshots WHERE execution = ?1",
        "DELETE FROM attributes WHERE execution = ?1",
        "DELETE FROM executions WHERE number = ?1",
    ] {
        conn.prepare_cached(statement)?.execute([number])?;
    }
    Ok(())
}
