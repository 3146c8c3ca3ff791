//! The world outside of the workflows: a payment provider, an airline, a mail server.
//!
//! It is a folder of plain files, so that it outlives a killed worker and so that the demo can look
//! afterwards at what really happened, instead of believing what the workflows say.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use temporalio_sdk::activities::ActivityContext;

/// One request that an activity made to the outside world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// Which activity asked.
    pub activity: String,
    /// What it asked about: an order, a trip, an item.
    pub subject: String,
    /// The activity's attempt, from 1.
    pub attempt: u32,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// What happened, in words.
    pub text: String,
}

/// The folder with the files.
#[derive(Debug, Clone)]
pub struct World(PathBuf);

impl World {
    /// The variable that tells a worker which folder it is.
    pub const VARIABLE: &str = "SAMPLES_WORLD";

    /// A world in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The world that the environment names, or one in the folder for temporary files.
    pub fn from_env() -> Self {
        let folder = std::env::var_os(Self::VARIABLE).map(PathBuf::from);
        Self(folder.unwrap_or_else(|| std::env::temp_dir().join("steadfast-samples")))
    }

    /// Notes a request in the log of all requests, and prints it: this is the worker's live progress.
    pub fn note(&self, ctx: &ActivityContext, subject: &str, text: &str) -> io::Result<()> {
        let info = ctx.info();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let call = Call {
            activity: info.activity_type.clone(),
            subject: subject.to_owned(),
            attempt: info.attempt,
            at: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            text: text.to_owned(),
        };
        fs::create_dir_all(&self.0)?;
        let path = self.0.join("calls.jsonl");
        let mut log = OpenOptions::new().create(true).append(true).open(path)?;
        log.write_all(format!("{}\n", serde_json::to_string(&call)?).as_bytes())?;
        println!("{} {subject}, attempt {}: {text}", call.activity, call.attempt);
        Ok(())
    }

    /// Lets an effect take place once for its key: true if it has taken place now, false if it had before.
    /// This is what an idempotency key buys at a real provider. The file is created exclusively, so two
    /// callers at the same moment cannot both be first.
    pub fn once(&self, key: &str) -> io::Result<bool> {
        fs::create_dir_all(self.0.join("effects"))?;
        match File::create_new(self.0.join("effects").join(key)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the effect with this key has taken place.
    pub fn done(&self, key: &str) -> bool {
        self.0.join("effects").join(key).exists()
    }

    /// All requests so far, in order.
    pub fn calls(&self) -> io::Result<Vec<Call>> {
        let text = match fs::read_to_string(self.0.join("calls.jsonl")) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let lines = text.lines();
        lines.map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
    }

    /// The folder.
    pub fn folder(&self) -> &PathBuf {
        &self.0
    }
}

/// Stops here for good when the worker was started with this point in `SAMPLES_HOLD_AT` (a list with
/// commas), and says so. The demo then kills the process with SIGKILL: the moment at which a machine
/// dies, made repeatable.
pub async fn hold(point: &str) {
    let points = std::env::var("SAMPLES_HOLD_AT").unwrap_or_default();
    if points.split(',').any(|listed| listed == point) {
        println!("holding at {point}");
        std::future::pending::<()>().await;
    }
}
