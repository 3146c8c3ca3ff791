//! What can keep a run from being made. What the server did wrong is a finding, not an error.

use std::io;

use tonic::Status;

/// A run that could not be made or finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server is not there to be tested.
    #[error(
        "no server at {0}: build it with `cargo build --package steadfast`, or set STEADFAST_BIN"
    )]
    NoServer(String),
    /// The server ended before it served.
    #[error("the server did not start ({status}): {stderr}")]
    Start {
        /// How it ended.
        status: String,
        /// What it said.
        stderr: String,
    },
    /// Something did not happen in time.
    #[error("waited in vain: {0}")]
    Late(String),
    /// The server refused what it should have taken.
    #[error("{method}: {status}")]
    Call {
        /// The RPC.
        method: &'static str,
        /// Its answer.
        status: Box<Status>,
    },
    /// The machine failed, not the server.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The database file cannot be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

impl Error {
    /// For `map_err`.
    pub fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
