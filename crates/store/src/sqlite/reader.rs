//! Connections for reading.
//!
//! Point reads cost some ten µs and are done where they are asked for. Scans may take longer, so
//! they have threads of their own: a few, so that no list, however slow, takes the machine from the
//! commits. Scans for wakes have one to themselves: a deadline never queues behind a list.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::open::{Purpose, connect, read_error};
use crate::Answer;
use crate::error::StoreError;

/// Connections that are kept for point reads; more are opened when more threads read at once.
const IDLE_MAX: usize = 4;

const LIST_THREADS: usize = 2;

/// A scan looks whether anybody still waits for it, each time it has done so many steps.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Which threads do a scan.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    Lists,
    Wakes,
}

/// All that reads.
pub(super) struct Readers {
    path: PathBuf,
    /// `None` once the store is closed.
    idle: Mutex<Option<Vec<Connection>>>,
    /// `None` once the store is closed, which ends the threads.
    lanes: Mutex<Option<Lanes>>,
    /// The store is being closed: scans are given up.
    closing: Arc<AtomicBool>,
}

struct Lanes {
    lists: Sender<Job>,
    wakes: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> std::io::Result<Self> {
        let mut threads = Vec::new();
        let lanes = Lanes {
            lists: start_threads(path, "store-list", LIST_THREADS, &mut threads)?,
            wakes: start_threads(path, "store-wakes", 1, &mut threads)?,
            threads,
        };
        Ok(Self {
            path: path.into(),
            idle: Mutex::new(Some(Vec::new())),
            lanes: Mutex::new(Some(lanes)),
            closing: Arc::default(),
        })
    }

    /// Reads at once, in one transaction: all of it sees the same state.
    pub(super) fn point<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().as_mut().ok_or(StoreError::Closed)?.pop();
        let error = |cause| read_error(&self.path, &cause);
        let conn = match idle {
            Some(conn) => conn,
            None => connect(&self.path, Purpose::Read).map_err(error)?,
        };
        let answer = in_transaction(&conn, read).map_err(error)?;
        if let Some(idle) = &mut *self.idle()
            && idle.len() < IDLE_MAX
        {
            idle.push(conn);
        }
        Ok(answer)
    }

    /// Reads on a thread of the lane. The scan is given up when the answer is dropped.
    pub(super) fn scan<T: Send + 'static>(
        &self,
        lane: Lane,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let waiting = Arc::new(());
        let watch = Arc::downgrade(&waiting);
        let (path, closing) = (self.path.clone(), self.closing.clone());
        let job: Job = Box::new(move |conn| {
            if reply.is_closed() {
                return;
            }
            let closes = closing.clone();
            let given_up = move || watch.strong_count() == 0 || closes.load(Ordering::Relaxed);
            let answer = conn
                .progress_handler(STEPS_BETWEEN_LOOKS, Some(given_up))
                .map_err(Failure::from)
                .and_then(|()| {
                    // All of it sees the same state.
                    let transaction = conn.unchecked_transaction()?;
                    let answer = read(&transaction)?;
                    transaction.commit()?;
                    Ok(answer)
                })
                .map_err(|failure| match closing.load(Ordering::Relaxed) {
                    true => StoreError::Closed,
                    false => failure.into_error(&path),
                });
            // Nobody may wait any more.
            drop(reply.send(answer));
        });
        if let Some(lanes) = &*self.lanes.lock().unwrap_or_else(PoisonError::into_inner) {
            let lane = match lane {
                Lane::Lists => &lanes.lists,
                Lane::Wakes => &lanes.wakes,
            };
            // If the thread is gone, the job is dropped and with it the reply.
            drop(lane.send(job));
        }
        Box::pin(async move {
            let _waiting = waiting;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Gives up what is being read and lets go of all connections. The last are gone when these
    /// threads have ended.
    pub(super) fn close(&self) -> Vec<JoinHandle<()>> {
        self.closing.store(true, Ordering::Relaxed);
        *self.idle() = None;
        let lanes = self
            .lanes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        lanes.map(|lanes| lanes.threads).unwrap_or_default()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a scan has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl Failure {
    fn into_error(self, path: &Path) -> StoreError {
        match self {
            Self::Sql(cause) => read_error(path, &cause),
            Self::Store(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sql(cause)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn in_transaction<T>(
    conn: &Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = conn.unchecked_transaction()?;
    let answer = read(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}

fn start_threads(
    path: &Path,
    name: &str,
    count: usize,
    threads: &mut Vec<JoinHandle<()>>,
) -> std::io::Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..count {
        let (path, jobs) = (path.to_owned(), jobs.clone());
        let thread = std::thread::Builder::new().name(name.into());
        threads.push(thread.spawn(move || work(&path, &jobs))?);
    }
    Ok(sender)
}

/// Works off jobs until the store is closed. The connection is opened for the first job.
fn work(path: &Path, jobs: &Mutex<Receiver<Job>>) {
    let mut conn = None;
    loop {
        // The guard lives for this statement only: one thread waits for a job, the others for the
        // lock.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if conn.is_none() {
            conn = match connect(path, Purpose::Read) {
                Ok(conn) => Some(conn),
                Err(cause) => {
                    // Dropping the job answers it.
                    tracing::error!(%cause, "no connection for a scan");
                    None
                }
            };
        }
        if let Some(conn) = &mut conn {
            job(conn);
        }
    }
}
