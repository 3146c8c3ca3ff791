//! Group commit: one thread takes all that waits, and commits it in one SQLite transaction.

use std::path::Path;
use std::thread;

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;

/// Bytes to commit, and who waits for it. The answer tells whether they are durable.
pub(super) type Write = (Bytes, oneshot::Sender<bool>);

/// Writes that can wait before a caller has to.
const WAITING_MAX: usize = 10_000;

/// Opens the database and starts the thread; it ends when the last sender is gone.
pub(super) fn start(path: &Path) -> Result<mpsc::Sender<Write>, Error> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, bytes BLOB)")?;
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    thread::spawn(move || commit_all(connection, receiver));
    Ok(sender)
}

fn commit_all(mut connection: Connection, mut writes: mpsc::Receiver<Write>) {
    let mut group = Vec::new();
    while writes.blocking_recv_many(&mut group, WAITING_MAX) > 0 {
        let durable = commit(&mut connection, &group).is_ok();
        for (_, waiting) in group.drain(..) {
            // A caller that is gone needs no answer.
            let _ = waiting.send(durable);
        }
    }
}

fn commit(connection: &mut Connection, group: &[Write]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached("INSERT INTO record (bytes) VALUES (?1)")?;
        for (bytes, _) in group {
            insert.execute([&bytes[..]])?;
        }
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_answered_is_in_the_database() {
        let name = format!("steadfast-loadgen-{}.db", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let writes = start(&path).expect("the database opens");
        let mut answers = Vec::new();
        for _ in 0..10 {
            let (sender, receiver) = oneshot::channel();
            writes
                .send((Bytes::from_static(b"abc"), sender))
                .await
                .expect("the thread runs");
            answers.push(receiver);
        }
        for answer in answers {
            assert_eq!(answer.await, Ok(true));
        }
        let read = Connection::open(&path).expect("the database opens");
        let sum: i64 = read
            .query_row("SELECT sum(length(bytes)) FROM record", [], |row| {
                row.get(0)
            })
            .expect("the table is there");
        assert_eq!(sum, 30);
        drop((read, writes));
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
    }
}
