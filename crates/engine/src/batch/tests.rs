use prost::Message;
use proto::temporal::api::batch::v1 as batch;
use proto::temporal::api::common::v1::{Execution, ResetOptions, WorkflowExecution, reset_options};
use proto::temporal::api::enums::v1::{BatchOperationState, EventType, ExecutionType};
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::workflowservice::v1 as api;
use proto::temporal::api::workflowservice::v1::StartBatchOperationRequest;
use proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;

use super::*;
use crate::time::Timestamp;

fn request(operation: Operation) -> StartBatchOperationRequest {
    StartBatchOperationRequest {
        namespace: "n".into(),
        visibility_query: "WorkflowType = 'T'".into(),
        job_id: "j".into(),
        reason: "r".into(),
        operation: Some(operation),
        ..Default::default()
    }
}

fn terminate() -> Operation {
    Operation::TerminationOperation(batch::BatchOperationTermination {
        identity: "me".into(),
        ..Default::default()
    })
}

fn refused(change: impl FnOnce(&mut StartBatchOperationRequest)) -> String {
    let mut request = request(terminate());
    change(&mut request);
    validate(&request).unwrap_err().to_string()
}

#[test]
fn requests_must_name_an_operation_and_its_targets() {
    assert_eq!(validate(&request(terminate())), Ok(()));
    let required = "must provide required parameters: BatchType,Reason,Namespace, AND one of (Query OR \
                    Executions OR TargetExecutions)";
    assert_eq!(refused(|r| r.operation = None), required);
    assert_eq!(refused(|r| r.reason.clear()), required);
    assert_eq!(refused(|r| r.visibility_query.clear()), required);
    assert_eq!(
        refused(|r| r.job_id.clear()),
        "JobId is not set on request."
    );
    assert_eq!(
        refused(|r| r.executions.push(WorkflowExecution::default())),
        "visibility query, executions, and target executions are mutually exclusive"
    );
    let of_type = |kind: ExecutionType| {
        refused(|request| {
            request.visibility_query.clear();
            request.target_executions.push(Execution {
                r#type: kind.into(),
                ..Default::default()
            });
        })
    };
    assert_eq!(
        of_type(ExecutionType::Activity),
        "target_executions[0] has type Activity, but operation \
         *workflowservice.StartBatchOperationRequest_TerminationOperation requires Workflow"
    );
    assert!(of_type(ExecutionType::Unspecified).contains("has type Unspecified"));
}

#[test]
fn operations_must_be_whole() {
    let update = batch::BatchOperationUpdateWorkflowExecutionOptions::default();
    let unpause = batch::BatchOperationUnpauseActivities::default();
    let reset_activities = batch::BatchOperationResetActivities::default();
    let activity_options = batch::BatchOperationUpdateActivityOptions::default();
    for (operation, message) in [
        (
            Operation::SignalOperation(batch::BatchOperationSignal::default()),
            "must provide signal name",
        ),
        (
            Operation::ResetOperation(batch::BatchOperationReset::default()),
            "unknown batch reset type Unspecified",
        ),
        (
            Operation::ResetOperation(batch::BatchOperationReset {
                options: Some(ResetOptions::default()),
                ..Default::default()
            }),
            "batch reset missing target",
        ),
        (
            Operation::UpdateWorkflowOptionsOperation(update),
            "must provide UpdateOptions",
        ),
        (
            Operation::UnpauseActivitiesOperation(unpause),
            "activity filter must be set",
        ),
        (
            Operation::ResetActivitiesOperation(reset_activities),
            "must provide ActivityType or MatchAll",
        ),
        (
            Operation::UpdateActivityOptionsOperation(activity_options),
            "Either activity type must be set, or restore original should be set to true",
        ),
    ] {
        let refused = validate(&request(operation)).unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
}

#[test]
fn closed_targets_are_left_out_where_there_is_nothing_to_do() {
    assert_eq!(
        filter(&request(terminate())),
        "(WorkflowType = 'T') AND (ExecutionStatus = 'Running' OR ExecutionStatus = 'Paused')"
    );
    let deletion = Operation::DeletionOperation(batch::BatchOperationDeletion::default());
    assert_eq!(filter(&request(deletion)), "WorkflowType = 'T'");
}

#[test]
fn a_call_for_the_same_target_has_the_same_request_id() {
    let job = request(Operation::SignalOperation(batch::BatchOperationSignal {
        signal: "go".into(),
        ..Default::default()
    }));
    let operation = job.operation.clone().unwrap();
    let call = |id: &str, run_id: &str| {
        let target = Target {
            id: id.into(),
            run_id: run_id.into(),
        };
        let call = Call::new(&job, &operation, &target, 0);
        assert_eq!(call.method, "SignalWorkflowExecution");
        api::SignalWorkflowExecutionRequest::decode(call.request.as_slice()).unwrap()
    };
    let first = call("w", "r");
    assert_eq!(first.workflow_execution.as_ref().unwrap().workflow_id, "w");
    assert_eq!(first, call("w", "r"));
    assert_ne!(first.request_id, call("w", "s").request_id);
    assert_ne!(call("ab", "c").request_id, call("a", "bc").request_id);
}

#[test]
fn every_operation_has_a_request_that_its_method_reads() {
    let reset = Operation::ResetOperation(batch::BatchOperationReset {
        options: Some(ResetOptions {
            target: Some(reset_options::Target::LastWorkflowTask(())),
            ..Default::default()
        }),
        identity: "me".into(),
        ..Default::default()
    });
    let target = Target {
        id: "w".into(),
        run_id: "r".into(),
    };
    let call = Call::new(&request(reset.clone()), &reset, &target, 4);
    let sent = api::ResetWorkflowExecutionRequest::decode(call.request.as_slice()).unwrap();
    assert_eq!(sent.workflow_task_finish_event_id, 4);
    assert_eq!((sent.identity.as_str(), sent.reason.as_str()), ("me", "r"));
    let call = Call::new(&request(terminate()), &terminate(), &target, 0);
    let sent = api::TerminateWorkflowExecutionRequest::decode(call.request.as_slice()).unwrap();
    assert_eq!((sent.identity.as_str(), sent.reason.as_str()), ("me", "r"));
    assert_eq!(ResetPoint::of(&reset), Some(ResetPoint::LastWorkflowTask));
    assert_eq!(ResetPoint::of(&terminate()), None);
}

#[test]
fn resets_go_back_to_a_completed_task_or_to_the_one_that_never_was() {
    let history = |kinds: &[EventType]| -> Vec<HistoryEvent> {
        let numbered = (1..).zip(kinds);
        let events = numbered.map(|(event_id, kind)| HistoryEvent {
            event_id,
            event_type: (*kind).into(),
            ..Default::default()
        });
        events.collect()
    };
    use EventType::*;
    let two = history(&[
        WorkflowExecutionStarted,
        WorkflowTaskScheduled,
        WorkflowTaskStarted,
        WorkflowTaskCompleted,
        WorkflowTaskScheduled,
        WorkflowTaskStarted,
        WorkflowTaskCompleted,
    ]);
    assert_eq!(reset_point(two.iter(), false), Some(4));
    assert_eq!(reset_point(two.iter(), true), Some(7));
    let none = history(&[WorkflowExecutionStarted, WorkflowTaskScheduled]);
    assert_eq!(reset_point(none.iter(), true), Some(3));
    assert_eq!(reset_point(none[..1].iter(), true), None);
}

#[test]
fn progress_is_a_fold() {
    let job = Job {
        request: Some(request(terminate())),
        start_time: 5,
        run_id: String::new(),
    };
    let mut progress = Progress::default();
    let page = Page {
        completed: 2,
        failed: 1,
        cursor: b"next".to_vec(),
        listed: 3,
    };
    progress.apply(Record::Counted(7));
    progress.apply(Record::Page(page.clone()));
    let shown = job.describe(&progress, &page);
    assert_eq!(shown.state(), BatchOperationState::Running);
    assert_eq!(shown.total_operation_count, 7);
    assert_eq!(shown.complete_operation_count, 4);
    assert_eq!(shown.failure_operation_count, 2);
    assert_eq!((shown.identity.as_str(), shown.close_time), ("me", None));
    progress.apply(Record::Completed(Timestamp(9)));
    let closed = progress.clone();
    progress.apply(Record::Failed(Timestamp(10), "late".into()));
    progress.apply(Record::Page(page));
    assert_eq!(progress, closed);
    let shown = job.describe(&progress, &Page::default());
    assert_eq!(shown.state(), BatchOperationState::Completed);
    assert_eq!(shown.total_operation_count, 3);
    let kept = Progress::decode(progress.encode_to_vec().as_slice()).unwrap();
    assert_eq!(kept, progress);
}

#[test]
fn statuses_are_judged() {
    for (code, expected) in [
        (0, Outcome::Done),
        (5, Outcome::Done),
        (14, Outcome::Again),
        (3, Outcome::Failed),
        (9, Outcome::Failed),
        (12, Outcome::Failed),
    ] {
        assert_eq!(outcome(code), expected, "{code}");
    }
}
