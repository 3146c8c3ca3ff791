//! Who may write.

use steadfast_store::{Store, StoreError};

use crate::support::*;

pub(crate) fn epochs_grow(store: &dyn Store) {
    let epochs: Vec<_> = (0..3).map(|_| wait(store.open_epoch(1)).unwrap()).collect();
    assert!(
        epochs[0] > 0 && epochs.is_sorted_by(|a, b| a < b),
        "{epochs:?}"
    );
}

pub(crate) fn an_older_epoch_is_fenced(store: &dyn Store) {
    let a = key("a", 1);
    let old = Shard::open(store);
    old.begin(&a, row(&a));
    // What was queued before the new epoch still lands.
    let queued = store.commit(old.batch(vec![append(&a, 2)]));
    let new = Shard::open(store);
    assert_eq!(wait(queued), Ok(()));
    assert_eq!(
        old.try_commit(vec![append(&a, 3)]),
        Err(StoreError::Fenced {
            shard: 1,
            epoch: old.epoch,
            current: new.epoch
        })
    );
    new.commit(vec![append(&a, 3)]);
    // A fenced write does not harm its run.
    assert!(old.try_commit(vec![append(&a, 4)]).is_err());
    new.commit(vec![append(&a, 4)]);
}

pub(crate) fn a_shard_without_an_epoch_is_fenced(store: &dyn Store) {
    let a = key("a", 1);
    for epoch in [0, 1] {
        let shard = Shard {
            store,
            number: 5,
            epoch,
        };
        let fenced = StoreError::Fenced {
            shard: 5,
            epoch,
            current: 0,
        };
        assert_eq!(shard.try_commit(vec![begin(&a, row(&a))]), Err(fenced));
    }
    assert_eq!(wait(store.load(&a)).unwrap(), None);
}

pub(crate) fn shards_have_epochs_of_their_own(store: &dyn Store) {
    let (a, b) = (key("a", 1), key("b", 2));
    let (first, second) = (Shard::numbered(store, 1), Shard::numbered(store, 2));
    wait(store.open_epoch(1)).unwrap();
    assert!(first.try_commit(vec![begin(&a, row(&a))]).is_err());
    second.begin(&b, row(&b));
}
