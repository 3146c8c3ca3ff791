//! The floor's server as a child process, which ends with us.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cli::Options;
use crate::error::Error;

/// A running server of the floor, and the database that is removed with it.
pub(super) struct Child {
    process: std::process::Child,
    database: PathBuf,
    target: String,
}

impl Child {
    /// Starts this program again as the server.
    pub(super) fn start(options: &Options) -> Result<Self, Error> {
        let io = |source| Error::Io {
            what: "start the floor's server",
            source,
        };
        let database = options.floor_db.clone().unwrap_or_else(|| {
            std::env::temp_dir().join(format!("steadfast-floor-{}.db", uuid::Uuid::new_v4()))
        });
        let process = Command::new(std::env::current_exe().map_err(io)?)
            .args(["--scenario", "floor-server", "--floor-db"])
            .arg(&database)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(io)?;
        // From here on the child is killed when this is dropped.
        let mut child = Self {
            process,
            database,
            target: String::new(),
        };
        let mut line = String::new();
        if let Some(output) = child.process.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(io)?;
        }
        let port: u16 = line
            .trim()
            .parse()
            .map_err(|_| Error::Unusable(String::from("the floor's server did not start")))?;
        child.target = format!("127.0.0.1:{port}");
        Ok(child)
    }

    /// Where it listens.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to do about that.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.database.clone().into_os_string();
            path.push(suffix);
            let _ = std::fs::remove_file(path);
        }
    }
}
