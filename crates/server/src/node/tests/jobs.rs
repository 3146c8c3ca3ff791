//! Jobs: standalone activities over a store.

use std::time::Duration;

use engine::activity::{self, Input};
use engine::execution::{Execution, Kind};
use engine::workflow::input::{ActivityFailed, ActivityTarget};
use engine::workflow::token;
use proto::temporal::api::activity::v1::ActivityExecutionOutcome;
use proto::temporal::api::activity::v1::activity_execution_outcome::Value;
use proto::temporal::api::common::v1::{ActivityType, RetryPolicy};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, StartActivityExecutionRequest,
};
use store::Check;
use tokio::time::Instant;

use super::bed::{Bed, PATIENCE, RETENTION, queue};
use super::restart::Folder;
use crate::shard::When;

fn seconds(seconds: i64) -> Option<proto::Duration> {
    Some(proto::Duration { seconds, nanos: 0 })
}

async fn start(bed: &Bed, id: &str) -> activity::StartReply {
    let request = StartActivityExecutionRequest {
        activity_id: id.to_owned(),
        activity_type: Some(ActivityType {
            name: "job".to_owned(),
        }),
        task_queue: Some(queue("q")),
        request_id: format!("start-{id}"),
        start_to_close_timeout: seconds(60),
        retry_policy: Some(RetryPolicy {
            initial_interval: seconds(100),
            backoff_coefficient: 1.0,
            ..RetryPolicy::default()
        }),
        ..Default::default()
    };
    let shards = &bed.node.shards;
    shards
        .start_activity(&bed.namespace, request)
        .await
        .unwrap()
}

fn target(task: &PollActivityTaskQueueResponse) -> ActivityTarget {
    ActivityTarget::Token(token::activity_task(&task.task_token).unwrap())
}

async fn step(bed: &Bed, id: &str, input: Input) {
    let shards = &bed.node.shards;
    shards.step(&bed.namespace, id, None, input).await.unwrap();
}

async fn complete(bed: &Bed, task: &PollActivityTaskQueueResponse) {
    let input = Input::Completed(target(task), None, "worker".to_owned());
    step(bed, &task.activity_id, input).await;
}

async fn fail(bed: &Bed, task: &PollActivityTaskQueueResponse) {
    let failed = ActivityFailed {
        failure: Some(Failure {
            message: "boom".to_owned(),
            ..Failure::default()
        }),
        last_heartbeat_details: None,
        identity: "worker".to_owned(),
        worker_version: None,
    };
    let input = Input::Failed(target(task), Box::new(failed));
    step(bed, &task.activity_id, input).await;
}

async fn outcome(bed: &Bed, id: &str) -> Option<ActivityExecutionOutcome> {
    let look = |state: &Execution| state.activity().and_then(activity::outcome);
    let which = (Kind::Activity, id.into(), None);
    let until = Instant::now() + PATIENCE;
    let shards = &bed.node.shards;
    let seen = shards.read_execution_when(&bed.namespace, which, When::Closed, until, look);
    seen.await.unwrap().flatten()
}

async fn is_gone(bed: &Bed, id: &str) -> bool {
    let shards = &bed.node.shards;
    let read = shards.read_execution(&bed.namespace, Kind::Activity, id, None, |_| ());
    read.await.is_err()
}

#[tokio::test]
async fn a_job_is_three_records() {
    let bed = Bed::new().await;
    let before = bed.store.stats().records;
    assert!(start(&bed, "job").await.started);
    let task = bed.activity_task().await;
    assert_eq!((&*task.activity_id, task.attempt), ("job", 1));
    complete(&bed, &task).await;
    let outcome = outcome(&bed, "job").await.unwrap();
    assert!(matches!(outcome.value, Some(Value::Result(_))));
    assert_eq!(bed.store.stats().records - before, 3);
    // A workflow of the same id is another thing.
    bed.start("job").await;
    assert!(!start(&bed, "job").await.started);
}

#[tokio::test]
async fn jobs_go_on_after_a_restart() {
    let folder = Folder::new();
    let bed = Bed::over(folder.store()).await;
    start(&bed, "started").await;
    let started = bed.activity_task().await;
    start(&bed, "retried").await;
    let task = bed.activity_task().await;
    fail(&bed, &task).await;
    start(&bed, "waiting").await;
    bed.node.stop().await;

    let bed = bed.again(folder.store()).await;
    // What waited is offered again; what a worker had is still its own.
    let waiting = bed.activity_task().await;
    assert_eq!(waiting.activity_id, "waiting");
    complete(&bed, &waiting).await;
    complete(&bed, &started).await;
    bed.clock.advance(Duration::from_secs(101));
    bed.node.shards.wake();
    let retried = bed.activity_task().await;
    assert_eq!((&*retried.activity_id, retried.attempt), ("retried", 2));
    complete(&bed, &retried).await;
    for id in ["started", "retried", "waiting"] {
        assert!(outcome(&bed, id).await.is_some(), "{id}");
    }
    let check = bed.store.check().await.unwrap();
    assert_eq!(
        (check.executions, check.orphans, check.gaps, check.doubles),
        (3, 0, 0, 0)
    );
}

#[tokio::test]
async fn a_job_that_left_memory_comes_back_for_its_next_attempt() {
    let bed = Bed::forgetful().await;
    start(&bed, "job").await;
    let task = bed.activity_task().await;
    fail(&bed, &task).await;
    bed.clock.advance(Duration::from_secs(101));
    bed.node.shards.wake();
    let task = bed.activity_task().await;
    assert_eq!(task.attempt, 2);
    complete(&bed, &task).await;
    assert!(outcome(&bed, "job").await.is_some());
}

#[tokio::test]
async fn closed_jobs_are_deleted_when_their_time_is_over() {
    let bed = Bed::new().await;
    start(&bed, "job").await;
    let task = bed.activity_task().await;
    complete(&bed, &task).await;
    bed.clock.advance(RETENTION + Duration::from_secs(1));
    bed.node.shards.wake();
    bed.until(|| is_gone(&bed, "job")).await;
    assert_eq!(bed.store.check().await.unwrap(), Check::default());
}

#[tokio::test]
async fn an_open_job_is_terminated_and_deleted() {
    let bed = Bed::new().await;
    start(&bed, "job").await;
    let shards = &bed.node.shards;
    shards
        .delete(&bed.namespace, Kind::Activity, "job", None)
        .await
        .unwrap();
    bed.until(|| is_gone(&bed, "job")).await;
    assert_eq!(bed.store.check().await.unwrap(), Check::default());
}
