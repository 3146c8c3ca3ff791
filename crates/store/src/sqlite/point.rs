//! Reads of one execution or one key, and scans for wakes.

use std::ops::Range;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::row::{COLUMNS, NUMBER, blob, read, read_key, unsigned};
use crate::model::{Check, ExecutionKey, Loaded, RecordRange, Snapshot, Wake, WakeCursor};

pub(super) fn current(
    conn: &Connection,
    namespace: Uuid,
    kind: u8,
    workflow_id: &str,
) -> rusqlite::Result<Option<ExecutionKey>> {
    conn.prepare_cached(
        "SELECT run_id, namespace, workflow_id, slot, kind FROM executions \
         WHERE namespace = ?1 AND workflow_id = ?2 AND kind = ?3 AND current = 1",
    )?
    .query_row(
        params![namespace.as_bytes().as_slice(), workflow_id, kind],
        read_key,
    )
    .optional()
}

pub(super) fn find(
    conn: &Connection,
    namespace: Uuid,
    kind: u8,
    workflow_id: &str,
    run_id: Uuid,
) -> rusqlite::Result<Option<ExecutionKey>> {
    conn.prepare_cached(
        "SELECT run_id, namespace, workflow_id, slot, kind FROM executions \
         WHERE run_id = ?1 AND namespace = ?2 AND workflow_id = ?3 AND kind = ?4",
    )?
    .query_row(
        params![
            run_id.as_bytes().as_slice(),
            namespace.as_bytes().as_slice(),
            workflow_id,
            kind
        ],
        read_key,
    )
    .optional()
}

pub(super) fn load(conn: &Connection, run_id: Uuid) -> rusqlite::Result<Option<Loaded>> {
    let execution = conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM executions AS e WHERE e.run_id = ?1"
        ))?
        .query_row([run_id.as_bytes().as_slice()], |row| {
            Ok((row.get(NUMBER)?, read(row)?))
        })
        .optional()?;
    let Some((number, (key, row, wake_at))) = execution else {
        return Ok(None);
    };
    let snapshot = conn
        .prepare_cached("SELECT seq, bytes FROM snapshots WHERE execution = ?1")?
        .query_row([&number], |row| {
            Ok(Snapshot {
                seq: unsigned(row, 0)?,
                bytes: blob(row, 1)?,
            })
        })
        .optional()?;
    let range = RecordRange {
        from: snapshot.as_ref().map_or(0, |snapshot| snapshot.seq) + 1,
        to: u64::MAX,
        count_max: usize::MAX,
        bytes_max: usize::MAX,
        reverse: false,
    };
    let records = records_of(conn, number, range)?;
    Ok(Some(Loaded {
        key,
        snapshot,
        records,
        row,
        wake_at,
    }))
}

pub(super) fn records(
    conn: &Connection,
    run_id: Uuid,
    range: RecordRange,
) -> rusqlite::Result<Vec<(u64, Bytes)>> {
    match number(conn, run_id)? {
        Some(number) => records_of(conn, number, range),
        None => Ok(Vec::new()),
    }
}

/// The number of a run, if there is one.
pub(super) fn number(conn: &Connection, run_id: Uuid) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT number FROM executions WHERE run_id = ?1")?
        .query_row([run_id.as_bytes().as_slice()], |row| row.get(0))
        .optional()
}

fn records_of(
    conn: &Connection,
    number: i64,
    range: RecordRange,
) -> rusqlite::Result<Vec<(u64, Bytes)>> {
    let integer = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(if range.reverse {
        "SELECT seq, bytes FROM journal WHERE execution = ?1 AND seq BETWEEN ?2 AND ?3 \
         ORDER BY seq DESC"
    } else {
        "SELECT seq, bytes FROM journal WHERE execution = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq"
    })?;
    let mut rows = statement.query(params![number, integer(range.from), integer(range.to)])?;
    let mut records = Vec::new();
    let mut size = 0_usize;
    while records.len() < range.count_max
        && let Some(row) = rows.next()?
    {
        size = size.saturating_add(row.get_ref(1)?.as_blob()?.len());
        if size > range.bytes_max && !records.is_empty() {
            break;
        }
        records.push((unsigned(row, 0)?, blob(row, 1)?));
    }
    Ok(records)
}

pub(super) fn wakes(
    conn: &Connection,
    slots: &Range<u16>,
    before: i64,
    after: Option<WakeCursor>,
    limit: usize,
) -> rusqlite::Result<Vec<Wake>> {
    // Without a cursor: behind a place before the first. No run has the nil id.
    let after = after.unwrap_or(WakeCursor {
        wake_at: i64::MIN,
        run_id: Uuid::nil(),
    });
    conn.prepare_cached(
        "SELECT run_id, namespace, workflow_id, slot, kind, wake_at FROM executions \
         WHERE (wake_at, run_id) > (?1, ?2) AND wake_at < ?3 AND slot >= ?4 AND slot < ?5 \
         ORDER BY wake_at, run_id LIMIT ?6",
    )?
    .query_map(
        params![
            after.wake_at,
            after.run_id.as_bytes().as_slice(),
            before,
            slots.start,
            slots.end,
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        |row| {
            Ok(Wake {
                key: read_key(row)?,
                wake_at: row.get(5)?,
            })
        },
    )?
    .collect()
}

pub(super) fn meta_get(conn: &Connection, key: &str) -> rusqlite::Result<Option<Bytes>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| blob(row, 0))
        .optional()
}

pub(super) fn meta_scan(conn: &Connection, prefix: &str) -> rusqlite::Result<Vec<(String, Bytes)>> {
    let mut statement =
        conn.prepare_cached("SELECT key, value FROM meta WHERE key >= ?1 ORDER BY key")?;
    let mut rows = statement.query([prefix])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        found.push((key, blob(row, 1)?));
    }
    Ok(found)
}

/// Combinations that are not counted as they are.
const MISCOUNTED: &str = "SELECT (SELECT count(*) FROM ( \
    SELECT namespace, ifnull(division, 0), workflow_type, task_queue, \
    close_time = 9223372036854775807, status, count(*) FROM executions GROUP BY 1, 2, 3, 4, 5, 6 \
    EXCEPT SELECT namespace, division, workflow_type, task_queue, open, status, count FROM counts \
    )) + (SELECT count(*) FROM ( \
    SELECT namespace, division, workflow_type, task_queue, open, status FROM counts \
    EXCEPT SELECT namespace, ifnull(division, 0), workflow_type, task_queue, \
    close_time = 9223372036854775807, status FROM executions))";

pub(super) fn check(conn: &Connection) -> rusqlite::Result<Check> {
    let count = |sql: &str| conn.query_row(sql, (), |row| unsigned(row, 0));
    let orphans = |table: &str| {
        count(&format!(
            "SELECT count(*) FROM {table} AS t WHERE NOT EXISTS \
             (SELECT 1 FROM executions AS e WHERE e.number = t.execution)"
        ))
    };
    Ok(Check {
        executions: count("SELECT count(*) FROM executions")?,
        records: count("SELECT count(*) FROM journal")?,
        orphans: orphans("journal")?
            + orphans("snapshots")?
            + orphans("attributes")?
            + count(MISCOUNTED)?,
        gaps: count(
            "SELECT count(*) FROM executions AS e WHERE (SELECT count(*) = 0 OR min(seq) <> 1 OR \
             max(seq) <> count(*) OR max(seq) < ifnull((SELECT s.seq FROM snapshots AS s \
             WHERE s.execution = e.number), 0) FROM journal AS j WHERE j.execution = e.number)",
        )?,
        doubles: count(
            "SELECT count(*) FROM (SELECT 1 FROM executions WHERE current = 1 \
             GROUP BY namespace, workflow_id, kind HAVING count(*) > 1)",
        )?,
    })
}
