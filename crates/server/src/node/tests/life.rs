//! Lives of workflows.

use std::time::Duration;

use proto::temporal::api::enums::v1::{EventType, ParentClosePolicy};

use super::bed::{Bed, complete_workflow, schedule_activity, start_child, start_timer};
use crate::matching::QueueKind;
use crate::node::PolledKind;

#[tokio::test]
async fn a_workflow_with_one_activity() {
    let bed = Bed::new().await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    assert_eq!(task.run_id, run_id);
    let reply = bed.complete(&task, vec![schedule_activity("a")]).await;
    assert!(!reply.workflow_task_follows);
    let activity = bed.activity_task().await;
    assert_eq!(activity.activity_id, "a");
    bed.complete_activity(&activity).await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    assert_eq!(
        bed.closed("order-1", run_id).await,
        Some(EventType::WorkflowExecutionCompleted)
    );
    let events = bed.events("order-1", None).await;
    use EventType as E;
    assert_eq!(
        events,
        [
            E::WorkflowExecutionStarted,
            E::WorkflowTaskScheduled,
            E::WorkflowTaskStarted,
            E::WorkflowTaskCompleted,
            E::ActivityTaskScheduled,
            E::ActivityTaskStarted,
            E::ActivityTaskCompleted,
            E::WorkflowTaskScheduled,
            E::WorkflowTaskStarted,
            E::WorkflowTaskCompleted,
            E::WorkflowExecutionCompleted,
        ]
    );
}

#[tokio::test]
async fn the_same_on_a_node_that_forgets_what_it_can() {
    let bed = Bed::forgetful().await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![schedule_activity("a")]).await;
    let activity = bed.activity_task().await;
    bed.complete_activity(&activity).await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    assert_eq!(
        bed.closed("order-1", run_id).await,
        Some(EventType::WorkflowExecutionCompleted)
    );
    assert_eq!(bed.events("order-1", None).await.len(), 11);
    assert!(
        bed.node
            .shards
            .counters()
            .loads
            .load(std::sync::atomic::Ordering::Relaxed)
            > 0
    );
}

#[tokio::test]
async fn a_timer_fires_though_its_run_left_memory() {
    let bed = Bed::forgetful().await;
    let run_id = bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![start_timer("t", Duration::from_secs(30))])
        .await;
    bed.until(|| async { bed.node.shards.counters().cached_executions() == 0 })
        .await;
    bed.clock.advance(Duration::from_secs(31));
    // Any message makes the shards look at the clock that moved.
    for other in ["a", "b", "c", "d"] {
        drop(bed.signal(other, "hello").await);
    }
    let task = bed.workflow_task().await;
    assert_eq!(task.run_id, run_id);
    assert!(
        bed.events("order-1", None)
            .await
            .contains(&EventType::TimerFired)
    );
}

#[tokio::test]
async fn a_child_on_another_shard_reports_to_its_parent() {
    let bed = Bed::new().await;
    let parent = bed.start("parent").await;
    let task = bed.workflow_task().await;
    let children = ["child-1", "child-2", "child-3"];
    let commands = children.map(|id| start_child(id, ParentClosePolicy::Terminate));
    bed.complete(&task, commands.into()).await;
    let mut closed = 0;
    while closed < children.len() {
        let task = bed.workflow_task().await;
        let PolledKind::WorkflowTask { task: started, .. } = &task.kind else {
            panic!("a query")
        };
        if started.workflow_type == "child" {
            bed.complete(&task, vec![complete_workflow()]).await;
            closed += 1;
        } else {
            bed.complete(&task, vec![]).await;
        }
    }
    bed.until(|| async {
        let events = bed.events("parent", Some(parent)).await;
        let done = events
            .iter()
            .filter(|e| **e == EventType::ChildWorkflowExecutionCompleted)
            .count();
        if done < children.len() {
            let task = bed.workflow_task().await;
            bed.complete(&task, vec![]).await;
        }
        done == children.len()
    })
    .await;
    let no_messages = bed
        .node
        .shards
        .read(&bed.namespace, "parent", None, |s| s.outbox.is_empty());
    assert!(no_messages.await.unwrap());
}

#[tokio::test]
async fn what_matching_holds_of_a_run_that_left_memory_is_not_offered_twice() {
    let bed = Bed::forgetful().await;
    for i in 0..20 {
        bed.start(&format!("order-{i}")).await;
    }
    bed.until(|| async { bed.node.shards.counters().cached_executions() == 0 })
        .await;
    for i in 0..20 {
        bed.signal(&format!("order-{i}"), "go").await.unwrap();
    }
    let described = bed
        .node
        .matching
        .describe(bed.namespace.id, "q", QueueKind::Workflow);
    assert_eq!(described.stats.backlog_count, 20);
}

#[tokio::test]
async fn an_activity_is_retried_though_its_run_left_memory() {
    let bed = Bed::forgetful().await;
    bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![schedule_activity("a")]).await;
    let activity = bed.activity_task().await;
    bed.fail_activity(&activity).await;
    bed.until(|| async { bed.node.shards.counters().cached_executions() == 0 })
        .await;
    bed.clock.advance(Duration::from_secs(2));
    for other in ["a", "b", "c", "d"] {
        drop(bed.signal(other, "hello").await);
    }
    assert_eq!(bed.activity_task().await.attempt, 2);
}
