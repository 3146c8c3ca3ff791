//! What survives the end of a node.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::enums::v1::EventType;
use store::{SqliteStore, Store, StoreError};

use super::bed::{Bed, complete_workflow, schedule_activity, start_timer};

pub(super) struct Folder(std::path::PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("steadfast-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        loop {
            match SqliteStore::open(&self.0.join("test.db")) {
                Ok(store) => return Arc::new(store),
                // The store before lets go of the file a moment after it has closed.
                Err(StoreError::Locked { .. }) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[tokio::test]
async fn a_workflow_goes_on_after_a_restart() {
    let folder = Folder::new();
    let bed = Bed::over(folder.store()).await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![schedule_activity("a")]).await;
    bed.start("order-2").await;
    // A workflow task that was picked up and not completed is offered again.
    let lost = bed.workflow_task().await;
    assert_eq!(&*lost.workflow_id, "order-2");
    bed.node.stop().await;

    let bed = bed.again(folder.store()).await;
    let task = bed.workflow_task().await;
    assert_eq!(&*task.workflow_id, "order-2");
    let activity = bed.activity_task().await;
    bed.complete_activity(&activity).await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    assert_eq!(
        bed.closed("order-1", run_id).await,
        Some(EventType::WorkflowExecutionCompleted)
    );
    let check = bed.store.check().await.unwrap();
    assert_eq!(
        (check.executions, check.orphans, check.gaps, check.doubles),
        (2, 0, 0, 0)
    );
}

#[tokio::test]
async fn timers_that_came_due_while_the_node_was_away_fire() {
    let folder = Folder::new();
    let bed = Bed::over(folder.store()).await;
    for i in 0..50 {
        bed.start(&format!("order-{i}")).await;
        let task = bed.workflow_task().await;
        bed.complete(&task, vec![start_timer("t", Duration::from_secs(60 + i))])
            .await;
    }
    bed.node.stop().await;
    bed.clock.advance(Duration::from_secs(200));
    let bed = bed.again(folder.store()).await;
    let mut fired = std::collections::BTreeSet::new();
    for _ in 0..50 {
        fired.insert(bed.workflow_task().await.workflow_id);
    }
    assert_eq!(fired.len(), 50);
}

#[tokio::test]
async fn a_stopped_node_refuses() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    let poll = bed.poll("empty");
    let (polled, ()) = tokio::join!(bed.node.poll_workflow_task(&bed.namespace, poll), async {
        tokio::task::yield_now().await;
        bed.node.stop().await;
    });
    assert!(polled.unwrap().is_none());
    let error = bed.signal("order-1", "late").await.unwrap_err();
    assert!(
        matches!(error, crate::shard::CallError::Unavailable(_)),
        "{error}"
    );
}
