//! A store that fails: nothing that was acknowledged is lost, nothing else is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use engine::rejection::Rejection;
use proto::temporal::api::enums::v1::EventType;
use store::{
    Answer, Batch, Check, Column, ExecutionKey, Filter, Loaded, MemoryStore, OrderBy, Page,
    RecordRange, Stats, Store, StoreError, Value, Wake, WakeCursor,
};
use uuid::Uuid;

use super::bed::{Bed, complete_workflow, schedule_activity, start_timer};
use crate::shard::CallError;

/// Passes everything on, and fails commits when told to.
#[derive(Default)]
struct FaultyStore {
    inner: MemoryStore,
    /// Commits to fail from now on.
    failing: AtomicU32,
    /// Epochs that do not open from now on.
    closed: AtomicU32,
    /// The next failure writes all the same: the caller cannot know.
    ambiguous: AtomicBool,
}

impl FaultyStore {
    fn fail_next(&self, commits: u32) {
        self.failing.store(commits, Ordering::SeqCst);
    }
}

impl Store for FaultyStore {
    fn commit(&self, batch: Batch) -> Answer<()> {
        let failing = self
            .failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if failing.is_ok() {
            if self.ambiguous.swap(false, Ordering::SeqCst) {
                drop(self.inner.commit(batch));
            }
            let cause = "disk full".into();
            return Box::pin(async { Err(StoreError::Unavailable { cause }) });
        }
        self.inner.commit(batch)
    }
    fn open_epoch(&self, shard: u32) -> Answer<u64> {
        let closed = self
            .closed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if closed.is_ok() {
            let cause = "disk full".into();
            return Box::pin(async { Err(StoreError::Unavailable { cause }) });
        }
        self.inner.open_epoch(shard)
    }
    fn current(
        &self,
        slot: u16,
        namespace: Uuid,
        kind: u8,
        workflow_id: &str,
    ) -> Answer<Option<ExecutionKey>> {
        self.inner.current(slot, namespace, kind, workflow_id)
    }
    fn find(
        &self,
        slot: u16,
        namespace: Uuid,
        kind: u8,
        workflow_id: &str,
        run_id: Uuid,
    ) -> Answer<Option<ExecutionKey>> {
        self.inner.find(slot, namespace, kind, workflow_id, run_id)
    }
    fn load(&self, key: &ExecutionKey) -> Answer<Option<Loaded>> {
        // Not at once: as a store over a network would.
        let answer = self.inner.load(key);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer.await
        })
    }
    fn records(&self, key: &ExecutionKey, range: RecordRange) -> Answer<Vec<(u64, Bytes)>> {
        self.inner.records(key, range)
    }
    fn wakes(
        &self,
        slots: std::ops::Range<u16>,
        before: i64,
        after: Option<WakeCursor>,
        limit: usize,
    ) -> Answer<Vec<Wake>> {
        self.inner.wakes(slots, before, after, limit)
    }
    fn list(
        &self,
        namespace: Uuid,
        filter: &Filter,
        order: &[OrderBy],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Answer<Page> {
        self.inner.list(namespace, filter, order, after, limit)
    }
    fn count(
        &self,
        namespace: Uuid,
        filter: &Filter,
        group_by: &[Column],
    ) -> Answer<Vec<(Vec<Value>, u64)>> {
        self.inner.count(namespace, filter, group_by)
    }
    fn meta_get(&self, key: &str) -> Answer<Option<Bytes>> {
        self.inner.meta_get(key)
    }
    fn meta_put(&self, writes: Vec<(String, Option<Bytes>)>) -> Answer<()> {
        self.inner.meta_put(writes)
    }
    fn meta_scan(&self, prefix: &str) -> Answer<Vec<(String, Bytes)>> {
        self.inner.meta_scan(prefix)
    }
    fn check(&self) -> Answer<Check> {
        self.inner.check()
    }
    fn stats(&self) -> Stats {
        self.inner.stats()
    }
    fn close(&self) -> Answer<()> {
        self.inner.close()
    }
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, CallError>) {
    assert!(
        matches!(result, Err(CallError::Unavailable(_))),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_failed_commit_leaves_no_trace() {
    let store = Arc::new(FaultyStore::default());
    let bed = Bed::over(store.clone()).await;
    bed.start("order-1").await;
    store.fail_next(1);
    unavailable(bed.signal("order-1", "lost").await);
    let events = bed.events("order-1", None).await;
    assert!(
        !events.contains(&EventType::WorkflowExecutionSignaled),
        "{events:?}"
    );
    bed.signal("order-1", "kept").await.unwrap();

    store.fail_next(1);
    unavailable(bed.try_start("order-2").await);
    let missing = bed.signal("order-2", "hello").await;
    assert!(
        matches!(missing, Err(CallError::Rejected(_))),
        "{missing:?}"
    );
}

#[tokio::test]
async fn work_goes_on_after_a_failed_commit() {
    let store = Arc::new(FaultyStore::default());
    let bed = Bed::over(store.clone()).await;
    let run_id = bed.start("order-1").await;
    let lost = bed.workflow_task().await;
    bed.clock.advance(Duration::from_millis(1));
    store.fail_next(1);
    unavailable(bed.signal("order-1", "lost").await);
    // The workflow task's start was in memory alone; it is offered again.
    let task = bed.workflow_task().await;
    assert_ne!(task.task_token, lost.task_token);
    bed.complete(&task, vec![schedule_activity("a")]).await;
    let activity = bed.activity_task().await;
    bed.complete_activity(&activity).await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    assert_eq!(
        bed.closed("order-1", run_id).await,
        Some(EventType::WorkflowExecutionCompleted)
    );
}

#[tokio::test]
async fn an_ambiguous_commit_is_found_when_it_landed() {
    let store = Arc::new(FaultyStore::default());
    let bed = Bed::over(store.clone()).await;
    bed.start("other").await;
    store.ambiguous.store(true, Ordering::SeqCst);
    store.fail_next(1);
    unavailable(bed.try_start("order-1").await);
    // The same request again finds its run, and the task that nobody was told of is offered.
    let again = bed.try_start("order-1").await.unwrap().reply;
    assert!(again.started);
    let mut offered = [
        bed.workflow_task().await.workflow_id,
        bed.workflow_task().await.workflow_id,
    ];
    offered.sort();
    assert_eq!(offered.map(|id| id.to_string()), ["order-1", "other"]);
}

#[tokio::test]
async fn an_activity_that_was_not_recorded_is_not_handed_out() {
    let store = Arc::new(FaultyStore::default());
    let bed = Bed::over(store.clone()).await;
    bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![schedule_activity("a")]).await;
    store.fail_next(1);
    let polled = bed
        .node
        .poll_activity_task(&bed.namespace, bed.poll("q"))
        .await;
    unavailable(polled);
    let activity = bed.activity_task().await;
    assert_eq!(activity.attempt, 1);
    bed.complete_activity(&activity).await;
}

#[tokio::test]
async fn a_step_that_panics_harms_nobody_else() {
    let bed = Bed::new().await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![schedule_activity("a")]).await;
    let broken = bed.signal("order-1", "panic").await;
    assert!(
        matches!(broken, Err(CallError::Rejected(Rejection::Internal(_)))),
        "{broken:?}"
    );
    // It goes on from its last good state, and so do its neighbours.
    bed.until(|| async { bed.signal("order-1", "fine").await.is_ok() })
        .await;
    for i in 0..8 {
        bed.start(&format!("neighbour-{i}")).await;
    }
    let activity = bed.activity_task().await;
    bed.complete_activity(&activity).await;
    assert!(
        bed.events("order-1", Some(run_id))
            .await
            .contains(&EventType::WorkflowExecutionSignaled)
    );
}

#[tokio::test]
async fn a_run_whose_steps_keep_panicking_is_quarantined() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    bed.until(|| async {
        drop(bed.signal("order-1", "panic").await);
        let read = bed.signal("order-1", "fine").await;
        matches!(read, Err(CallError::Rejected(Rejection::Internal(_))))
    })
    .await;
    bed.start("order-2").await;
    bed.signal("order-2", "fine").await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_away_for_a_while_is_waited_for() {
    let store = Arc::new(FaultyStore::default());
    let bed = Bed::over(store.clone()).await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![start_timer("t", Duration::from_secs(30))])
        .await;
    store.closed.store(3, Ordering::SeqCst);
    store.fail_next(1);
    unavailable(bed.signal("order-1", "lost").await);
    unavailable(bed.signal("order-1", "refused").await);
    bed.clock.advance(Duration::from_secs(31));
    // By itself, without a call: the timer fires when the store is back.
    let task = bed.workflow_task().await;
    assert_eq!(task.run_id, run_id);
    assert!(
        bed.events("order-1", None)
            .await
            .contains(&EventType::TimerFired)
    );
}

#[tokio::test]
async fn a_store_that_opens_late_is_waited_for() {
    let store = Arc::new(FaultyStore::default());
    store.closed.store(2, Ordering::SeqCst);
    let bed = Bed::over(store.clone()).await;
    bed.until(|| async { bed.try_start("order-1").await.is_ok() })
        .await;
    bed.node.stop().await;
}
