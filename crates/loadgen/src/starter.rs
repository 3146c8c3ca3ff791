//! The starter side: one workflow from its start to its verified result.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes;

use crate::context::Context;
use crate::error::Error;
use crate::payload;
use crate::script::{Plan, Script};
use crate::updates;

/// Starts a workflow, sends its signals and updates, and checks its result. Returns the time from start to result, or
/// nothing if there was no right result, which the ledger then knows.
pub(crate) async fn run_workflow(context: &Context, script: Script) -> Option<Duration> {
    let (workflow_id, plan) = context.new_workflow(script);
    let begun = Instant::now();
    let outcome = async {
        let run_id = context
            .client
            .start(&context.queue, &workflow_id, &plan)
            .await?;
        for number in 0..script.signal_count() {
            context.client.signal(&workflow_id, number).await?;
        }
        for number in 0..script.update_count() {
            let result = context.client.update(&workflow_id, number).await?;
            let result: Option<String> = payload::to_json(result.as_ref());
            let expected = updates::result(&plan, number);
            if result.as_deref() != Some(expected.as_str()) {
                let problem = format!("update {number} has the result {result:?}");
                context.ledger.anomaly(format!("{workflow_id}: {problem}"));
            }
        }
        await_result(context, &workflow_id, &run_id).await
    };
    let outcome = outcome.await;
    let latency = begun.elapsed();
    check(context, &workflow_id, &plan, outcome).then_some(latency)
}

/// Waits until the run is closed; returns how.
pub(crate) async fn await_result(
    context: &Context,
    workflow_id: &str,
    run_id: &str,
) -> Result<HistoryEvent, Error> {
    let patience = Duration::from_secs(context.options.result_timeout);
    let wait = async {
        let mut token = Bytes::new();
        loop {
            let closed = context
                .client
                .await_close(workflow_id, run_id, &mut token)
                .await;
            match closed {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                // The long poll's own deadline: ask again.
                Err(error) if error.code() == Some(tonic::Code::DeadlineExceeded) => {}
                Err(error) => return Err(error),
            }
        }
    };
    tokio::time::timeout(patience, wait)
        .await
        .unwrap_or_else(|_| {
            Err(Error::Timeout {
                what: format!("the result of {workflow_id}"),
                waited: patience,
            })
        })
}

/// Whether the workflow closed with the result that its plan demands, with as many executions of its
/// activities; if not, the ledger is told.
pub(crate) fn check(
    context: &Context,
    workflow_id: &str,
    plan: &Plan,
    outcome: Result<HistoryEvent, Error>,
) -> bool {
    let problem = match outcome {
        Ok(event) => result_problem(&event, &plan.expected_result()),
        Err(error) => Some(error.to_string()),
    };
    context
        .ledger
        .settle(workflow_id, plan.script.activity_count());
    match problem {
        Some(problem) => {
            context.ledger.anomaly(format!("{workflow_id}: {problem}"));
            false
        }
        None => true,
    }
}

/// What is wrong with a close event.
fn result_problem(event: &HistoryEvent, expected: &str) -> Option<String> {
    match &event.attributes {
        Some(Attributes::WorkflowExecutionCompletedEventAttributes(a)) => {
            let result: Option<String> = payload::to_json(a.result.as_ref());
            (result.as_deref() != Some(expected))
                .then(|| format!("the result is {result:?} instead of {expected:?}"))
        }
        other => Some(format!("closed by {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use proto::temporal::api::history::v1::WorkflowExecutionCompletedEventAttributes;

    use super::*;

    fn completed(result: &str) -> HistoryEvent {
        let attributes = WorkflowExecutionCompletedEventAttributes {
            result: Some(payload::of_json(&result)),
            ..Default::default()
        };
        HistoryEvent {
            attributes: Some(Attributes::WorkflowExecutionCompletedEventAttributes(
                attributes,
            )),
            ..HistoryEvent::default()
        }
    }

    #[test]
    fn only_the_expected_result_is_right() {
        assert_eq!(result_problem(&completed("a"), "a"), None);
        assert!(result_problem(&completed("b"), "a").is_some());
        assert!(result_problem(&HistoryEvent::default(), "a").is_some());
    }
}
