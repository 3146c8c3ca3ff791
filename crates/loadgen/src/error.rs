//! What can end a run early. A wrong result is no error: it is an anomaly, and is counted.

use std::time::Duration;

/// Why a run, or one step of it, could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The target is no address.
    #[error("the target {target:?} is not an address")]
    Target {
        /// What was given.
        target: String,
    },
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[from] tonic::transport::Error),
    /// A call was refused or broke.
    #[error("{method}: {:?}: {}", status.code(), status.message())]
    Call {
        /// The name of the method.
        method: &'static str,
        /// What the server said.
        status: tonic::Status,
    },
    /// Something expected did not come in time.
    #[error("waited {} s in vain for {what}", waited.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
    },
    /// A file or process could not be read.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The floor's database failed.
    #[error("floor database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The options or the server's answers make no sense together.
    #[error("{0}")]
    Unusable(String),
}

impl Error {
    /// The status code, if it was a call that failed.
    pub(crate) fn code(&self) -> Option<tonic::Code> {
        match self {
            Self::Call { status, .. } => Some(status.code()),
            _ => None,
        }
    }
}
