//! Reading history: pages, both ways, and waiting for more.

use futures_util::FutureExt as _;
use proto::temporal::api::enums::v1::EventType;
use tokio::time::Instant;
use uuid::Uuid;

use super::bed::{Bed, PATIENCE, complete_workflow, decode};
use crate::shard::{HistoryCursor, HistoryPage, HistoryRequest, When};

fn request(from: Option<HistoryCursor>, page_size: usize, reverse: bool) -> HistoryRequest {
    HistoryRequest {
        run_id: None,
        from,
        page_size,
        reverse,
        transient: true,
        wait_until: None,
    }
}

async fn page(bed: &Bed, request: HistoryRequest) -> HistoryPage {
    bed.node
        .shards
        .history(&bed.namespace, "order-1", request)
        .await
        .unwrap()
}

async fn ids(bed: &Bed, page_size: usize, reverse: bool) -> Vec<i64> {
    let mut ids = Vec::new();
    let mut from = None;
    loop {
        let page = page(bed, request(from, page_size, reverse)).await;
        ids.extend(decode(&page.fragments).iter().map(|event| event.event_id));
        if !page.more {
            return ids;
        }
        from = Some(page.next);
    }
}

async fn long_history(bed: &Bed) -> Uuid {
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![]).await;
    // Far more than what is kept in memory.
    for i in 0..40 {
        bed.signal("order-1", &format!("{i}{}", "x".repeat(5000)))
            .await
            .unwrap();
    }
    run_id
}

#[tokio::test]
async fn pages_of_a_short_history() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![]).await;
    bed.signal("order-1", "go").await.unwrap();
    for page_size in [0, 1, 2, 3] {
        assert_eq!(
            ids(&bed, page_size, false).await,
            [1, 2, 3, 4, 5, 6],
            "page size {page_size}"
        );
        assert_eq!(
            ids(&bed, page_size, true).await,
            [6, 5, 4, 3, 2, 1],
            "page size {page_size}"
        );
    }
}

#[tokio::test]
async fn pages_of_a_history_that_memory_does_not_hold() {
    let bed = Bed::new().await;
    long_history(&bed).await;
    let all: Vec<i64> = (1..=45).collect();
    let reversed: Vec<i64> = all.iter().rev().copied().collect();
    for page_size in [0, 1, 7] {
        assert_eq!(
            ids(&bed, page_size, false).await,
            all,
            "page size {page_size}"
        );
        assert_eq!(
            ids(&bed, page_size, true).await,
            reversed,
            "page size {page_size}"
        );
    }
}

#[tokio::test]
async fn a_workflow_task_carries_a_history_that_memory_does_not_hold() {
    let bed = Bed::new().await;
    long_history(&bed).await;
    let task = bed.workflow_task().await;
    assert!(task.history.next.is_none());
    let events = decode(&task.history.fragments);
    let ids: Vec<i64> = events.iter().map(|event| event.event_id).collect();
    assert_eq!(ids, (1..=46).collect::<Vec<_>>());
    assert_eq!(
        events.last().unwrap().event_type(),
        EventType::WorkflowTaskStarted
    );
}

#[tokio::test]
async fn a_started_workflow_task_is_seen_once() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    let task = bed.workflow_task().await;
    let first = page(&bed, request(None, 0, false)).await;
    assert_eq!(decode(&first.fragments).len(), 3);
    bed.complete(&task, vec![complete_workflow()]).await;
    let second = page(&bed, request(Some(first.next), 0, false)).await;
    let ids: Vec<i64> = decode(&second.fragments)
        .iter()
        .map(|event| event.event_id)
        .collect();
    assert_eq!(ids, [4, 5]);
    assert!(!second.open);
}

#[tokio::test]
async fn a_reader_waits_for_more() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    let first = page(&bed, request(None, 0, false)).await;
    let wait = |until| HistoryRequest {
        wait_until: Some(until),
        ..request(Some(first.next), 0, false)
    };
    let nothing = page(&bed, wait(Instant::now())).await;
    assert!(nothing.fragments.is_empty() && nothing.open);
    assert_eq!(nothing.next, first.next);
    let mut more = Box::pin(page(&bed, wait(Instant::now() + PATIENCE)));
    assert!((&mut more).now_or_never().is_none());
    bed.signal("order-1", "go").await.unwrap();
    let events = decode(&more.await.fragments);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type(), EventType::WorkflowExecutionSignaled);
}

#[tokio::test]
async fn waiting_for_the_end_ends_with_the_patience() {
    let bed = Bed::new().await;
    let run_id = bed.start("order-1").await;
    let closed = bed.node.shards.read_when(
        &bed.namespace,
        "order-1",
        Some(run_id),
        When::Closed,
        Instant::now(),
        |_| (),
    );
    assert!(closed.await.unwrap().is_none());
}
