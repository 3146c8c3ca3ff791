//! Checkpoints: pages go from the log into the file, away from the path of commits.
//!
//! A thread with its own connection copies the bulk and waits for the disk, while commits go on.
//! But a log is only begun anew once all of it has been copied, and under steady load there is
//! always a little more; so the thread then asks the writer, which copies that little rest between
//! two commits.
//!
//! The log is rather long on purpose: a page that many commits touched is copied once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::open::{PAGE_SIZE, Purpose, connect};
use super::writer::Item;

/// How long the log is when a checkpoint is due. After a crash so much has to be read at most, give
/// or take what came in during a checkpoint.
const LOG_BYTES: u32 = 16 << 20;

const LOG_PAGES: u32 = LOG_BYTES / PAGE_SIZE;

/// The writer's end.
pub(super) struct Checkpointer {
    /// Pages in the log after the last commit.
    log_pages: Arc<AtomicU32>,
    /// With how many the next checkpoint starts.
    due_at: u32,
    running: bool,
    /// The thread has copied its part.
    copied: Arc<AtomicBool>,
    wake: Sender<()>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    pub(super) fn start(
        conn: &mut Connection,
        path: &Path,
        writer: Sender<Item>,
    ) -> rusqlite::Result<Self> {
        let (wake, woken) = channel();
        let own = connect(path, Purpose::Checkpoint)?;
        let copied = Arc::<AtomicBool>::default();
        let tell = copied.clone();
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || run(&own, &woken, &tell, &writer))
            .map_err(|cause| rusqlite::Error::UserFunctionError(Box::new(cause)))?;
        let checkpointer = Self {
            log_pages: Arc::default(),
            due_at: LOG_PAGES,
            running: false,
            copied,
            wake,
            thread,
        };
        checkpointer.watch(conn)?;
        Ok(checkpointer)
    }

    /// Has the writer's connection tell how long the log is.
    pub(super) fn watch(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        let log_pages = self.log_pages.clone();
        conn.wal_hook(Some(move |_: &mut _, pages: i32| {
            log_pages.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))
    }

    /// Between two commits: looks whether there is something to do.
    pub(super) fn turn(&mut self, conn: &Connection) {
        if self.copied.swap(false, Ordering::Relaxed) {
            self.finish(conn);
        }
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < LOG_PAGES {
            self.due_at = LOG_PAGES;
        }
        if pages >= self.due_at && !self.running {
            self.running = self.wake.send(()).is_ok();
        }
    }

    /// Copies the rest. If a long read still needs the old log, it grows on, and the next try comes
    /// when it is longer by as much again.
    fn finish(&mut self, conn: &Connection) {
        self.running = false;
        checkpoint(conn);
        self.due_at = self
            .log_pages
            .load(Ordering::Relaxed)
            .saturating_add(LOG_PAGES);
    }

    pub(super) fn stop(self) {
        drop(self.wake);
        // It can only have panicked, and its connection is closed all the same.
        drop(self.thread.join());
    }
}

fn run(conn: &Connection, woken: &Receiver<()>, copied: &AtomicBool, writer: &Sender<Item>) {
    while woken.recv().is_ok() {
        checkpoint(conn);
        // A busy writer sees it after its next commit, an idle one has to be woken.
        copied.store(true, Ordering::Relaxed);
        if writer.send(Item::FinishCheckpoint).is_err() {
            return;
        }
    }
}

/// A checkpoint that waits for nobody. If it fails (a full disk), the log stays as it is and the
/// next one does the work.
fn checkpoint(conn: &Connection) {
    let done = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
    if let Err(cause) = done {
        tracing::warn!(%cause, "a checkpoint failed");
    }
}
