//! What is deleted is wholly deleted.

use engine::execution::Kind;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::rejection::Rejection;
use proto::temporal::api::enums::v1::{EventType, ParentClosePolicy};
use store::Check;

use super::bed::{Bed, RETENTION, complete_workflow, start_child};
use super::restart::Folder;
use crate::shard::CallError;

async fn nothing_left(bed: &Bed) {
    let check = bed.store.check().await.unwrap();
    assert_eq!(check, Check::default());
}

#[tokio::test]
async fn an_open_run_is_terminated_and_deleted() {
    let bed = Bed::new().await;
    let run_id = bed.start("order-1").await;
    bed.node
        .shards
        .delete(&bed.namespace, Kind::Workflow, "order-1", None)
        .await
        .unwrap();
    bed.gone("order-1", run_id).await;
    nothing_left(&bed).await;
    let error = bed.signal("order-1", "hello").await.unwrap_err();
    assert_eq!(error.to_string(), "workflow not found for ID: order-1");
    // Its workflow id is free again.
    bed.start("order-1").await;
}

#[tokio::test]
async fn a_deleted_child_tells_its_parent_first() {
    let bed = Bed::new().await;
    let parent = bed.start("parent").await;
    let task = bed.workflow_task().await;
    bed.complete(
        &task,
        vec![start_child("child", ParentClosePolicy::Terminate)],
    )
    .await;
    bed.until(|| async {
        bed.node
            .shards
            .read(&bed.namespace, "child", None, |_| ())
            .await
            .is_ok()
    })
    .await;
    bed.node
        .shards
        .delete(&bed.namespace, Kind::Workflow, "child", None)
        .await
        .unwrap();
    bed.until(|| async {
        let children = bed
            .node
            .shards
            .read(&bed.namespace, "parent", Some(parent), |s| s.children.len());
        bed.store.check().await.unwrap().executions == 1 && children.await.unwrap() == 0
    })
    .await;
}

#[tokio::test]
async fn a_deletion_goes_on_after_a_restart() {
    let folder = Folder::new();
    let bed = Bed::over(folder.store()).await;
    let parent = bed.start("parent").await;
    let task = bed.workflow_task().await;
    bed.complete(
        &task,
        vec![start_child("child", ParentClosePolicy::Terminate)],
    )
    .await;
    bed.until(|| async {
        let children = bed
            .node
            .shards
            .read(&bed.namespace, "parent", Some(parent), |s| {
                s.children.iter().all(|(_, child)| child.started.is_some())
            });
        children.await.unwrap()
    })
    .await;
    // The parent is out of reach, so that the child cannot tell it that it has closed.
    bed.until(|| async {
        drop(bed.signal("parent", "panic").await);
        let refused = bed.signal("parent", "fine").await;
        matches!(refused, Err(CallError::Rejected(Rejection::Internal(_))))
    })
    .await;
    let shards = &bed.node.shards;
    shards
        .delete(&bed.namespace, Kind::Workflow, "child", None)
        .await
        .unwrap();
    assert_eq!(bed.store.check().await.unwrap().executions, 2);
    bed.node.stop().await;

    let bed = bed.again(folder.store()).await;
    bed.until(|| async { bed.store.check().await.unwrap().executions == 1 })
        .await;
    let events = bed.events("parent", Some(parent)).await;
    assert!(
        events.contains(&EventType::ChildWorkflowExecutionTerminated),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_closed_run_goes_when_its_retention_ends() {
    let bed = Bed::new().await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    bed.clock.advance(RETENTION - Duration::from_secs(1));
    assert!(bed.closed("order-1", run_id).await.is_some());
    bed.clock.advance(Duration::from_secs(2));
    bed.gone("order-1", run_id).await;
    nothing_left(&bed).await;
}

#[tokio::test]
async fn a_closed_run_that_left_memory_goes_too() {
    let bed = Bed::forgetful().await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    bed.clock.advance(RETENTION + Duration::from_secs(1));
    bed.until(|| async {
        drop(bed.signal("nobody", "hello").await);
        drop(bed.signal("nobody-else", "hello").await);
        drop(bed.signal("no-one", "hello").await);
        bed.store.check().await.unwrap().executions == 0
    })
    .await;
    bed.gone("order-1", run_id).await;
    nothing_left(&bed).await;
}

#[tokio::test]
async fn a_namespace_is_emptied() {
    let bed = Bed::new().await;
    for i in 0..20 {
        bed.start(&format!("order-{i}")).await;
    }
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    bed.namespaces.deleted.store(true, Ordering::SeqCst);
    bed.node.shards.delete_all(&bed.namespace).await.unwrap();
    nothing_left(&bed).await;
}
