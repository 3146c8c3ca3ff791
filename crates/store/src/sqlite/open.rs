//! Opening the file: who may, in which state it is, and the settings of each connection.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema;
use crate::error::StoreError;

/// Small, since a commit writes every page whole that it touches, and most of what it touches are a
/// few bytes each in scattered places. Measured with `examples/bytes_written` (200 workflows in
/// flight, 55 transitions to a commit): 18.7 KB per workflow of five transitions, against 22.7 with
/// 2 KiB and 28.5 with 4 KiB. The file is 15 % larger for it.
pub(super) const PAGE_SIZE: u32 = 1024;

/// No database file has a smaller page, and none has less than one.
const PAGE_SIZE_MIN: u64 = 512;

/// How long a statement waits for another process that is just looking at or copying the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection is for, and so how much of the file it keeps in memory (KiB).
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Commits: the pages that the next commits will touch again.
    Write,
    /// Point reads; several of these.
    Read,
    /// Copies pages from the log into the file; has no use for a cache.
    Checkpoint,
}

impl Purpose {
    fn cache_kib(self) -> i64 {
        match self {
            Self::Write => 4096,
            Self::Read => 1024,
            Self::Checkpoint => 64,
        }
    }
}

/// Keeps every other process out, until it is dropped.
///
/// An advisory lock on a file beside the database: SQLite's own locks allow several processes, and
/// a lock on the database file itself would be lost whenever SQLite closes one of its handles to
/// it.
#[derive(Debug)]
pub(super) struct ProcessLock {
    _file: File,
}

/// Locks the file, finds out what it is, and brings it to the newest schema.
pub(super) fn open(path: &Path) -> Result<(Connection, ProcessLock), StoreError> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|cause| io_error(path, &cause))?;
    }
    check_file(path)?;
    let lock = lock(path)?;
    let conn = prepare(path).map_err(|cause| open_error(path, &cause))??;
    Ok((conn, lock))
}

/// SQLite would open a read-only file quietly and fail only at the first write, and would take a
/// very short file for an empty one and write over it.
fn check_file(path: &Path) -> Result<(), StoreError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(io_error(path, &cause)),
    };
    if metadata.is_dir() {
        return Err(StoreError::Open {
            path: path.into(),
            cause: "it is a folder".into(),
        });
    }
    if metadata.permissions().readonly() {
        let cause = "the file is read-only".into();
        return Err(StoreError::ReadOnly {
            path: path.into(),
            cause,
        });
    }
    if (1..PAGE_SIZE_MIN).contains(&metadata.len()) {
        let cause = "it is too short".into();
        return Err(StoreError::Corrupt {
            path: path.into(),
            cause,
        });
    }
    Ok(())
}

fn lock(path: &Path) -> Result<ProcessLock, StoreError> {
    // Whatever links lead to it, it is one file.
    let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let mut name = file.into_os_string();
    name.push("-lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(|cause| io_error(path, &cause))?;
    match file.try_lock() {
        Ok(()) => Ok(ProcessLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.into() }),
        Err(TryLockError::Error(cause)) => Err(io_error(path, &cause)),
    }
}

fn prepare(path: &Path) -> rusqlite::Result<Result<Connection, StoreError>> {
    let mut conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    // Takes effect only while the file is empty.
    conn.pragma_update(None, "page_size", PAGE_SIZE)?;
    let found = match version(&conn)? {
        Found::Ours(version) if version > schema::VERSION => {
            return Ok(Err(StoreError::Newer {
                path: path.into(),
                found: version,
                known: schema::VERSION,
            }));
        }
        Found::Ours(version) => version,
        Found::Empty => 0,
        Found::Foreign => return Ok(Err(StoreError::Foreign { path: path.into() })),
    };
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let cause = "the file system does not support a write-ahead log".into();
        return Ok(Err(StoreError::Open {
            path: path.into(),
            cause,
        }));
    }
    configure(&mut conn, Purpose::Write)?;
    schema::migrate(&mut conn, found)?;
    Ok(Ok(conn))
}

enum Found {
    Empty,
    Ours(u32),
    Foreign,
}

fn version(conn: &Connection) -> rusqlite::Result<Found> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application_id = pragma("application_id")?;
    let user_version = pragma("user_version")?;
    if application_id == schema::APPLICATION_ID {
        return Ok(Found::Ours(u32::try_from(user_version).unwrap_or(u32::MAX)));
    }
    let empty = conn.query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| {
        row.get(0)
    })?;
    Ok(if empty && application_id == 0 && user_version == 0 {
        Found::Empty
    } else {
        Found::Foreign
    })
}

/// One more connection to a file that [`open`] has prepared.
pub(super) fn connect(path: &Path, purpose: Purpose) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    configure(&mut conn, purpose)?;
    Ok(conn)
}

fn configure(conn: &mut Connection, purpose: Purpose) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(64);
    // Every commit reaches the disk before it is acknowledged.
    conn.pragma_update(None, "synchronous", "FULL")?;
    // Checkpoints have a thread of their own.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    // Negative: KiB.
    conn.pragma_update(None, "cache_size", -purpose.cache_kib())?;
    conn.pragma_update(None, "query_only", matches!(purpose, Purpose::Read))?;
    if matches!(purpose, Purpose::Read) {
        super::compile::add_functions(conn)?;
    }
    Ok(())
}

fn io_error(path: &Path, cause: &std::io::Error) -> StoreError {
    let text = cause.to_string().into();
    match cause.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly {
            path: path.into(),
            cause: text,
        },
        _ => StoreError::Open {
            path: path.into(),
            cause: text,
        },
    }
}

/// What a failure while opening means to the caller.
pub(super) fn open_error(path: &Path, cause: &rusqlite::Error) -> StoreError {
    let text = cause.to_string().into();
    let path = path.into();
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Corrupt { path, cause: text }
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::ReadOnly { path, cause: text }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        _ => StoreError::Open { path, cause: text },
    }
}

/// What a failed read means to the caller.
pub(super) fn read_error(path: &Path, cause: &rusqlite::Error) -> StoreError {
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => open_error(path, cause),
        _ => StoreError::unavailable(cause),
    }
}
