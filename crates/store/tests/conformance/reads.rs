//! Reading one execution, the wakes, and the small map.

use steadfast_store::{Bytes, ExecutionKey, RecordRange, Snapshot, Store, StoreError, Wake, Write};

use crate::support::*;

pub(crate) fn nothing_is_found_in_an_empty_store(store: &dyn Store) {
    assert_eq!(wait(store.current(7, NAMESPACE, 0, "a")), Ok(None));
    assert_eq!(wait(store.find(7, NAMESPACE, 0, "a", run(1))), Ok(None));
    assert_eq!(wait(store.load(&key("a", 1))), Ok(None));
    assert_eq!(
        wait(store.wakes(0..16384, i64::MAX, None, 10)),
        Ok(Vec::new())
    );
    assert_eq!(wait(store.meta_get("a")), Ok(None));
    check(store);
}

pub(crate) fn a_run_is_found_only_under_its_own_id(store: &dyn Store) {
    let a = key("a", 1);
    Shard::open(store).begin(&a, row(&a));
    assert_eq!(wait(store.find(7, NAMESPACE, 0, "a", run(1))), Ok(Some(a)));
    assert_eq!(wait(store.find(7, NAMESPACE, 0, "b", run(1))), Ok(None));
    assert_eq!(
        wait(store.find(7, OTHER_NAMESPACE, 0, "a", run(1))),
        Ok(None)
    );
    assert_eq!(wait(store.find(7, NAMESPACE, 0, "a", run(2))), Ok(None));
}

pub(crate) fn loading_gives_the_records_after_the_snapshot(store: &dyn Store) {
    let (a, b) = (key("a", 1), key("b", 2));
    let shard = Shard::open(store);
    shard.begin(&a, row(&a));
    shard.begin(&b, row(&b));
    for seq in 2..=6 {
        // The records of two runs lie mixed.
        shard.commit(vec![append(&a, seq), append(&b, seq)]);
    }
    let snapshot = Snapshot {
        seq: 4,
        bytes: "folded".into(),
    };
    shard.commit(vec![Write {
        snapshot: Some(snapshot.clone()),
        ..Write::new(a.clone())
    }]);
    let loaded = wait(store.load(&a)).unwrap().unwrap();
    assert_eq!(loaded.snapshot, Some(snapshot));
    assert_eq!(
        loaded.records,
        [(5, "record 5".into()), (6, "record 6".into())]
    );
    let whole = wait(store.load(&b)).unwrap().unwrap();
    assert_eq!(
        whole
            .records
            .iter()
            .map(|(seq, _)| *seq)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
}

pub(crate) fn records_come_in_pages_either_way(store: &dyn Store) {
    let a = key("a", 1);
    let shard = Shard::open(store);
    shard.begin(&a, row(&a));
    shard.commit((2..=9).map(|seq| append(&a, seq)).collect());
    let seqs = |from, to, count_max, bytes_max, reverse| -> Vec<u64> {
        let range = RecordRange {
            from,
            to,
            count_max,
            bytes_max,
            reverse,
        };
        let records = wait(store.records(&a, range)).unwrap();
        records
            .iter()
            .for_each(|(seq, bytes)| assert_eq!(*bytes, format!("record {seq}")));
        records.into_iter().map(|(seq, _)| seq).collect()
    };
    assert_eq!(
        seqs(1, u64::MAX, 100, 10_000, false),
        [1, 2, 3, 4, 5, 6, 7, 8, 9]
    );
    assert_eq!(seqs(0, 3, 100, 10_000, true), [3, 2, 1]);
    assert_eq!(seqs(4, 7, 100, 10_000, false), [4, 5, 6, 7]);
    assert_eq!(seqs(4, 7, 2, 10_000, false), [4, 5]);
    assert_eq!(seqs(4, 7, 2, 10_000, true), [7, 6]);
    // Each record is 8 bytes.
    assert_eq!(seqs(4, 7, 100, 16, false), [4, 5]);
    assert_eq!(seqs(4, 7, 100, 23, true), [7, 6]);
    assert_eq!(seqs(4, 7, 100, 0, false), [4]);
    assert_eq!(seqs(4, 7, 0, 100, false), [] as [u64; 0]);
    assert_eq!(seqs(7, 4, 100, 100, false), [] as [u64; 0]);
    assert_eq!(seqs(10, 12, 100, 100, true), [] as [u64; 0]);
}

fn in_slot(slot: u16, number: u128) -> ExecutionKey {
    ExecutionKey {
        slot,
        ..key("a", number)
    }
}

pub(crate) fn wakes_come_by_time_and_slot(store: &dyn Store) {
    let shard = Shard::open(store);
    let times = [
        (1, 10, 30),
        (2, 20, 10),
        (3, 20, 0),
        (4, 20, 30),
        (5, 10, -5),
    ];
    for (number, slot, wake_at) in times {
        let key = in_slot(slot, number);
        shard.commit(vec![Write {
            wake_at: Some(Some(wake_at)),
            ..begin(&key, row(&key))
        }]);
    }
    let asleep = key("a", 6);
    shard.begin(&asleep, row(&asleep));
    let numbers = |wakes: &[Wake]| -> Vec<_> {
        wakes
            .iter()
            .map(|wake| (wake.key.run_id.as_u128(), wake.wake_at))
            .collect()
    };
    let all = wait(store.wakes(0..16384, i64::MAX, None, 100)).unwrap();
    assert_eq!(numbers(&all), [(5, -5), (3, 0), (2, 10), (1, 30), (4, 30)]);
    assert_eq!(all[1].key, in_slot(20, 3));
    let due = wait(store.wakes(0..16384, 10, None, 100)).unwrap();
    assert_eq!(numbers(&due), [(5, -5), (3, 0)]);
    let of_slots = wait(store.wakes(11..21, i64::MAX, None, 100)).unwrap();
    assert_eq!(numbers(&of_slots), [(3, 0), (2, 10), (4, 30)]);
    assert_eq!(
        wait(store.wakes(11..20, i64::MAX, None, 100)),
        Ok(Vec::new())
    );
    // In pages, and the end of one is no reason to lose one with the same time.
    let mut after = None;
    let mut paged = Vec::new();
    loop {
        let page = wait(store.wakes(0..16384, i64::MAX, after, 2)).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.cursor());
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

pub(crate) fn a_wake_moves_and_goes(store: &dyn Store) {
    let a = key("a", 1);
    let shard = Shard::open(store);
    shard.begin(&a, row(&a));
    let wakes = || wait(store.wakes(0..16384, i64::MAX, None, 10)).unwrap();
    let set = |wake_at| {
        shard.commit(vec![Write {
            wake_at: Some(wake_at),
            ..Write::new(a.clone())
        }]);
        assert_eq!(wait(store.load(&a)).unwrap().unwrap().wake_at, wake_at);
    };
    assert_eq!(wakes(), []);
    for wake_at in [5, 9, 1] {
        set(Some(wake_at));
        assert_eq!(
            wakes(),
            [Wake {
                key: a.clone(),
                wake_at
            }]
        );
    }
    // A record or a row leaves it alone.
    shard.commit(vec![Write {
        row: Some(row(&a)),
        ..append(&a, 2)
    }]);
    assert_eq!(
        wakes(),
        [Wake {
            key: a.clone(),
            wake_at: 1
        }]
    );
    set(None);
    assert_eq!(wakes(), []);
}

pub(crate) fn meta_is_a_small_ordered_map(store: &dyn Store) {
    let put = |writes: &[(&str, Option<&'static str>)]| {
        let owned = |(key, value): &(&str, Option<&'static str>)| {
            ((*key).to_owned(), value.map(Bytes::from))
        };
        wait(store.meta_put(writes.iter().map(owned).collect())).unwrap();
    };
    let scan = |prefix| -> Vec<String> {
        wait(store.meta_scan(prefix))
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    };
    put(&[
        ("ns/b", Some("1")),
        ("ns/a", Some("2")),
        ("ns", Some("3")),
        ("nt/a", Some("")),
    ]);
    assert_eq!(wait(store.meta_get("ns/a")), Ok(Some("2".into())));
    assert_eq!(wait(store.meta_get("nt/a")), Ok(Some("".into())));
    assert_eq!(wait(store.meta_get("ns/")), Ok(None));
    assert_eq!(scan("ns/"), ["ns/a", "ns/b"]);
    assert_eq!(scan(""), ["ns", "ns/a", "ns/b", "nt/a"]);
    // Later writes of one call win.
    put(&[
        ("ns/a", Some("4")),
        ("ns/b", None),
        ("ns/c", None),
        ("ns/a", Some("5")),
    ]);
    assert_eq!(
        wait(store.meta_scan("ns/")),
        Ok(vec![("ns/a".to_owned(), "5".into())])
    );
}

pub(crate) fn a_closed_store_says_so(store: &dyn Store) {
    let a = key("a", 1);
    let shard = Shard::open(store);
    shard.begin(&a, row(&a));
    let last = store.commit(shard.batch(vec![append(&a, 2)]));
    assert_eq!(wait(store.close()), Ok(()));
    assert_eq!(wait(last), Ok(()));
    assert_eq!(
        shard.try_commit(vec![append(&a, 3)]),
        Err(StoreError::Closed)
    );
    assert_eq!(wait(store.open_epoch(1)), Err(StoreError::Closed));
    assert_eq!(wait(store.load(&a)), Err(StoreError::Closed));
    assert_eq!(wait(store.wakes(0..1, 0, None, 1)), Err(StoreError::Closed));
    assert_eq!(wait(store.check()), Err(StoreError::Closed));
    assert_eq!(wait(store.close()), Err(StoreError::Closed));
}
