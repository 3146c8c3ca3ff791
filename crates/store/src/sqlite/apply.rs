//! One write as statements inside the writer's transaction.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use uuid::Uuid;

use super::known::{Counted, Known, Memory, bare};
use super::row::{attribute_rows, uuid};
use super::schema::OPEN;
use crate::error::StoreError;
use crate::model::{ExecutionKey, Row, Write};

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
pub(super) fn write(conn: &Connection, memory: &mut Memory, write: &Write) -> Outcome {
    statements(conn, memory, write).map_err(|failure| match failure {
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

fn statements(conn: &Connection, memory: &mut Memory, write: &Write) -> Outcome {
    let run_id = write.key.run_id;
    let parts = write.record.is_some()
        || write.snapshot.is_some()
        || write.row.is_some()
        || write.wake_at.is_some();
    if write.delete {
        return if parts {
            Err(refused(write, "a deletion with other parts"))
        } else {
            delete(conn, memory, run_id)
        };
    }
    if !parts {
        return Ok(());
    }
    let begins = write.record.as_ref().is_some_and(|record| record.seq == 1);
    match &write.row {
        Some(row) if begins => insert_row(conn, memory, write, row)?,
        None if begins => return Err(refused(write, "record 1 without a row")),
        Some(row) => update_row(conn, memory, write, row)?,
        None => {}
    }
    let known = memory.run(conn, run_id)?;
    let known = known.ok_or_else(|| refused(write, "no such execution"))?;
    if let Some(record) = &write.record {
        if !begins && record.seq.checked_sub(1) != Some(known.seq) {
            return Err(refused(write, "not the next record"));
        }
        conn.prepare_cached("INSERT INTO journal (execution, seq, bytes) VALUES (?1, ?2, ?3)")?
            .execute(params![
                known.number,
                integer(record.seq),
                &record.bytes[..]
            ])?;
        known.seq = record.seq;
    }
    if let Some(snapshot) = &write.snapshot {
        if !(1..=known.seq).contains(&snapshot.seq) {
            return Err(refused(write, "a snapshot of records that are not there"));
        }
        conn.prepare_cached(
            "INSERT OR REPLACE INTO snapshots (execution, seq, bytes) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            known.number,
            integer(snapshot.seq),
            &snapshot.bytes[..]
        ])?;
    }
    if let Some(wake_at) = write.wake_at
        && wake_at != known.wake_at
    {
        conn.prepare_cached("UPDATE executions SET wake_at = ?2 WHERE number = ?1")?
            .execute(params![known.number, wake_at])?;
        known.wake_at = wake_at;
    }
    Ok(())
}

/// Numbers that no journal reaches are kept where they contradict every journal.
fn integer(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Inserts the row, with which the execution gets its number.
fn insert_row(conn: &Connection, memory: &mut Memory, write: &Write, row: &Row) -> Outcome {
    let key = &write.key;
    take_current(conn, memory, write, row)?;
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
    memory.count(Counted::of(key.namespace, row), 1);
    let attributes = named_attributes(conn, memory, key, row)?;
    for (name, value) in &attributes {
        insert_attribute(conn, number, key, *name, value)?;
    }
    memory.learn(Known {
        key: key.clone(),
        number,
        seq: 0,
        row: bare(row),
        wake_at: write.wake_at.flatten(),
        attributes,
    });
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
fn take_current(
    conn: &Connection,
    memory: &mut Memory,
    write: &Write,
    row: &Row,
) -> rusqlite::Result<()> {
    if !row.current {
        return Ok(());
    }
    // Not one update: it would build a table of the rows first, as it changes the index that it reads.
    let other = conn
        .prepare_cached(
            "SELECT number, run_id FROM executions \
             WHERE namespace = ?1 AND workflow_id = ?2 AND kind = ?4 AND current = 1 AND run_id <> ?3",
        )?
        .query_row(
            params![
                write.key.namespace.as_bytes().as_slice(),
                write.key.workflow_id,
                write.key.run_id.as_bytes().as_slice(),
                write.key.kind
            ],
            |row| Ok((row.get(0)?, uuid(row, 1)?)),
        )
        .optional()?;
    if let Some((number, run_id)) = other {
        set_current(conn, number, false)?;
        memory.lost_current(run_id);
    }
    Ok(())
}

fn set_current(conn: &Connection, number: i64, current: bool) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE executions SET current = ?2 WHERE number = ?1")?
        .execute(params![number, current])?;
    Ok(())
}

/// Which columns a new row changes; an update that names a column costs each index that it is in.
#[derive(PartialEq)]
enum Change {
    /// None that an index has: a workflow in progress.
    Figures,
    /// Also its status or close time; a run that closes wants to be looked at at another time, too.
    Status,
    /// Any.
    All,
}

impl Change {
    fn between(old: &Row, new: &Row) -> Self {
        let fixed = |row: &Row| {
            let relatives = (row.parent.clone(), row.root.clone());
            (row.start_time, row.division.clone(), relatives)
        };
        if old.workflow_type != new.workflow_type
            || old.task_queue != new.task_queue
            || fixed(old) != fixed(new)
        {
            Self::All
        } else if (old.status, old.close_time) != (new.status, new.close_time) {
            Self::Status
        } else {
            Self::Figures
        }
    }
}

/// The columns of the key are not set, and `current` only when it changes, so that the update
/// leaves their index alone: workflow ids lie anywhere in it, and each touch would cost a page of
/// its own.
fn update_row(conn: &Connection, memory: &mut Memory, write: &Write, row: &Row) -> Outcome {
    let key = &write.key;
    let known = memory.run(conn, key.run_id)?;
    let known = known.ok_or_else(|| refused(write, "no such execution"))?;
    if known.key != *key {
        return Err(refused(write, "the run belongs to another workflow id"));
    }
    let number = known.number;
    let wake_at = write.wake_at.unwrap_or(known.wake_at);
    let old = std::mem::replace(&mut known.row, bare(row));
    let change = Change::between(&old, row);
    if change != Change::Figures {
        known.wake_at = wake_at;
    }
    if old.current != row.current {
        take_current(conn, memory, write, row)?;
        set_current(conn, number, row.current)?;
    }
    let counted = |row| Counted::of(key.namespace, row);
    if counted(&old) != counted(row) {
        memory.count(counted(&old), -1);
        memory.count(counted(row), 1);
    }
    let (close_time, memo) = (row.close_time.unwrap_or(OPEN), &row.memo[..]);
    let search_attributes = &row.search_attributes[..];
    if change == Change::Figures {
        conn.prepare_cached(
            "UPDATE executions SET execution_time = ?2, history_length = ?3, history_size = ?4, \
             state_transition_count = ?5, memo = ?6, search_attributes = ?7 WHERE number = ?1",
        )?
        .execute(params![
            number,
            row.execution_time,
            row.history_length,
            row.history_size,
            row.state_transition_count,
            memo,
            search_attributes,
        ])?;
    } else {
        conn.prepare_cached(
            "UPDATE executions SET execution_time = ?2, history_length = ?3, history_size = ?4, \
             state_transition_count = ?5, memo = ?6, search_attributes = ?7, status = ?8, \
             close_time = ?9, wake_at = ?10 WHERE number = ?1",
        )?
        .execute(params![
            number,
            row.execution_time,
            row.history_length,
            row.history_size,
            row.state_transition_count,
            memo,
            search_attributes,
            row.status,
            close_time,
            wake_at,
        ])?;
    }
    if change == Change::All {
        let (parent, root) = relatives(write, row);
        conn.prepare_cached(
            "UPDATE executions SET workflow_type = ?2, task_queue = ?3, start_time = ?4, \
             parent_workflow_id = ?5, parent_run_id = ?6, root_workflow_id = ?7, \
             root_run_id = ?8, division = ?9 WHERE number = ?1",
        )?
        .execute(params![
            number,
            row.workflow_type,
            row.task_queue,
            row.start_time,
            parent.map(|(id, _)| id),
            parent.map(|(_, run_id)| run_id),
            root.map(|(id, _)| id),
            root.map(|(_, run_id)| run_id),
            row.division,
        ])?;
    }
    update_attributes(conn, memory, number, key, row)
}

/// Writes only the attributes that differ: most updates of a row change none, and each lies on two
/// pages.
fn update_attributes(
    conn: &Connection,
    memory: &mut Memory,
    number: i64,
    key: &ExecutionKey,
    row: &Row,
) -> Outcome {
    let new = named_attributes(conn, memory, key, row)?;
    let Some(known) = memory.run(conn, key.run_id)? else {
        return Ok(());
    };
    let old = &known.attributes;
    for (name, value) in old.iter().filter(|attribute| !new.contains(attribute)) {
        conn.prepare_cached(
            "DELETE FROM attributes WHERE execution = ?1 AND attribute = ?2 AND value = ?3",
        )?
        .execute(params![number, name, value])?;
    }
    for (name, value) in new.iter().filter(|attribute| !old.contains(attribute)) {
        insert_attribute(conn, number, key, *name, value)?;
    }
    known.attributes = new;
    Ok(())
}

/// The attributes of a row, with the numbers of their names.
fn named_attributes(
    conn: &Connection,
    memory: &mut Memory,
    key: &ExecutionKey,
    row: &Row,
) -> rusqlite::Result<Vec<(i64, SqlValue)>> {
    attribute_rows(row)
        .into_iter()
        .map(|attribute| {
            let name = memory.attribute(conn, key.namespace, &attribute)?;
            Ok((name, attribute.value))
        })
        .collect()
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

/// Deletes every row that the execution ever caused.
fn delete(conn: &Connection, memory: &mut Memory, run_id: Uuid) -> Outcome {
    let Some(known) = memory.run(conn, run_id)? else {
        return Ok(());
    };
    let number = known.number;
    let counted = Counted::of(known.key.namespace, &known.row);
    memory.count(counted, -1);
    memory.remove(run_id);
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
