//! The executions that a shard has in memory: by run, and the current run of each workflow id.
//!
//! Bounded by an estimate of bytes. Out goes what was not used since the clock's hand last came by.

use std::collections::VecDeque;
use std::sync::Arc;

use engine::execution::Execution;
use engine::time::Timestamp;
use hashbrown::{Equivalent, HashMap};
use store::ExecutionKey;
use uuid::Uuid;

use super::cell::{Cell, CommitId};

/// A workflow id, or the id of an execution of another kind, and its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WorkflowKey {
    /// The namespace.
    pub(super) namespace: Uuid,
    /// The kind.
    pub(super) kind: u8,
    /// The id.
    pub(super) workflow_id: Arc<str>,
}

/// A [`WorkflowKey`] that borrows its id.
#[derive(Clone, Copy, Hash)]
pub(super) struct WorkflowRef<'a> {
    /// The namespace.
    pub(super) namespace: Uuid,
    /// The kind.
    pub(super) kind: u8,
    /// The id.
    pub(super) workflow_id: &'a str,
}

impl Equivalent<WorkflowKey> for WorkflowRef<'_> {
    fn equivalent(&self, key: &WorkflowKey) -> bool {
        self.namespace == key.namespace
            && self.kind == key.kind
            && *self.workflow_id == *key.workflow_id
    }
}

fn id_of(key: &ExecutionKey) -> WorkflowKey {
    WorkflowKey {
        namespace: key.namespace,
        kind: key.kind,
        workflow_id: Arc::clone(&key.workflow_id),
    }
}

/// What is known of the current run of a workflow id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Current {
    /// It is this one, and it is in memory.
    Run(Uuid),
    /// It left memory in a way that the store does not know of yet.
    Void(Void),
}

/// Why a run that was in memory must not be loaded yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Void {
    /// It is deleted; the store knows when this commit is durable.
    Deleted(CommitId),
    /// A step of it went wrong; the store knows its last good state when this commit is durable.
    Broken(CommitId),
}

impl Void {
    /// The commit with which the store knows.
    pub(super) fn commit(self) -> CommitId {
        let (Self::Deleted(commit) | Self::Broken(commit)) = self;
        commit
    }
}

/// See the module.
pub(super) struct Cache {
    cells: HashMap<Uuid, Box<Cell>>,
    current: HashMap<WorkflowKey, Current>,
    voids: HashMap<Uuid, Void>,
    /// The clock's face: every cell once.
    clock: VecDeque<Uuid>,
    bytes: usize,
    bytes_max: usize,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            cells: HashMap::new(),
            current: HashMap::new(),
            voids: HashMap::new(),
            clock: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Executions in memory.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Bytes of them, as estimated.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A run, if it is in memory.
    pub(super) fn get_mut(&mut self, run_id: Uuid) -> Option<&mut Cell> {
        self.cells.get_mut(&run_id).map(Box::as_mut)
    }

    /// Whether a run is in memory.
    pub(super) fn contains(&self, run_id: Uuid) -> bool {
        self.cells.contains_key(&run_id)
    }

    /// Why a run must not be loaded, if so.
    pub(super) fn void(&self, run_id: Uuid) -> Option<Void> {
        self.voids.get(&run_id).copied()
    }

    /// What is known of the current run of a workflow id.
    pub(super) fn current(&self, id: WorkflowRef<'_>) -> Option<Current> {
        self.current.get(&id).copied()
    }

    /// Takes a run into memory. A current one takes the mark from the one before.
    pub(super) fn insert(&mut self, mut cell: Box<Cell>) {
        let run_id = cell.key.run_id;
        cell.weight = cell.estimate();
        self.bytes += cell.weight;
        if cell.current {
            let key = id_of(&cell.key);
            if let Some(Current::Run(before)) = self.current.insert(key, Current::Run(run_id))
                && before != run_id
                && let Some(before) = self.cells.get_mut(&before)
            {
                before.current = false;
            }
        }
        self.voids.remove(&run_id);
        self.clock.push_back(run_id);
        self.cells.insert(run_id, cell);
    }

    /// Brings the account up to date after a step.
    pub(super) fn weigh(&mut self, run_id: Uuid) {
        if let Some(cell) = self.cells.get_mut(&run_id) {
            let weight = cell.estimate();
            self.bytes = self.bytes - cell.weight + weight;
            cell.weight = weight;
        }
    }

    /// Takes a run out of memory.
    pub(super) fn remove(&mut self, run_id: Uuid) -> Option<Box<Cell>> {
        let cell = self.cells.remove(&run_id)?;
        self.bytes -= cell.weight;
        let id = WorkflowRef {
            namespace: cell.key.namespace,
            kind: cell.key.kind,
            workflow_id: &cell.key.workflow_id,
        };
        if self.current.get(&id) == Some(&Current::Run(run_id)) {
            self.current.remove(&id);
        }
        Some(cell)
    }

    /// Takes a run out that the store must not be asked for before its commit is durable.
    pub(super) fn make_void(&mut self, run_id: Uuid, void: Void) -> Option<Box<Cell>> {
        let cell = self.remove(run_id)?;
        self.voids.insert(run_id, void);
        if cell.current {
            let key = id_of(&cell.key);
            self.current.insert(key, Current::Void(void));
        }
        Some(cell)
    }

    /// Forgets which runs must not be loaded, up to a durable commit.
    pub(super) fn forget_voids(&mut self, durable: CommitId) {
        if self.voids.is_empty() {
            return;
        }
        self.voids.retain(|_, void| void.commit() > durable);
        self.current.retain(
            |_, current| !matches!(current, Current::Void(void) if void.commit() <= durable),
        );
    }

    /// Takes out everything that was written after the last durable commit, and all voids.
    pub(super) fn drop_undurable(&mut self, durable: CommitId) -> Vec<Cell> {
        self.voids.clear();
        self.current
            .retain(|_, current| matches!(current, Current::Run(_)));
        let lost: Vec<Uuid> = self
            .cells
            .values()
            .filter(|cell| cell.last_commit > durable)
            .map(|cell| cell.key.run_id)
            .collect();
        lost.into_iter()
            .filter_map(|run_id| self.remove(run_id).map(|cell| *cell))
            .collect()
    }

    /// Takes out one that is to leave while there is too much. `looks` is how far the hand may still go.
    pub(super) fn evict(
        &mut self,
        durable: CommitId,
        now: Timestamp,
        looks: &mut usize,
    ) -> Option<Box<Cell>> {
        while self.bytes > self.bytes_max && *looks > 0 {
            *looks -= 1;
            let run_id = self.clock.pop_front()?;
            let Some(cell) = self.cells.get_mut(&run_id) else {
                continue;
            };
            if !cell.touched && cell.last_commit <= durable && !cell.is_pinned(now) {
                return self.remove(run_id);
            }
            cell.touched = false;
            self.clock.push_back(run_id);
        }
        None
    }

    /// The executions in memory.
    pub(super) fn states(&self) -> impl Iterator<Item = &Execution> + '_ {
        self.cells.values().map(|cell| &cell.state)
    }

    /// The runs in memory that are armed, and when.
    pub(super) fn armed(&self) -> impl Iterator<Item = (Timestamp, Uuid)> + '_ {
        self.cells
            .values()
            .filter_map(|cell| Some((cell.armed?, cell.key.run_id)))
    }
}
