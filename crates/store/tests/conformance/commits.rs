//! Writing: what belongs together, what is refused, what goes.

use steadfast_store::{
    AttributeValue, Check, Column, Comparison, ExecutionKey, Filter, NewRecord, RecordRange, Row,
    Snapshot, Store, StoreError, Write,
};

use crate::support::*;

#[track_caller]
fn assert_conflict(answer: Result<(), StoreError>, key: &ExecutionKey) {
    match answer {
        Err(StoreError::Conflict { run_id, .. }) => assert_eq!(run_id, key.run_id),
        other => panic!("not a conflict: {other:?}"),
    }
}

fn record_count(store: &dyn Store, key: &ExecutionKey) -> u64 {
    let range = RecordRange {
        from: 1,
        to: u64::MAX,
        count_max: 1000,
        bytes_max: 1 << 20,
        reverse: false,
    };
    wait(store.records(key, range)).unwrap().len() as u64
}

pub(crate) fn an_execution_begins_with_record_1_and_a_row(store: &dyn Store) {
    let a = key("a", 1);
    let lonely = [
        append(&a, 1),
        append(&a, 2),
        append(&a, 0),
        Write {
            row: Some(row(&a)),
            ..Write::new(a.clone())
        },
        Write {
            wake_at: Some(Some(5)),
            ..Write::new(a.clone())
        },
        Write {
            snapshot: Some(Snapshot {
                seq: 1,
                bytes: "".into(),
            }),
            ..Write::new(a.clone())
        },
        Write {
            record: Some(record(2)),
            ..begin(&a, row(&a))
        },
    ];
    for write in lonely {
        assert_conflict(Shard::open(store).try_commit(vec![write]), &a);
    }
    check(store);
    assert_eq!(wait(store.load(&a)).unwrap(), None);
    Shard::open(store).begin(&a, row(&a));
    let loaded = wait(store.load(&a)).unwrap().unwrap();
    assert_eq!(loaded.key, a);
    assert_eq!(loaded.row, row(&a));
    assert_eq!(loaded.records, [(1, "record 1".into())]);
    assert_eq!((loaded.snapshot, loaded.wake_at), (None, None));
}

pub(crate) fn records_are_dense_and_never_rewritten(store: &dyn Store) {
    let a = key("a", 1);
    Shard::open(store).begin(&a, row(&a));
    Shard::open(store).commit(vec![append(&a, 2)]);
    let again = |seq| Write {
        record: Some(NewRecord {
            seq,
            bytes: "other".into(),
        }),
        ..append(&a, 1)
    };
    for seq in [0, 1, 2, 4, u64::MAX] {
        assert_conflict(Shard::open(store).try_commit(vec![again(seq)]), &a);
    }
    assert_conflict(Shard::open(store).try_commit(vec![begin(&a, row(&a))]), &a);
    assert_eq!(
        wait(store.load(&a)).unwrap().unwrap().records,
        [(1, "record 1".into()), (2, "record 2".into())]
    );
    Shard::open(store).commit(vec![append(&a, 3), append(&a, 4)]);
    assert_eq!(record_count(store, &a), 4);
    check(store);
}

pub(crate) fn a_batch_is_all_or_nothing(store: &dyn Store) {
    let (a, b) = (key("a", 1), key("b", 2));
    let shard = Shard::open(store);
    shard.begin(&a, row(&a));
    let changed = Row {
        status: 9,
        ..row(&a)
    };
    let answer = shard.try_commit(vec![
        Write {
            row: Some(changed),
            wake_at: Some(Some(1)),
            ..append(&a, 2)
        },
        begin(&b, with(row(&b), &[("k", AttributeValue::Bool(true))])),
        append(&b, 3),
    ]);
    assert_conflict(answer, &b);
    let loaded = wait(store.load(&a)).unwrap().unwrap();
    assert_eq!(
        (loaded.row, loaded.records.len(), loaded.wake_at),
        (row(&a), 1, None)
    );
    assert_eq!(wait(store.load(&b)).unwrap(), None);
    check(store);
}

pub(crate) fn a_refused_batch_leaves_its_neighbours_alone(store: &dyn Store) {
    let keys: Vec<_> = (0..20).map(|number| key("a", number + 1)).collect();
    let (shard, other) = (Shard::open(store), Shard::numbered(store, 2));
    // All are queued before the first answer is waited for, so a group commit takes many at once.
    let answers: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(index, key)| {
            let shard = if index % 2 == 0 { &shard } else { &other };
            let write = if index % 5 == 3 {
                append(key, 2)
            } else {
                begin(key, row(key))
            };
            store.commit(shard.batch(vec![write]))
        })
        .collect();
    for (index, (key, answer)) in keys.iter().zip(answers).enumerate() {
        if index % 5 == 3 {
            assert_conflict(wait(answer), key);
            assert_eq!(record_count(store, key), 0);
        } else {
            assert_eq!(wait(answer), Ok(()));
            assert_eq!(record_count(store, key), 1);
        }
    }
    check(store);
}

pub(crate) fn after_a_conflict_the_run_waits_for_the_next_epoch(store: &dyn Store) {
    let (a, b, c) = (key("a", 1), key("b", 2), key("c", 3));
    let mut shard = Shard::open(store);
    for key in [&a, &b, &c] {
        shard.begin(key, row(key));
    }
    // Record 2 of `a` is lost, and with it the batch that holds one of `b` too.
    assert_conflict(shard.try_commit(vec![append(&b, 2), append(&a, 9)]), &a);
    assert_conflict(shard.try_commit(vec![append(&a, 2)]), &a);
    assert_conflict(shard.try_commit(vec![append(&b, 2)]), &b);
    shard.commit(vec![append(&c, 2)]);
    shard = Shard::open(store);
    shard.commit(vec![append(&a, 2), append(&b, 2)]);
    assert_eq!([&a, &b, &c].map(|key| record_count(store, key)), [2, 2, 2]);
}

pub(crate) fn batches_commit_in_call_order_even_if_nobody_waits(store: &dyn Store) {
    let a = key("a", 1);
    let shard = Shard::open(store);
    drop(store.commit(shard.batch(vec![begin(&a, row(&a))])));
    for seq in 2..200 {
        drop(store.commit(shard.batch(vec![append(&a, seq)])));
    }
    assert_eq!(
        wait(store.commit(shard.batch(vec![append(&a, 200)]))),
        Ok(())
    );
    assert_eq!(record_count(store, &a), 200);
}

pub(crate) fn a_row_is_replaced_whole(store: &dyn Store) {
    let a = key("a", 1);
    let shard = Shard::open(store);
    shard.begin(&a, row(&a));
    let full = Row {
        current: true,
        status: 2,
        workflow_type: "other type".into(),
        task_queue: "other queue".into(),
        start_time: 1,
        execution_time: 2,
        close_time: Some(3),
        history_length: 4,
        history_size: 5,
        state_transition_count: 6,
        parent: Some(("parent".into(), run(77))),
        root: ("root".into(), run(78)),
        memo: "other memo".into(),
        search_attributes: "".into(),
        attributes: Vec::new(),
        division: Some("division".into()),
    };
    for next in [full.clone(), row(&a), full] {
        shard.commit(vec![Write {
            row: Some(next.clone()),
            ..Write::new(a.clone())
        }]);
        assert_eq!(wait(store.load(&a)).unwrap().unwrap().row, next);
    }
    // A run stays with its workflow id.
    let elsewhere = ExecutionKey {
        workflow_id: "b".into(),
        ..a.clone()
    };
    let row = row(&elsewhere);
    assert_conflict(
        shard.try_commit(vec![Write {
            row: Some(row),
            ..Write::new(elsewhere)
        }]),
        &a,
    );
}

pub(crate) fn only_one_run_of_an_id_is_current(store: &dyn Store) {
    let (first, second) = (key("a", 1), key("a", 2));
    let elsewhere = ExecutionKey {
        namespace: OTHER_NAMESPACE,
        ..key("a", 3)
    };
    let current = || wait(store.current(7, NAMESPACE, 0, "a")).unwrap();
    let is_current = |key| wait(store.load(key)).unwrap().unwrap().row.current;
    let shard = Shard::open(store);
    shard.begin(&first, row(&first));
    shard.begin(&elsewhere, row(&elsewhere));
    assert_eq!(current(), Some(first.clone()));
    shard.begin(&second, row(&second));
    assert_eq!(current(), Some(second.clone()));
    assert_eq!(
        [&first, &second, &elsewhere].map(is_current),
        [false, true, true]
    );
    // An update can take the mark back, and give it up.
    let update = |key: &ExecutionKey, current| Write {
        row: Some(Row {
            current,
            ..row(key)
        }),
        ..Write::new(key.clone())
    };
    shard.commit(vec![update(&first, true)]);
    assert_eq!(current(), Some(first.clone()));
    assert_eq!([&first, &second].map(is_current), [true, false]);
    shard.commit(vec![update(&first, false)]);
    assert_eq!(current(), None);
    shard.commit(vec![update(&second, true), delete(&second)]);
    assert_eq!(current(), None);
    check(store);
}

pub(crate) fn ids_of_different_kinds_do_not_collide(store: &dyn Store) {
    let workflow = key("a", 1);
    let job = ExecutionKey {
        kind: 1,
        ..key("a", 2)
    };
    let shard = Shard::open(store);
    shard.begin(&workflow, row(&workflow));
    let division = Row {
        division: Some("jobs".into()),
        ..row(&job)
    };
    shard.begin(&job, division.clone());
    let current = |kind| wait(store.current(7, NAMESPACE, kind, "a")).unwrap();
    assert_eq!(current(0), Some(workflow.clone()));
    assert_eq!(current(1), Some(job.clone()));
    assert_eq!(current(2), None);
    let find = |kind, number| wait(store.find(7, NAMESPACE, kind, "a", run(number))).unwrap();
    assert_eq!(find(1, 2), Some(job.clone()));
    assert_eq!(find(0, 2), None);
    assert_eq!(wait(store.load(&job)).unwrap().unwrap().key, job);
    // Lists of workflows do not show it; its own do, with its kind.
    assert_eq!(listed(store, &Filter::True, &[]), [1]);
    let jobs = compare(&Column::Division, Comparison::Eq, text("jobs"));
    let page = wait(store.list(NAMESPACE, &jobs, &[], None, 10)).unwrap();
    assert_eq!(page.rows[0].0, job);
    let wake = Write {
        wake_at: Some(Some(3)),
        ..Write::new(job.clone())
    };
    shard.commit(vec![wake]);
    let wakes = wait(store.wakes(0..16384, i64::MAX, None, 10)).unwrap();
    assert_eq!(wakes[0].key, job);
    // A run stays of its kind.
    let other = ExecutionKey {
        kind: 2,
        ..job.clone()
    };
    let mistaken = Write {
        row: Some(division),
        ..Write::new(other)
    };
    assert_conflict(shard.try_commit(vec![mistaken]), &job);
    let shard = Shard::open(store);
    shard.commit(vec![delete(&job)]);
    assert_eq!(current(1), None);
    assert_eq!(current(0), Some(workflow));
    check(store);
}

pub(crate) fn continue_as_new_is_one_commit(store: &dyn Store) {
    let (old, new) = (key("a", 1), key("a", 2));
    let shard = Shard::open(store);
    shard.begin(&old, row(&old));
    let end = Row {
        current: false,
        ..closed(&old, 0, 10)
    };
    shard.commit(vec![
        Write {
            row: Some(end),
            ..append(&old, 2)
        },
        begin(&new, row(&new)),
    ]);
    assert_eq!(
        wait(store.current(7, NAMESPACE, 0, "a")).unwrap(),
        Some(new)
    );
    assert_eq!(listed(store, &Filter::True, &[]), [2, 1]);
    check(store);
}

pub(crate) fn a_snapshot_replaces_the_older_one(store: &dyn Store) {
    let a = key("a", 1);
    let snapshot = |seq: u64| Snapshot {
        seq,
        bytes: format!("snapshot {seq}").into_bytes().into(),
    };
    let at = |seq| Write {
        snapshot: Some(snapshot(seq)),
        ..append(&a, seq)
    };
    let shard = Shard::open(store);
    shard.begin(&a, row(&a));
    shard.commit(vec![at(2)]);
    shard.commit(vec![append(&a, 3)]);
    assert_eq!(
        wait(store.load(&a)).unwrap().unwrap().snapshot,
        Some(snapshot(2))
    );
    shard.commit(vec![Write {
        snapshot: Some(snapshot(3)),
        ..Write::new(a.clone())
    }]);
    assert_eq!(
        wait(store.load(&a)).unwrap().unwrap().snapshot,
        Some(snapshot(3))
    );
    // Of what is not there yet, there is no snapshot.
    for seq in [0, 4] {
        let early = Write {
            snapshot: Some(snapshot(seq)),
            ..Write::new(a.clone())
        };
        assert_conflict(Shard::open(store).try_commit(vec![early]), &a);
    }
    assert_eq!(record_count(store, &a), 3);
    check(store);
}

pub(crate) fn a_deletion_leaves_nothing_behind(store: &dyn Store) {
    let (a, b) = (key("a", 1), key("b", 2));
    let shard = Shard::open(store);
    for key in [&a, &b] {
        let attributes = [
            (
                "list",
                AttributeValue::KeywordList(vec!["x".into(), "y".into()]),
            ),
            ("text", AttributeValue::Text("some words".into())),
        ];
        shard.begin(key, with(row(key), &attributes));
        let snapshot = Snapshot {
            seq: 2,
            bytes: "snapshot".into(),
        };
        shard.commit(vec![Write {
            snapshot: Some(snapshot),
            wake_at: Some(Some(3)),
            ..append(key, 2)
        }]);
    }
    shard.commit(vec![delete(&a)]);
    assert_eq!(wait(store.load(&a)).unwrap(), None);
    assert_eq!(wait(store.current(7, NAMESPACE, 0, "a")).unwrap(), None);
    assert_eq!(
        wait(store.find(7, NAMESPACE, 0, "a", run(1))).unwrap(),
        None
    );
    assert_eq!(record_count(store, &a), 0);
    assert_eq!(listed(store, &Filter::True, &[]), [2]);
    assert_eq!(wait(store.wakes(0..16384, 10, None, 10)).unwrap().len(), 1);
    let found = wait(store.check()).unwrap();
    assert_eq!(
        found,
        Check {
            executions: 1,
            records: 2,
            ..Check::default()
        }
    );
    // Once more is no harm, and the run id is free again.
    shard.commit(vec![delete(&a), delete(&b)]);
    assert_eq!(wait(store.check()).unwrap(), Check::default());
    shard.begin(&a, row(&a));
    assert_eq!(wait(store.load(&a)).unwrap().unwrap().row, row(&a));
    check(store);
}

pub(crate) fn a_deleted_run_takes_no_more_writes(store: &dyn Store) {
    let a = key("a", 1);
    Shard::open(store).commit(vec![begin(&a, row(&a)), append(&a, 2), delete(&a)]);
    let late = [
        append(&a, 3),
        Write {
            row: Some(row(&a)),
            ..Write::new(a.clone())
        },
        Write {
            wake_at: Some(None),
            ..Write::new(a.clone())
        },
        Write {
            delete: true,
            ..append(&a, 3)
        },
    ];
    for write in late {
        assert_conflict(Shard::open(store).try_commit(vec![write]), &a);
    }
    assert_eq!(wait(store.check()).unwrap(), Check::default());
}

pub(crate) fn the_counters_count(store: &dyn Store) {
    let a = key("a", 1);
    let shard = Shard::open(store);
    let before = store.stats();
    shard.commit(vec![begin(&a, row(&a)), append(&a, 2)]);
    assert_conflict(shard.try_commit(vec![append(&a, 2)]), &a);
    let after = store.stats();
    assert_eq!(after.batches - before.batches, 1);
    assert_eq!(after.records - before.records, 2);
    assert_eq!(after.refused - before.refused, 1);
    assert_eq!((after.failed, after.queued), (0, 0));
}
