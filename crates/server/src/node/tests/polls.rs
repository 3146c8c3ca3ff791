//! Polls: who gets what, and that nothing is lost on the way.

use std::time::Duration;

use engine::deployment::{Directive, Version};
use engine::execution::Kind;
use engine::time::Timestamp;
use engine::workflow::input::Input;
use engine::workflow::transition::{Priority, WorkflowTaskOffer};
use futures_util::FutureExt as _;
use proto::temporal::api::enums::v1::VersioningBehavior;
use store::ExecutionKey;
use tokio::time::Instant;
use uuid::Uuid;

use super::bed::{Bed, sticky};
use crate::matching::QueueKind;
use crate::node::{POLL_HOLD_MAX, Poll, PolledKind, poll_hold};

#[tokio::test]
async fn a_poll_without_tasks_ends_with_nothing() {
    let bed = Bed::new().await;
    let poll = Poll {
        until: Instant::now(),
        ..bed.poll("q")
    };
    assert!(
        bed.node
            .poll_workflow_task(&bed.namespace, poll)
            .await
            .unwrap()
            .is_none()
    );
    let described = bed
        .node
        .matching
        .describe(bed.namespace.id, "q", QueueKind::Workflow);
    assert_eq!(described.pollers.len(), 1);
}

#[tokio::test]
async fn a_waiting_poll_is_served() {
    let bed = Bed::new().await;
    let mut poll = Box::pin(bed.workflow_task());
    assert!((&mut poll).now_or_never().is_none());
    let run_id = bed.start("order-1").await;
    assert_eq!(poll.await.run_id, run_id);
}

#[tokio::test]
async fn a_task_delivered_to_a_poller_that_is_gone_goes_to_the_next() {
    let bed = Bed::new().await;
    let poll = bed.poll("q").into();
    let mut gone = Box::pin(
        bed.node
            .matching
            .poll(bed.namespace.id, QueueKind::Workflow, &poll),
    );
    assert!((&mut gone).now_or_never().is_none());
    let run_id = bed.start("order-1").await;
    // Delivered, but never looked at.
    drop(gone);
    assert_eq!(bed.workflow_task().await.run_id, run_id);
}

#[tokio::test]
async fn a_delivery_that_is_not_claimed_goes_back() {
    let bed = Bed::new().await;
    let run_id = bed.start("order-1").await;
    let poll = bed.poll("q").into();
    let delivery = bed
        .node
        .matching
        .poll(bed.namespace.id, QueueKind::Workflow, &poll)
        .await;
    assert!(delivery.is_some());
    drop(delivery);
    assert_eq!(bed.workflow_task().await.run_id, run_id);
}

#[tokio::test]
async fn a_sticky_queue_is_used_while_somebody_polls_it() {
    let bed = Bed::new().await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete_with(&task, sticky(vec![], "sticky-1", Duration::from_secs(10)))
        .await;
    let mut poll = Box::pin(bed.workflow_task_of("sticky-1"));
    assert!((&mut poll).now_or_never().is_none());
    bed.signal("order-1", "go").await.unwrap();
    let task = poll.await;
    assert_eq!(task.run_id, run_id);
    let PolledKind::WorkflowTask { task: started, .. } = &task.kind else {
        panic!("a query")
    };
    assert_eq!(started.history_from, started.previous_started_event_id + 1);
    bed.complete_with(&task, sticky(vec![], "sticky-1", Duration::from_secs(10)))
        .await;

    // Nobody for more than ten seconds: the next one is on the normal queue at once.
    bed.clock.advance(Duration::from_secs(11));
    bed.signal("order-1", "again").await.unwrap();
    assert_eq!(bed.workflow_task().await.run_id, run_id);
}

#[tokio::test]
async fn tasks_of_an_unloaded_sticky_queue_go_to_the_normal_one() {
    let bed = Bed::new().await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete_with(&task, sticky(vec![], "sticky-1", Duration::from_secs(10)))
        .await;
    let now = Poll {
        until: Instant::now(),
        ..bed.poll("sticky-1")
    };
    assert!(
        bed.node
            .poll_workflow_task(&bed.namespace, now)
            .await
            .unwrap()
            .is_none()
    );
    bed.signal("order-1", "go").await.unwrap();
    bed.node
        .matching
        .unload_sticky(bed.namespace.id, "sticky-1");
    assert_eq!(bed.workflow_task().await.run_id, run_id);
}

#[tokio::test]
async fn a_backlog_is_counted() {
    let bed = Bed::new().await;
    for i in 0..5 {
        bed.start(&format!("order-{i}")).await;
    }
    let described = bed
        .node
        .matching
        .describe(bed.namespace.id, "q", QueueKind::Workflow);
    assert_eq!(described.stats.backlog_count, 5);
    assert_eq!(bed.workflow_task().await.backlog_count_hint, 4);
    let described = bed
        .node
        .matching
        .describe(bed.namespace.id, "q", QueueKind::Workflow);
    assert_eq!(described.stats.backlog_count, 4);
}

#[tokio::test]
async fn tasks_of_a_run_that_is_over_leave_the_backlog() {
    let bed = Bed::new().await;
    for i in 0..3 {
        bed.start(&format!("order-{i}")).await;
    }
    let terminate = Input::Terminate(Box::default());
    let shards = &bed.node.shards;
    shards
        .step(&bed.namespace, "order-1", None, terminate)
        .await
        .unwrap();
    let count = || {
        let queues = &bed.node.matching;
        let described = queues.describe(bed.namespace.id, "q", QueueKind::Workflow);
        described.stats.backlog_count
    };
    assert_eq!(count(), 2);
    bed.workflow_task().await;
    bed.workflow_task().await;
    assert_eq!(count(), 0);
    assert_eq!(bed.node.matching.waiting_task_count(), 0);
}

#[tokio::test]
async fn a_worker_that_shuts_down_ends_its_polls() {
    let bed = Bed::new().await;
    let mut poll: crate::matching::Poll = bed.poll("q").into();
    poll.worker_instance_key = "w-1".to_owned();
    let matching = &bed.node.matching;
    let namespace = bed.namespace.id;
    let mut waiting = Box::pin(matching.poll(namespace, QueueKind::Workflow, &poll));
    assert!((&mut waiting).now_or_never().is_none());
    matching.dismiss_worker(namespace, "q", &[QueueKind::Activity], "w-1");
    matching.dismiss_worker(namespace, "q", &[QueueKind::Workflow], "w-2");
    assert!((&mut waiting).now_or_never().is_none());
    matching.dismiss_worker(namespace, "q", &[QueueKind::Workflow], "w-1");
    assert!(waiting.await.is_none());
    // Nor does it get anything that it asked for before.
    bed.start("order-1").await;
    let late = matching.poll(namespace, QueueKind::Workflow, &poll).await;
    assert!(late.is_none());
}

#[test]
fn a_poll_is_held_a_little_shorter_than_the_client_waits() {
    let s = Duration::from_secs;
    let max = POLL_HOLD_MAX;
    let hold = |left| poll_hold(Some(left), max);
    assert_eq!(hold(s(75)), Some(Duration::from_millis(58_500)));
    assert_eq!(hold(s(10)), Some(Duration::from_millis(8_500)));
    assert_eq!(hold(s(2)), Some(s(1)));
    assert_eq!(hold(Duration::from_millis(999)), None);
    assert_eq!(poll_hold(None, max), Some(Duration::from_millis(58_500)));
    assert_eq!(
        poll_hold(Some(s(75)), s(1)),
        Some(Duration::from_millis(500))
    );
}

#[tokio::test]
async fn a_task_that_needs_another_version_by_now_waits_for_that_one_alone() {
    let bed = Bed::new().await;
    let matching = &bed.node.matching;
    let key = ExecutionKey {
        slot: 0,
        namespace: bed.namespace.id,
        kind: Kind::Workflow.number(),
        workflow_id: "order-1".into(),
        run_id: Uuid::from_u128(1),
    };
    let offer = |build: &str| WorkflowTaskOffer {
        task_queue: "q".into(),
        sticky_queue: None,
        scheduled_event_id: 2,
        attempt: 1,
        scheduled_time: Timestamp(0),
        priority: Priority::default(),
        directive: Directive {
            behavior: VersioningBehavior::Pinned,
            version: Some(Version::new("d", build)),
            ..Directive::default()
        },
    };
    let waiting = |build: &str| {
        let version = Version::new("d", build);
        let kind = QueueKind::Workflow;
        let described = matching.describe_version(bed.namespace.id, "q", kind, Some(&version));
        described.stats.backlog_count
    };
    matching.offer_workflow_task(&key, offer("b1"));
    assert_eq!((waiting("b1"), waiting("b2")), (1, 0));
    // Loaded once more, the run offers it again: it waits already.
    matching.offer_workflow_task(&key, offer("b1"));
    assert_eq!((waiting("b1"), waiting("b2")), (1, 0));
    // By now the run is pinned to another version.
    matching.offer_workflow_task(&key, offer("b2"));
    assert_eq!((waiting("b1"), waiting("b2")), (0, 1));
    assert_eq!(matching.waiting_task_count(), 1);
}
