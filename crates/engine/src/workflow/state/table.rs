//! A table of pending things: it can undo, and it knows which entry is due next.
//!
//! Undo costs what the step touched, never what is pending (DESIGN section 1): the old value of a
//! touched entry is kept until the step is kept or undone.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Timestamp;

/// What a table must know of its entries.
pub trait Entry {
    /// When the entry must be looked at next, if ever.
    fn due(&self) -> Option<Timestamp>;
    /// Whether the entry waits for a worker or a delivery, so that a restarted server must find its run.
    fn ready(&self) -> bool;
}

/// Pending things by key, in key order.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    entries: BTreeMap<K, V>,
    due: BTreeSet<(Timestamp, K)>,
    ready: usize,
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            ready: 0,
            undo: Vec::new(),
        }
    }
}

impl<K: Ord + Clone, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<K: Ord + Clone, V: Clone + Entry> Table<K, V> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get(key)
    }

    /// Whether the key has an entry.
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.contains_key(key)
    }

    /// All entries in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// Entries from a key on, in key order.
    pub fn from_key(&self, key: &K) -> impl Iterator<Item = (&K, &V)> {
        self.entries.range(key..)
    }

    /// The first thing due, and whose it is.
    pub fn first_due(&self) -> Option<(Timestamp, &K)> {
        self.due.first().map(|(at, key)| (*at, key))
    }

    /// Whether an entry waits for a worker or a delivery.
    pub fn any_ready(&self) -> bool {
        self.ready > 0
    }

    /// Puts an entry.
    pub fn insert(&mut self, key: K, value: V) {
        let old = self.put(&key, Some(value));
        self.undo.push((key, old));
    }

    /// Takes an entry away and gives it back.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let old = self.put(key, None)?;
        self.undo.push((key.clone(), Some(old.clone())));
        Some(old)
    }

    /// Changes an entry. Does nothing when there is none.
    pub fn update(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        let Some(old) = self.entries.get(key) else {
            return;
        };
        let mut new = old.clone();
        change(&mut new);
        self.insert(key.clone(), new);
    }

    /// Puts or takes away, keeps the indexes right, and returns what was there.
    fn put(&mut self, key: &K, value: Option<V>) -> Option<V> {
        if let Some(new) = &value {
            self.ready += usize::from(new.ready());
            if let Some(at) = new.due() {
                self.due.insert((at, key.clone()));
            }
        }
        let new_due = value.as_ref().and_then(Entry::due);
        let old = match value {
            Some(new) => self.entries.insert(key.clone(), new),
            None => self.entries.remove(key),
        };
        if let Some(old) = &old {
            self.ready -= usize::from(old.ready());
            if let Some(at) = old.due()
                && Some(at) != new_due
            {
                self.due.remove(&(at, key.clone()));
            }
        }
        old
    }

    /// The step is kept: what it replaced is forgotten.
    pub fn keep(&mut self) {
        self.undo.clear();
    }

    /// How much has been touched so far: a mark for [`Self::undo_to`].
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Undoes everything since the mark, last first.
    pub fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((key, old)) = self.undo.pop() {
                self.put(&key, old);
            }
        }
    }
}
