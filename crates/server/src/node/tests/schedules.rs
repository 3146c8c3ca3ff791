//! A schedule over a restart.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::schedule::spec::Spec;
use engine::time::wire;
use proto::temporal::api::common::v1::WorkflowType;
use proto::temporal::api::enums::v1::ScheduleOverlapPolicy as Overlap;
use proto::temporal::api::schedule::v1::schedule_action::Action;
use proto::temporal::api::schedule::v1::{
    IntervalSpec, Schedule, ScheduleAction, SchedulePolicies, ScheduleSpec,
};
use proto::temporal::api::workflow::v1::NewWorkflowExecutionInfo;
use proto::temporal::api::workflowservice::v1::CreateScheduleRequest;

use super::bed::{Bed, complete_workflow, queue};
use super::restart::Folder;

/// Every full minute; the actions may overlap.
async fn create(bed: &Bed) {
    let spec = ScheduleSpec {
        interval: vec![IntervalSpec {
            interval: Some(wire(Duration::from_secs(60))),
            phase: None,
        }],
        ..Default::default()
    };
    let action = NewWorkflowExecutionInfo {
        workflow_id: "tick".to_owned(),
        workflow_type: Some(WorkflowType {
            name: "tick".to_owned(),
        }),
        task_queue: Some(queue("q")),
        ..Default::default()
    };
    let schedule = Schedule {
        spec: Some(Spec::compile(&spec).unwrap().canonical().clone()),
        action: Some(ScheduleAction {
            action: Some(Action::StartWorkflow(action)),
        }),
        policies: Some(SchedulePolicies {
            overlap_policy: Overlap::AllowAll.into(),
            ..Default::default()
        }),
        state: None,
    };
    let request = CreateScheduleRequest {
        schedule_id: "minutes".to_owned(),
        schedule: Some(schedule),
        request_id: "create".to_owned(),
        ..Default::default()
    };
    bed.node
        .shards
        .create_schedule(&bed.namespace, request)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_came_due_while_the_node_was_away_is_done_once() {
    let folder = Folder::new();
    let bed = Bed::over(folder.store()).await;
    create(&bed).await;
    // The clock begins 20 s after a full minute.
    bed.clock.advance(Duration::from_secs(61));
    bed.node.shards.wake();
    let task = bed.workflow_task().await;
    bed.complete(&task, vec![complete_workflow()]).await;
    let mut ids = BTreeSet::from([task.workflow_id]);
    bed.node.stop().await;
    // Three full minutes.
    bed.clock.advance(Duration::from_secs(180));

    let bed = bed.again(folder.store()).await;
    for _ in 0..3 {
        let task = bed.workflow_task().await;
        bed.complete(&task, vec![complete_workflow()]).await;
        assert!(ids.insert(task.workflow_id), "{ids:?}");
    }
    bed.node.stop().await;
    // And nothing of it is done again.
    let bed = bed.again(folder.store()).await;
    bed.clock.advance(Duration::from_secs(60));
    bed.node.shards.wake();
    let task = bed.workflow_task().await;
    assert!(ids.insert(task.workflow_id), "{ids:?}");
    let check = bed.store.check().await.unwrap();
    assert_eq!((check.executions, check.orphans), (6, 0));
}
