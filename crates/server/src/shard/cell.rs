//! One cached execution: its state and what the shard keeps beside it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::execution::{Execution, Record};
use engine::time::Timestamp;
use proto::temporal::api::query::v1::WorkflowQuery;
use store::ExecutionKey;

use super::When;
use super::look::Look;
use super::message::{AnswerTo, QueryAnswer};
use super::tail::Tail;
use super::update::UpdateWaiter;

/// Number of a commit of this shard; everything up to 0 is durable.
pub(super) type CommitId = u64;

/// Rewriting a wake time that moved to later costs more than the load that it saves, unless the run rests
/// at least so long.
const REST_MIN: Duration = Duration::from_secs(60);

/// A snapshot is due after so many records...
const SNAPSHOT_RECORDS: u32 = 256;
/// ...or after so many bytes of them, and in both cases not before they weigh as much as the last snapshot.
const SNAPSHOT_BYTES: usize = 64 << 10;

/// A cached execution.
pub(super) struct Cell {
    /// The fold of its journal, and what is known in memory only.
    pub(super) state: Execution,
    /// Its name in the store.
    pub(super) key: ExecutionKey,
    /// The end of its history.
    pub(super) tail: Tail,
    /// It is the current run of its workflow id.
    pub(super) current: bool,
    /// The wake time in the store's index, in ns since the epoch.
    pub(super) stored_wake: Option<i64>,
    /// The last commit that wrote it.
    pub(super) last_commit: CommitId,
    /// The earliest entry in the heap of deadlines.
    pub(super) armed: Option<Timestamp>,
    /// Used since the clock's hand last came by.
    pub(super) touched: bool,
    /// What it weighs in the cache's account.
    pub(super) weight: usize,
    /// Records since the last snapshot.
    pub(super) records_since: u32,
    /// Bytes of these.
    pub(super) bytes_since: usize,
    /// Bytes of the last snapshot.
    pub(super) snapshot_bytes: usize,
    /// Those who wait for it; few cells have any.
    pub(super) waiting: Option<Box<Waiting>>,
    /// In debug builds: a short journal whole, to fold it again.
    #[cfg(debug_assertions)]
    pub(super) journal: Option<Vec<Bytes>>,
}

/// Who waits for an execution.
#[derive(Default)]
pub(super) struct Waiting {
    /// Readers that wait for news.
    pub(super) readers: Vec<(When, Box<dyn Look>)>,
    /// The one question that waits for a workflow task.
    pub(super) query: Option<BufferedQuery>,
    /// Those who follow updates.
    pub(super) updates: Vec<UpdateWaiter>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.readers.is_empty() && self.query.is_none() && self.updates.is_empty()
    }
}

/// A question that goes out with the next workflow task.
pub(super) struct BufferedQuery {
    /// Its name in the task.
    pub(super) id: String,
    /// The question.
    pub(super) query: WorkflowQuery,
    /// Who asks.
    pub(super) answer: AnswerTo<QueryAnswer>,
}

impl Cell {
    /// A cell around a state.
    pub(super) fn new(state: Execution, key: ExecutionKey) -> Self {
        Self {
            state,
            key,
            tail: Tail::default(),
            current: false,
            stored_wake: None,
            last_commit: 0,
            armed: None,
            touched: true,
            weight: 0,
            records_since: 0,
            bytes_since: 0,
            snapshot_bytes: 0,
            waiting: None,
            #[cfg(debug_assertions)]
            journal: Some(Vec::new()),
        }
    }

    /// Whether what a reader waits for has come about.
    pub(super) fn satisfies(&self, when: When) -> bool {
        let state = &self.state;
        match when {
            When::EventsAfter(event_id) => {
                !state.is_open() || state.last_visible_event_id() > event_id
            }
            When::RecordsAfter(seq) => state.seq() > seq,
            When::Closed => !state.is_open(),
        }
    }

    /// When the store's index must lead to this run: the engine's answer while it is open or has something to
    /// deliver, then the end of its retention.
    pub(super) fn wake_at(&self, retention: Duration) -> Option<Timestamp> {
        let own = self.state.wake_at();
        [own, self.expires_at(retention)]
            .into_iter()
            .flatten()
            .min()
    }

    /// When this cell wants to be looked at by the shard.
    pub(super) fn deadline(&self, retention: Duration) -> Option<Timestamp> {
        let own = self.state.next_deadline();
        [own, self.expires_at(retention)]
            .into_iter()
            .flatten()
            .min()
    }

    /// When a closed run is deleted: when its retention ends, or at once if that was asked for and everybody who must
    /// know that it closed has been told.
    pub(super) fn expires_at(&self, retention: Duration) -> Option<Timestamp> {
        let closed = self.state.close_time()?;
        if self.state.is_deleting() && !self.state.has_messages() {
            return Some(Timestamp::MIN);
        }
        Some(closed.after(retention))
    }

    /// Whether a closed run's time is over.
    pub(super) fn is_expired(&self, retention: Duration, now: Timestamp) -> bool {
        self.expires_at(retention).is_some_and(|at| at <= now)
    }

    /// The wake time to write with the next record, if the stored one will not do. A stored time that is too
    /// early only costs a load, so moving it to later is worth a write only for a run that comes to rest.
    pub(super) fn wake_to_write(&self, retention: Duration, now: Timestamp) -> Option<Option<i64>> {
        let wake = self.wake_at(retention);
        let differs = match (wake, self.stored_wake) {
            (None, None) => false,
            (None, Some(_)) | (Some(_), None) => true,
            (Some(new), Some(stored)) => {
                new.0 < stored || (new.0 > stored && new.since(now) > REST_MIN)
            }
        };
        differs.then_some(wake.map(|at| at.0))
    }

    /// Whether the records since the last snapshot outweigh it.
    pub(super) fn snapshot_due(&self) -> bool {
        self.state.is_open()
            && (self.records_since >= SNAPSHOT_RECORDS || self.bytes_since >= SNAPSHOT_BYTES)
            && self.bytes_since >= self.snapshot_bytes
    }

    /// A record was appended.
    pub(super) fn recorded(
        &mut self,
        seq: u64,
        first_event_id: i64,
        history: Bytes,
        record: Bytes,
    ) {
        self.records_since = self.records_since.saturating_add(1);
        self.bytes_since = self.bytes_since.saturating_add(record.len());
        self.tail.push(seq, first_event_id, history);
        #[cfg(debug_assertions)]
        if let Some(journal) = &mut self.journal {
            journal.push(record);
        }
    }

    /// In debug builds: the state after a step is the fold of the journal and the step's record. Panics if not.
    /// The check reads the whole journal, so it ends when that gets long.
    #[cfg_attr(not(debug_assertions), expect(clippy::unused_self))]
    pub(super) fn check_fold(&mut self, record: Option<&Record>) {
        #[cfg(not(debug_assertions))]
        let _ = record;
        #[cfg(debug_assertions)]
        {
            /// Journals with more records are not checked.
            const CHECKED_MAX: usize = 64;
            let Some(journal) = &mut self.journal else {
                return;
            };
            if journal.len() > CHECKED_MAX {
                self.journal = None;
                return;
            }
            let records = journal.iter().cloned().chain(record.map(Record::encode));
            let id = Arc::clone(&self.key.workflow_id);
            let folded = Execution::load(self.key.kind, id, self.key.run_id, None, records);
            let same = folded
                .as_ref()
                .is_ok_and(|folded| folded.same_durable(&self.state));
            assert!(
                same,
                "not the fold of its journal: {:#?}\nfolded: {folded:#?}",
                self.state
            );
        }
    }

    /// A snapshot was written.
    pub(super) fn snapshotted(&mut self, bytes: usize) {
        self.records_since = 0;
        self.bytes_since = 0;
        self.snapshot_bytes = bytes;
    }

    /// Whether forgetting it would lose what the journal does not know, messages under way, or somebody who
    /// waits. What is due is done first.
    pub(super) fn is_pinned(&mut self, now: Timestamp) -> bool {
        self.forget_gone();
        self.state.is_volatile()
            || self.state.is_deleting()
            || self.waiting.is_some()
            || self.state.has_messages()
            || self.armed.is_some_and(|at| at <= now)
    }

    /// A rough estimate of the memory that this cell takes.
    pub(super) fn estimate(&self) -> usize {
        self.state.weight() + self.tail.bytes()
    }

    /// Those who wait, for one more.
    pub(super) fn waiting_mut(&mut self) -> &mut Waiting {
        self.forget_gone();
        self.waiting.get_or_insert_default()
    }

    /// Takes out the readers whose wait is over.
    pub(super) fn take_satisfied(&mut self) -> Vec<Box<dyn Look>> {
        let Some(mut waiting) = self.waiting.take() else {
            return Vec::new();
        };
        let mut satisfied = Vec::new();
        let mut left = Vec::new();
        for (when, look) in waiting.readers.drain(..) {
            if self.satisfies(when) {
                satisfied.push(look)
            } else {
                left.push((when, look))
            }
        }
        waiting.readers = left;
        if !waiting.is_empty() {
            self.waiting = Some(waiting);
        }
        satisfied
    }

    /// Forgets those who do not wait any more.
    fn forget_gone(&mut self) {
        let Some(waiting) = &mut self.waiting else {
            return;
        };
        waiting.readers.retain(|(_, look)| !look.is_abandoned());
        waiting.updates.retain(|waiter| !waiter.is_gone());
        if waiting
            .query
            .as_ref()
            .is_some_and(|query| query.answer.is_closed())
        {
            waiting.query = None;
        }
        if waiting.is_empty() {
            self.waiting = None;
        }
    }
}

/// The name of a new run in the store.
pub(super) fn key_of(slot: u16, state: &Execution) -> ExecutionKey {
    ExecutionKey {
        slot,
        namespace: state.namespace_id(),
        kind: state.kind().number(),
        workflow_id: Arc::clone(state.id()),
        run_id: state.run_id(),
    }
}
