//! Where each task waits, so that one that nobody wants any more can be taken away: its run closed, its
//! time ran out, the caller of a query hung up.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Weak};

use engine::deployment::Directive;
use engine::matching::Ticket;
use uuid::Uuid;

use super::STRIPES;
use super::queue::Queue;
use crate::sync::{Mutex, lock};

/// A task: the run and its scheduled event; or the number of a query, and 0.
pub(super) type TaskId = (Uuid, i64);

/// Attempt, stamp, and the version needed: a task offered anew with others takes the old one's place.
pub(super) type Generation = (i32, i32, Option<Arc<Directive>>);

/// A place in a queue.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) generation: Generation,
    pub(super) queue: Weak<Queue>,
    pub(super) ticket: Ticket,
}

impl Place {
    pub(super) fn is_in(&self, queue: &Arc<Queue>) -> bool {
        std::ptr::eq(self.queue.as_ptr(), Arc::as_ptr(queue))
    }
}

/// The tasks that wait. Its locks are taken last: nothing is called while one is held.
pub(super) struct WaitingTasks {
    stripes: [Mutex<BTreeMap<TaskId, Place>>; STRIPES],
    hasher: RandomState,
}

impl WaitingTasks {
    pub(super) fn new() -> Self {
        Self {
            stripes: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn get(&self, id: TaskId) -> Option<Place> {
        lock(self.stripe(id.0)).get(&id).cloned()
    }

    pub(super) fn insert(&self, id: TaskId, place: Place) {
        lock(self.stripe(id.0)).insert(id, place);
    }

    /// The task left this queue.
    pub(super) fn left(&self, id: TaskId, queue: &Arc<Queue>) {
        let mut tasks = lock(self.stripe(id.0));
        if tasks.get(&id).is_some_and(|place| place.is_in(queue)) {
            tasks.remove(&id);
        }
    }

    pub(super) fn take(&self, id: TaskId) -> Option<Place> {
        lock(self.stripe(id.0)).remove(&id)
    }

    /// All that waits of one run.
    pub(super) fn take_all(&self, run_id: Uuid) -> Vec<Place> {
        let mut tasks = lock(self.stripe(run_id));
        let of_run = tasks.range((run_id, i64::MIN)..=(run_id, i64::MAX));
        let ids: Vec<TaskId> = of_run.map(|(id, _)| *id).collect();
        ids.iter().filter_map(|id| tasks.remove(id)).collect()
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.stripes.iter().map(|stripe| lock(stripe).len()).sum()
    }

    fn stripe(&self, id: Uuid) -> &Mutex<BTreeMap<TaskId, Place>> {
        // The remainder is below the number of stripes.
        let index = (self.hasher.hash_one(id) % STRIPES as u64) as usize;
        &self.stripes[index]
    }
}
