//! What can go wrong in a store.

use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

/// A refusal or a failure of the store. Cheap to clone: one failed transaction answers many
/// callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The commit's epoch is not the shard's current one: somebody else owns the shard now, or the
    /// caller itself opened a later epoch. Nothing was written.
    #[error("epoch {epoch} of shard {shard} is not its current epoch ({current})")]
    Fenced {
        /// The shard of the refused batch.
        shard: u32,
        /// The epoch of the refused batch.
        epoch: u64,
        /// The shard's current epoch; 0 if it never had one.
        current: u64,
    },
    /// The write contradicts what is stored, or an earlier write to the same run was refused in
    /// this epoch. Nothing of its batch was written.
    #[error("conflict at run {run_id}: {cause}")]
    Conflict {
        /// The run of the offending write.
        run_id: Uuid,
        /// What contradicts what.
        cause: Arc<str>,
    },
    /// The transaction failed (disk full, input/output error), or one before it in the same shard
    /// and epoch did. The shard has to open a new epoch and reload.
    #[error("the store is unavailable: {cause}")]
    Unavailable {
        /// The cause, in the words of the database or the operating system.
        cause: Arc<str>,
    },
    /// The filter or the order cannot be answered: a value of the wrong type, an operation that the
    /// column does not have.
    #[error("invalid filter: {cause}")]
    InvalidFilter {
        /// What is wrong with it.
        cause: Arc<str>,
    },
    /// The page cursor is not one that this store gave out for the same order.
    #[error("invalid page cursor")]
    InvalidCursor,
    /// Another process has the database open.
    #[error(
        "{} is in use by another process; two servers cannot share one database file",
        path.display()
    )]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// The file is not a database, or is damaged.
    #[error("{} is not a usable database: {cause}", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// The cause, in the words of the database.
        cause: Arc<str>,
    },
    /// The file or its folder cannot be written.
    #[error("{} cannot be written: {cause}", path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
        /// Which of the two, and why.
        cause: Arc<str>,
    },
    /// The file is a sound database of some other program.
    #[error("{} is a database of another program", path.display())]
    Foreign {
        /// The database file.
        path: PathBuf,
    },
    /// The file was written by a newer version of this program.
    #[error(
        "{} has schema version {found}, but this version of the program knows only up to {known}",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The file could not be opened for another reason.
    #[error("{} cannot be opened: {cause}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// The cause, in the words of the database or the operating system.
        cause: Arc<str>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn unavailable(cause: impl std::fmt::Display) -> Self {
        Self::Unavailable {
            cause: cause.to_string().into(),
        }
    }

    pub(crate) fn conflict(run_id: Uuid, cause: &str) -> Self {
        Self::Conflict {
            run_id,
            cause: cause.into(),
        }
    }

    pub(crate) fn invalid_filter(cause: impl std::fmt::Display) -> Self {
        Self::InvalidFilter {
            cause: cause.to_string().into(),
        }
    }
}
