//! What only a file can do.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use steadfast_store::{
    AttributeValue, Bytes, Column, Comparison, ExecutionKey, Filter, NewRecord, Row, SqliteStore,
    Store, StoreError, Value, Write,
};

use crate::support::*;

fn refusal(path: &Path) -> StoreError {
    match SqliteStore::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

fn large_record(seq: u64) -> NewRecord {
    NewRecord {
        seq,
        bytes: Bytes::from(vec![7; 100_000]),
    }
}

#[test]
fn what_was_committed_is_there_after_a_reopen() {
    let folder = Folder::new();
    let a = key("a", 1);
    let full = Row {
        parent: Some(("parent".into(), run(9))),
        root: ("root".into(), run(8)),
        division: Some("d".into()),
        ..closed(&a, 3, 5)
    };
    let epoch = {
        let store = folder.open();
        let shard = Shard::open(&store);
        let attributes = [("k", AttributeValue::Keyword("v".into()))];
        shard.commit(vec![Write {
            wake_at: Some(Some(9)),
            ..begin(&a, with(full.clone(), &attributes))
        }]);
        wait(store.meta_put(vec![("name".into(), Some("value".into()))])).unwrap();
        // A connection of every kind has been open.
        wait(store.list(NAMESPACE, &Filter::True, &[], None, 1)).unwrap();
        wait(store.wakes(0..9, 9, None, 1)).unwrap();
        wait(store.load(&a)).unwrap();
        wait(store.close()).unwrap();
        // From here on somebody else may have the file.
        drop(folder.open());
        shard.epoch
    };
    // A clean end leaves one file, and the lock.
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["steadfast.db", "steadfast.db-lock"]);
    let store = folder.open();
    let loaded = wait(store.load(&a)).unwrap().unwrap();
    assert_eq!((loaded.row, loaded.wake_at), (full, Some(9)));
    assert_eq!(wait(store.meta_get("name")), Ok(Some("value".into())));
    // The epoch goes on from where it was.
    let shard = Shard::open(&store);
    assert!(shard.epoch > epoch);
    shard.commit(vec![append(&a, 2)]);
    check(&store);
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    let folder = Folder::new();
    let store = folder.open();
    let shard = Shard::open(&store);
    let a = key("a", 1);
    shard.begin(&a, row(&a));
    for seq in 2..=50 {
        shard.commit(vec![append(&a, seq)]);
        if seq % 7 == 0 {
            // The files as a crash would leave them right now.
            let crashed = Folder::new();
            for suffix in ["", "-wal"] {
                let name = format!("steadfast.db{suffix}");
                fs::copy(folder.path().join(&name), crashed.path().join(&name)).unwrap();
            }
            let store = crashed.open();
            let records = wait(store.load(&a)).unwrap().unwrap().records;
            assert_eq!(records.last().map(|(seq, _)| *seq), Some(seq));
            check(&store);
        }
    }
}

#[test]
fn dropping_the_store_finishes_what_is_queued() {
    let folder = Folder::new();
    let a = key("a", 1);
    {
        let store = folder.open();
        let shard = Shard::open(&store);
        drop(store.commit(shard.batch(vec![begin(&a, row(&a))])));
        for seq in 2..=100 {
            drop(store.commit(shard.batch(vec![append(&a, seq)])));
        }
    }
    assert_eq!(
        wait(folder.open().load(&a)).unwrap().unwrap().records.len(),
        100
    );
}

#[test]
fn a_second_store_on_the_same_file_is_refused() {
    let folder = Folder::new();
    let store = folder.open();
    let error = refusal(&folder.file());
    assert_eq!(
        error,
        StoreError::Locked {
            path: folder.file()
        }
    );
    assert!(
        error.to_string().contains("in use by another process"),
        "{error}"
    );
    #[cfg(unix)]
    {
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(folder.file(), &link).unwrap();
        assert_eq!(refusal(&link), StoreError::Locked { path: link });
    }
    // The refusal took nothing from the first one.
    let a = key("a", 1);
    Shard::open(&store).begin(&a, row(&a));
    assert!(matches!(refusal(&folder.file()), StoreError::Locked { .. }));
    wait(store.close()).unwrap();
    drop(store);
    assert!(wait(folder.open().load(&a)).unwrap().is_some());
}

#[test]
fn what_is_not_a_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let long = "not a database ".repeat(1000);
    for content in ["x", "SQLite format 3", &long] {
        fs::write(folder.file(), content).unwrap();
        let error = refusal(&folder.file());
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), content);
    }
    // An empty file is as good as none.
    fs::write(folder.file(), "").unwrap();
    folder.open();
}

#[test]
fn a_damaged_database_is_an_error_and_no_panic() {
    let folder = Folder::new();
    let a = key("a", 1);
    {
        let store = folder.open();
        Shard::open(&store).begin(&a, row(&a));
    }
    let whole = fs::read(folder.file()).unwrap();
    // The page size stands in the header.
    let size = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    for page in 0..whole.len() / size {
        let mut damaged = whole.clone();
        damaged[page * size..(page + 1) * size].fill(0xAB);
        fs::write(folder.file(), &damaged).unwrap();
        match SqliteStore::open(&folder.file()) {
            Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}"),
            Ok(store) => {
                // Somewhere it must show; nowhere may it end the process.
                let epoch = wait(store.open_epoch(1)).unwrap_or(0);
                let shard = Shard {
                    store: &store,
                    number: 1,
                    epoch,
                };
                let begun = shard.try_commit(vec![begin(&key("b", 2), row(&key("b", 2)))]);
                let found = [
                    begun.is_err(),
                    wait(store.load(&a)).is_err(),
                    wait(store.current(7, NAMESPACE, 0, "a")).is_err(),
                    wait(store.list(NAMESPACE, &Filter::True, &[], None, 9)).is_err(),
                    wait(store.check()).is_err(),
                    wait(store.meta_scan("")).is_err(),
                    wait(store.wakes(0..100, 5, None, 5)).is_err(),
                ];
                let text = AttributeValue::Text("t".into());
                let search = Row {
                    parent: Some(("a".into(), a.run_id)),
                    root: ("a".into(), a.run_id),
                    close_time: Some(5),
                    ..with(row(&key("c", 3)), &[("t", text)])
                };
                let snapshot = steadfast_store::Snapshot {
                    seq: 1,
                    bytes: "".into(),
                };
                let rest = shard.try_commit(vec![Write {
                    snapshot: Some(snapshot),
                    wake_at: Some(Some(4)),
                    ..begin(&key("c", 3), search)
                }]);
                assert!(found.contains(&true) || rest.is_err(), "page {page}");
            }
        }
    }
}

#[test]
fn a_read_only_file_is_refused() {
    let folder = Folder::new();
    drop(folder.open());
    let mut permissions = fs::metadata(folder.file()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(folder.file(), permissions).unwrap();
    let error = refusal(&folder.file());
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot be written"), "{error}");
}

#[test]
fn the_folder_is_made_or_the_error_says_why_not() {
    let folder = Folder::new();
    drop(SqliteStore::open(&folder.path().join("new/deep/steadfast.db")).unwrap());
    fs::write(folder.path().join("file"), "").unwrap();
    let error = refusal(&folder.path().join("file/steadfast.db"));
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    let error = refusal(folder.path());
    assert!(error.to_string().ends_with("it is a folder"), "{error}");
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = Folder::new();
    let conn = Connection::open(folder.file()).unwrap();
    conn.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .unwrap();
    conn.close().unwrap();
    let before = fs::read(folder.file()).unwrap();
    assert_eq!(
        refusal(&folder.file()),
        StoreError::Foreign {
            path: folder.file()
        }
    );
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = Folder::new();
    drop(folder.open());
    let conn = Connection::open(folder.file()).unwrap();
    let known: u32 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    conn.pragma_update(None, "user_version", known + 3).unwrap();
    conn.close().unwrap();
    let newer = StoreError::Newer {
        path: folder.file(),
        found: known + 3,
        known,
    };
    assert_eq!(refusal(&folder.file()), newer);
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_the_store_goes_on() {
    let folder = Folder::new();
    let store = folder.open();
    let (a, b) = (key("a", 1), key("b", 2));
    let (shard, other) = (Shard::open(&store), Shard::numbered(&store, 2));
    shard.begin(&a, row(&a));
    other.begin(&b, row(&b));
    wait(store.set_size_max(Some(0))).unwrap();
    let lost = Write {
        record: Some(large_record(2)),
        ..append(&a, 2)
    };
    let answers =
        [lost, append(&a, 3), append(&a, 2)].map(|write| store.commit(shard.batch(vec![write])));
    for answer in answers {
        let answer = wait(answer);
        let Err(StoreError::Unavailable { cause }) = answer else {
            panic!("{answer:?}")
        };
        assert!(cause.contains("full"), "{cause}");
    }
    // Still so when there is room again: something was lost in this epoch.
    wait(store.set_size_max(None)).unwrap();
    let answer = shard.try_commit(vec![append(&a, 2)]);
    assert!(
        matches!(answer, Err(StoreError::Unavailable { .. })),
        "{answer:?}"
    );
    // Reads went on all the time, and so do shards that lost nothing.
    assert_eq!(wait(store.load(&a)).unwrap().unwrap().records.len(), 1);
    other.commit(vec![append(&b, 2)]);
    let shard = Shard::open(&store);
    shard.commit(vec![Write {
        record: Some(large_record(2)),
        ..append(&a, 2)
    }]);
    assert_eq!(wait(store.load(&a)).unwrap().unwrap().records.len(), 2);
    assert_eq!(store.stats().queued, 0);
    check(&store);
}

#[test]
fn one_transaction_takes_all_that_waits_and_one_bad_batch_spoils_none() {
    let folder = Folder::new();
    let store = folder.open();
    let shards: Vec<_> = (0..4)
        .map(|number| Shard::numbered(&store, number))
        .collect();
    let before = store.stats();
    // Somebody else holds the file for a moment, so that everything queues up.
    let holder = Connection::open(folder.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answers: Vec<_> = (1..=200_u32)
        .map(|number| {
            let key = key(&format!("w{number}"), number.into());
            let shard = &shards[number as usize % 4];
            let writes = match number % 50 {
                // The first half of a bad batch must not stay.
                0 => vec![begin(&key, row(&key)), append(&key, 3)],
                _ => vec![begin(&key, row(&key)), append(&key, 2)],
            };
            (number, store.commit(shard.batch(writes)))
        })
        .collect();
    holder.execute_batch("ROLLBACK").unwrap();
    for (number, answer) in answers {
        let answer = wait(answer);
        assert_eq!(answer.is_err(), number % 50 == 0, "{number}: {answer:?}");
    }
    let after = store.stats();
    assert_eq!(after.batches - before.batches, 196);
    assert_eq!(after.refused - before.refused, 4);
    assert!(
        after.transactions - before.transactions <= 2,
        "{before:?} {after:?}"
    );
    let found = wait(store.check()).unwrap();
    assert_eq!((found.executions, found.records, found.gaps), (196, 392, 0));
    assert_eq!(
        found.orphans, 0,
        "what was taken back is not counted either"
    );
}

/// The writer remembers the runs that it wrote last. For those that it has forgotten since, or that
/// another process wrote, it has to look.
#[test]
fn a_write_to_a_run_of_long_ago_knows_what_is_stored() {
    const RUNS: u32 = 5000;
    let folder = Folder::new();
    let store = folder.open();
    let shard = Shard::open(&store);
    let keys: Vec<_> = (1..=RUNS)
        .map(|number| key(&format!("w{number}"), number.into()))
        .collect();
    for keys in keys.chunks(100) {
        shard.commit(keys.iter().map(|key| begin(key, row(key))).collect());
    }
    let close = |key: &ExecutionKey, seq| Write {
        row: Some(closed(key, 1, 9)),
        ..append(key, seq)
    };
    let (first, last) = (&keys[0], &keys[keys.len() - 1]);
    for key in [first, last] {
        shard.try_commit(vec![close(key, 3)]).unwrap_err();
    }
    // What was refused to a run holds for the epoch.
    let shard = Shard::open(&store);
    for key in [first, last] {
        shard.commit(vec![close(key, 2)]);
    }
    drop(store);
    let store = folder.open();
    Shard::open(&store).commit(vec![close(&keys[1], 2), append(first, 3)]);
    let found = wait(store.check()).unwrap();
    let records = u64::from(RUNS) + 4;
    assert_eq!((found.records, found.gaps, found.orphans), (records, 0, 0));
    let is_open = compare(&Column::Status, Comparison::Eq, Value::Int(1));
    let open = wait(store.count(NAMESPACE, &is_open, &[])).unwrap();
    assert_eq!(open, [(vec![], u64::from(RUNS) - 3)]);
}

#[test]
fn a_failed_transaction_fails_all_in_it() {
    let folder = Folder::new();
    let store = folder.open();
    let shards: Vec<_> = (0..3)
        .map(|number| Shard::numbered(&store, number))
        .collect();
    let keys: Vec<_> = (0..3).map(|number| key("a", number + 1)).collect();
    for (shard, key) in shards.iter().zip(&keys) {
        shard.begin(key, row(key));
    }
    wait(store.set_size_max(Some(0))).unwrap();
    let holder = Connection::open(folder.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The first transaction waits for the holder; the rest becomes the second one.
    let first = store.meta_put(vec![("a".into(), None)]);
    let small = store.commit(shards[0].batch(vec![append(&keys[0], 2)]));
    let large = Write {
        record: Some(large_record(2)),
        ..append(&keys[1], 2)
    };
    let large = store.commit(shards[1].batch(vec![large]));
    let meta = store.meta_put(vec![("b".into(), Some("x".into()))]);
    holder.execute_batch("ROLLBACK").unwrap();
    drop(wait(first));
    let small = wait(small);
    for answer in [wait(large), wait(meta)] {
        assert!(
            matches!(answer, Err(StoreError::Unavailable { .. })),
            "{answer:?}"
        );
    }
    wait(store.set_size_max(None)).unwrap();
    // The small one shared the fate of the large one, unless it was in an earlier transaction.
    let records = wait(store.load(&keys[0])).unwrap().unwrap().records.len();
    assert_eq!(records == 2, small.is_ok());
    assert_eq!(wait(store.meta_get("b")), Ok(None));
    shards[2].commit(vec![append(&keys[2], 2)]);
    check(&store);
}

#[test]
fn the_log_does_not_grow_without_end() {
    let folder = Folder::new();
    let store = folder.open();
    let shard = Shard::open(&store);
    let a = key("a", 1);
    shard.begin(&a, row(&a));
    // 200 MB in all, never pausing.
    let answers: Vec<_> = (2..=2000)
        .map(|seq| {
            let write = Write {
                record: Some(large_record(seq)),
                ..append(&a, seq)
            };
            store.commit(shard.batch(vec![write]))
        })
        .collect();
    for answer in answers {
        assert_eq!(wait(answer), Ok(()));
    }
    let log = fs::metadata(folder.path().join("steadfast.db-wal"))
        .unwrap()
        .len();
    assert!(log < 100 << 20, "{log} bytes");
    wait(store.close()).unwrap();
    assert!(!folder.path().join("steadfast.db-wal").exists());
}

#[test]
fn closing_does_not_wait_for_a_long_list() {
    let folder = Folder::new();
    let store = folder.open();
    let shard = Shard::open(&store);
    let writes = (1..=3000_u32).map(|number| {
        let key = key("a", number.into());
        begin(&key, row(&key))
    });
    shard.commit(writes.collect());
    let checks: Vec<_> = (0..200).map(|_| store.check()).collect();
    assert_eq!(wait(store.close()), Ok(()));
    let answers: Vec<_> = checks.into_iter().map(wait).collect();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(_) | Err(StoreError::Closed)))
    );
}

#[test]
fn an_abandoned_list_is_given_up() {
    let folder = Folder::new();
    let store = folder.open();
    let shard = Shard::open(&store);
    let writes = (1..=3000_u32).map(|number| {
        let key = key("a", number.into());
        begin(&key, row(&key))
    });
    shard.commit(writes.collect());
    for _ in 0..50 {
        drop(store.check());
    }
    // The next one is answered all the same, and rightly.
    assert_eq!(wait(store.check()).unwrap().executions, 3000);
}

/// The plans matter more than any constant: a list in the default order must not sort.
#[test]
fn the_default_list_reads_off_an_index() {
    let folder = Folder::new();
    drop(folder.open());
    let conn = Connection::open(folder.file()).unwrap();
    let plan = |condition: &str| -> String {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT e.memo FROM executions AS e WHERE e.namespace = x'00' \
             AND {condition} ORDER BY e.close_time DESC, e.start_time DESC, e.run_id DESC LIMIT 10"
        );
        let mut statement = conn.prepare(&sql).unwrap();
        let lines = statement
            .query_map((), |row| row.get::<_, String>(3))
            .unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
    };
    for condition in [
        "e.division IS NULL",
        "e.division = 'd'",
        "e.division IS NULL AND e.status = 1",
        "e.division IS NULL AND (e.close_time, e.start_time, e.run_id) < (1, 2, x'03')",
        "e.division IS NULL AND e.close_time > 5 AND (nullif(e.close_time, 9) > 5)",
    ] {
        let plan = plan(condition);
        assert!(
            plan.contains("executions_list") && !plan.contains("TEMP"),
            "{plan}"
        );
    }
}
