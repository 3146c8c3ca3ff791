//! Batch operations: they go on after a crash, and each target is asked once.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::batch::v1::BatchOperationSignal;
use proto::temporal::api::common::v1::WorkflowExecution;
use proto::temporal::api::enums::v1::BatchOperationState as State;
use proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;
use proto::temporal::api::workflowservice::v1::{
    DescribeBatchOperationRequest, DescribeBatchOperationResponse, StartBatchOperationRequest,
};
use tonic::Code;

use super::decide::SLEEPER;
use super::resets::signals;
use super::{END, ended, history_of, runs_of, start_workflow};
use crate::api;
use crate::crash::world::World;
use crate::error::Error;

const PREFIX: &str = "batch-";
/// What the first operation sends.
const ASKED: &str = "asked";
/// Targets of one operation.
const TARGETS: usize = 12;
/// Slow enough that a server dies in the middle of some.
const PER_SECOND: f32 = 40.0;

/// Keeps one operation after the other going: a signal to each target, then the end of each.
pub(super) async fn run(world: Arc<World>) {
    let mut number = 0;
    while !*world.stopping.borrow() {
        let ids: Vec<String> = (0..TARGETS)
            .map(|target| format!("{PREFIX}{number}-{target}"))
            .collect();
        number += 1;
        let mut targets = Vec::new();
        for id in &ids {
            if let Some(run_id) = start_workflow(&world, SLEEPER, id).await {
                targets.push(WorkflowExecution {
                    workflow_id: id.clone(),
                    run_id,
                });
            }
        }
        operate(&world, targets.clone(), ASKED).await;
        world.promises.noted().batched.extend(ids.iter().cloned());
        operate(&world, targets, END).await;
        for id in &ids {
            ended(&world, id).await;
        }
    }
}

/// Starts an operation and waits until it is over.
async fn operate(world: &World, executions: Vec<WorkflowExecution>, signal: &str) {
    let job = api::request_id();
    let request = StartBatchOperationRequest {
        namespace: api::NAMESPACE.to_owned(),
        job_id: job.clone(),
        reason: String::from("doubt"),
        executions,
        max_operations_per_second: PER_SECOND,
        operation: Some(Operation::SignalOperation(BatchOperationSignal {
            signal: signal.to_owned(),
            ..Default::default()
        })),
        ..Default::default()
    };
    let (answer, repeated) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.start_batch(request).await }
        })
        .await;
    match answer {
        Ok(_) => world.ledger.acknowledged("batch operations"),
        Err(status) if repeated && status.code() == Code::AlreadyExists => {}
        Err(status) => return world.ledger.finding(format!("batch operation: {status}")),
    }
    loop {
        let request = DescribeBatchOperationRequest {
            namespace: api::NAMESPACE.to_owned(),
            job_id: job.clone(),
        };
        let (answer, _) = world
            .insist(|client| {
                let request = request.clone();
                async move { client.describe_batch(request).await }
            })
            .await;
        match answer {
            Ok(told) if told.state() == State::Running => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(told) => {
                for problem in check_told(&told) {
                    world
                        .ledger
                        .finding(format!("batch operation {job}: {problem}"));
                }
                return world.ledger.count("batch operations ended");
            }
            Err(status) => {
                return world
                    .ledger
                    .finding(format!("batch operation {job} was acknowledged: {status}"));
            }
        }
    }
}

fn check_told(told: &DescribeBatchOperationResponse) -> Vec<String> {
    let targets = TARGETS as i64;
    let counts = (
        told.total_operation_count,
        told.complete_operation_count,
        told.failure_operation_count,
    );
    if told.state() == State::Completed && counts == (targets, targets, 0) {
        return Vec::new();
    }
    vec![format!(
        "it is {:?}, with {counts:?} in all, done and failed",
        told.state()
    )]
}

/// Compares with the targets' histories.
pub(super) async fn reckon(world: &World) -> Result<(), Error> {
    let asked = world.promises.noted().batched.clone();
    let runs = runs_of(world, PREFIX).await?;
    for id in &asked {
        let Some((_, run_id)) = runs.iter().find(|(other, _)| other == id) else {
            world.ledger.finding(format!("{id}: it is gone"));
            continue;
        };
        let events = history_of(world, id, run_id).await?;
        for name in [ASKED, END] {
            let times = signals(&events, name);
            if times != 1 {
                world.ledger.finding(format!(
                    "{id}: a batch operation signalled it {times} times"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_must_be_done() {
        let mut told = DescribeBatchOperationResponse {
            state: State::Completed.into(),
            total_operation_count: TARGETS as i64,
            complete_operation_count: TARGETS as i64,
            ..Default::default()
        };
        assert_eq!(check_told(&told), Vec::<String>::new());
        told.complete_operation_count -= 1;
        assert_eq!(check_told(&told).len(), 1);
    }
}
