//! Queries: alone, and with workflow tasks.

use std::time::Duration;

use futures_util::FutureExt as _;
use proto::temporal::api::common::v1::{Payload, Payloads, WorkflowExecution};
use proto::temporal::api::enums::v1::{QueryRejectCondition, QueryResultType};
use proto::temporal::api::query::v1::{WorkflowQuery, WorkflowQueryResult};
use proto::temporal::api::workflowservice::v1::{
    QueryWorkflowRequest, QueryWorkflowResponse, RespondQueryTaskCompletedRequest,
};
use tokio::time::Instant;

use super::bed::{Bed, PATIENCE, complete_workflow, request, sticky};
use crate::node::{PolledKind, PolledWorkflowTask};
use crate::shard::CallError;

fn answer() -> Payloads {
    Payloads {
        payloads: vec![Payload {
            data: b"42".to_vec().into(),
            ..Default::default()
        }],
    }
}

async fn ask(bed: &Bed, within: Duration) -> Result<QueryWorkflowResponse, CallError> {
    let request = QueryWorkflowRequest {
        execution: Some(WorkflowExecution {
            workflow_id: "order-1".to_owned(),
            ..Default::default()
        }),
        query: Some(WorkflowQuery {
            query_type: "state".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    bed.node
        .query(&bed.namespace, request, Instant::now() + within)
        .await
}

fn respond(bed: &Bed, task: &PolledWorkflowTask, completed_type: QueryResultType) {
    let token = engine::workflow::token::query_task(&task.task_token).unwrap();
    let request = RespondQueryTaskCompletedRequest {
        completed_type: completed_type.into(),
        query_result: Some(answer()),
        error_message: "no such query".to_owned(),
        ..Default::default()
    };
    bed.node.respond_query(&token, request).unwrap();
}

async fn started(bed: &Bed) {
    bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![]).await;
}

#[tokio::test]
async fn a_query_goes_alone_when_no_workflow_task_is_pending() {
    let bed = Bed::new().await;
    started(&bed).await;
    let (asked, ()) = tokio::join!(ask(&bed, PATIENCE), async {
        let task = bed.workflow_task().await;
        assert!(
            matches!(&task.kind, PolledKind::Query { query, .. } if query.query_type == "state")
        );
        assert_eq!(super::bed::decode(&task.history.fragments).len(), 4);
        respond(&bed, &task, QueryResultType::Answered);
    });
    assert_eq!(asked.unwrap().query_result, Some(answer()));
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_leaves_its_queue() {
    let bed = Bed::new().await;
    started(&bed).await;
    let asked = {
        let mut asked = Box::pin(ask(&bed, PATIENCE));
        bed.until(|| {
            let pending = (&mut asked).now_or_never().is_none();
            let waits = pending && bed.node.matching.waiting_task_count() == 1;
            async move { waits }
        })
        .await;
        asked
    };
    drop(asked);
    assert_eq!(bed.node.matching.waiting_task_count(), 0);
}

#[tokio::test]
async fn a_failed_query_tells_why() {
    let bed = Bed::new().await;
    started(&bed).await;
    let (asked, ()) = tokio::join!(ask(&bed, PATIENCE), async {
        let task = bed.workflow_task().await;
        respond(&bed, &task, QueryResultType::Failed);
    });
    assert_eq!(asked.unwrap_err().to_string(), "no such query");
}

#[tokio::test]
async fn a_query_goes_with_the_pending_workflow_task() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    let mut asked = Box::pin(ask(&bed, PATIENCE));
    bed.until(|| {
        (&mut asked).now_or_never().map_or_else(
            || {
                bed.node
                    .shards
                    .read(&bed.namespace, "order-1", None, |_| ())
                    .map(|read| read.is_ok())
                    .boxed()
            },
            |answer| panic!("{answer:?}"),
        )
    })
    .await;
    let task = bed.workflow_task().await;
    let PolledKind::WorkflowTask { queries, .. } = &task.kind else {
        panic!("a query alone")
    };
    let [(id, query)] = queries.as_slice() else {
        panic!("{queries:?}")
    };
    assert_eq!(query.query_type, "state");
    let result = WorkflowQueryResult {
        result_type: QueryResultType::Answered.into(),
        answer: Some(answer()),
        ..Default::default()
    };
    let mut completion = request(vec![]);
    completion.query_results.insert(id.clone(), result);
    bed.complete_with(&task, completion).await;
    assert_eq!(asked.await.unwrap().query_result, Some(answer()));
}

#[tokio::test]
async fn a_query_that_a_completion_leaves_unanswered_goes_alone() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    let (asked, ()) = tokio::join!(ask(&bed, PATIENCE), async {
        let task = bed.workflow_task().await;
        bed.complete(&task, vec![]).await;
        let task = bed.workflow_task().await;
        assert!(matches!(task.kind, PolledKind::Query { .. }));
        respond(&bed, &task, QueryResultType::Answered);
    });
    assert_eq!(asked.unwrap().query_result, Some(answer()));
}

#[tokio::test]
async fn a_dead_sticky_worker_is_passed_over() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete_with(&task, sticky(vec![], "sticky-1", Duration::from_secs(10)))
        .await;
    let (asked, ()) = tokio::join!(ask(&bed, PATIENCE), async {
        let task = bed.workflow_task().await;
        respond(&bed, &task, QueryResultType::Answered);
    });
    assert_eq!(asked.unwrap().query_result, Some(answer()));
}

#[tokio::test]
async fn a_closed_run_can_be_queried_or_not() {
    let bed = Bed::new().await;
    bed.start("order-1").await;
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    let request = QueryWorkflowRequest {
        execution: Some(WorkflowExecution {
            workflow_id: "order-1".to_owned(),
            ..Default::default()
        }),
        query_reject_condition: QueryRejectCondition::NotOpen.into(),
        ..Default::default()
    };
    let rejected = bed
        .node
        .query(&bed.namespace, request, Instant::now() + PATIENCE)
        .await
        .unwrap();
    assert!(rejected.query_rejected.is_some());
    let (asked, ()) = tokio::join!(ask(&bed, PATIENCE), async {
        let task = bed.workflow_task().await;
        respond(&bed, &task, QueryResultType::Answered);
    });
    assert!(asked.is_ok());
}

#[tokio::test]
async fn without_a_worker_the_caller_hears_it() {
    let bed = Bed::new().await;
    started(&bed).await;
    bed.clock.advance(Duration::from_secs(21));
    let refused = ask(&bed, Duration::from_millis(1100)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no poller seen for task queue recently, worker may be down"
    );
}
