//! What happens on a full disk: commits until one fails, then waits for room and goes on.
//!
//! `cargo run -p steadfast-store --example full_disk -- FOLDER` on a small file system, for
//! instance a tmpfs. The example fills what is left with a file of its own, and removes it again.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers"
)]

mod support;

use std::path::PathBuf;

use steadfast_store::{
    Batch, Bytes, ExecutionKey, NewRecord, Row, SqliteStore, Store, StoreError, Uuid, Write,
};

use support::wait;

fn write(run: u128, seq: u64) -> Write {
    let key = ExecutionKey {
        slot: 0,
        namespace: Uuid::nil(),
        kind: 0,
        workflow_id: format!("w{run}").into(),
        run_id: Uuid::from_u128(run),
    };
    let row = (seq == 1).then(|| Row {
        current: true,
        status: 1,
        workflow_type: "type".into(),
        task_queue: "queue".into(),
        start_time: 0,
        execution_time: 0,
        close_time: None,
        history_length: 0,
        history_size: 0,
        state_transition_count: 0,
        parent: None,
        root: (key.workflow_id.clone(), key.run_id),
        memo: Bytes::new(),
        search_attributes: Bytes::new(),
        attributes: Vec::new(),
        division: None,
    });
    let record = Some(NewRecord {
        seq,
        bytes: vec![1; 20_000].into(),
    });
    Write {
        record,
        row,
        ..Write::new(key)
    }
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap());
    let store = SqliteStore::open(&folder.join("full.db")).unwrap();
    let ballast = folder.join("ballast");
    let mut epoch = wait(store.open_epoch(1)).unwrap();
    let mut next = 1;
    for round in 0..3 {
        let mut acknowledged = 0;
        let cause = loop {
            let batch = Batch {
                shard: 1,
                epoch,
                writes: vec![write(next, 1)],
            };
            match wait(store.commit(batch)) {
                Ok(()) => acknowledged += 1,
                Err(cause) => break cause,
            }
            next += 1;
            if acknowledged == 100 {
                // Fills the rest, to the last byte.
                let _full = std::fs::write(&ballast, vec![0; 64 << 20]);
            }
        };
        assert!(matches!(cause, StoreError::Unavailable { .. }));
        println!("round {round}: {acknowledged} acknowledged, then: {cause}");
        println!(
            "  new epoch while it is full: {:?}",
            wait(store.open_epoch(1))
        );
        let found = wait(store.check()).unwrap();
        assert_eq!(
            (found.executions, found.orphans, found.gaps),
            (next as u64 - 1, 0, 0)
        );
        std::fs::remove_file(&ballast).unwrap();
        epoch = wait(store.open_epoch(1)).unwrap();
        println!("  there is room again: epoch {epoch}, {found:?}");
    }
    println!("closed: {:?}", wait(store.close()));
    let store = SqliteStore::open(&folder.join("full.db")).unwrap();
    let found = wait(store.check()).unwrap();
    assert_eq!(found.executions, next as u64 - 1);
    println!("opened again: {found:?}");
}
