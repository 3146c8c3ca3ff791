//! Updates: one that was accepted has its outcome in the end, the one that was told before, and the workflow took it once.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::temporal::api::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::update::v1::{Input, Meta, Request, UpdateRef, WaitPolicy};
use proto::temporal::api::workflowservice::v1::{
    PollWorkflowExecutionUpdateRequest, UpdateWorkflowExecutionRequest,
};
use tonic::Code;

use super::decide::{TALLY, said};
use super::{END, ended, history_of, runs_of, send, start_workflow};
use crate::api;
use crate::crash::world::World;
use crate::error::Error;
use crate::random::Random;

const PREFIX: &str = "tally-";
/// Updates of one workflow.
const UPDATES: u64 = 6;

/// Keeps one workflow after the other going.
pub(super) async fn run(world: Arc<World>, client: u64) {
    let mut number = 0;
    while !*world.stopping.borrow() {
        let id = format!("{PREFIX}{client}-{number}");
        number += 1;
        if start_workflow(&world, TALLY, &id).await.is_none() {
            continue;
        }
        let mut random = Random::named(world.seed, &id);
        for number in 0..UPDATES {
            let stage = if random.percent(50) {
                Stage::Accepted
            } else {
                Stage::Completed
            };
            update(&world, &id, &format!("u{number}"), stage).await;
        }
        for number in 0..UPDATES {
            poll(&world, &id, &format!("u{number}")).await;
        }
        send(&world, &id, END).await;
        ended(&world, &id).await;
    }
}

/// Sends an update until it has come so far, and asks for its outcome.
async fn update(world: &World, id: &str, update_id: &str, stage: Stage) {
    let request = UpdateWorkflowExecutionRequest {
        namespace: api::NAMESPACE.to_owned(),
        workflow_execution: api::execution(id, ""),
        wait_policy: wait(stage),
        request: Some(Request {
            meta: Some(Meta {
                update_id: update_id.to_owned(),
                identity: String::from("updater"),
            }),
            input: Some(Input {
                name: String::from("add"),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    loop {
        let (answer, _) = world
            .insist(|client| {
                let request = request.clone();
                async move { client.update(request).await }
            })
            .await;
        match answer {
            Ok(answer) if answer.stage >= stage as i32 => {
                world.ledger.acknowledged("updates");
                note(world, id, update_id, answer.outcome.as_ref().and_then(said));
                break;
            }
            Ok(_) => {}
            // The workflow task that had it failed, or timed out.
            Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::Aborted) => {}
            Err(status) => return world.ledger.finding(format!("{id} {update_id}: {status}")),
        }
    }
    poll(world, id, update_id).await;
}

/// Asks for the outcome of an accepted update.
async fn poll(world: &World, id: &str, update_id: &str) {
    let request = PollWorkflowExecutionUpdateRequest {
        namespace: api::NAMESPACE.to_owned(),
        update_ref: Some(UpdateRef {
            workflow_execution: api::execution(id, ""),
            update_id: update_id.to_owned(),
        }),
        wait_policy: wait(Stage::Completed),
        ..Default::default()
    };
    loop {
        let (answer, _) = world
            .insist(|client| {
                let request = request.clone();
                async move { client.poll_update(request).await }
            })
            .await;
        match answer {
            Ok(answer) => match answer.outcome.as_ref().and_then(said) {
                Some(outcome) => return note(world, id, update_id, Some(outcome)),
                None if answer.outcome.is_some() => {
                    let text = format!("{id} {update_id}: its outcome is {:?}", answer.outcome);
                    return world.ledger.finding(text);
                }
                None => {}
            },
            Err(status) => {
                return world
                    .ledger
                    .finding(format!("{id} {update_id} was accepted, but: {status}"));
            }
        }
    }
}

fn wait(stage: Stage) -> Option<WaitPolicy> {
    Some(WaitPolicy {
        lifecycle_stage: stage.into(),
    })
}

fn note(world: &World, id: &str, update_id: &str, outcome: Option<String>) {
    let key = (id.to_owned(), update_id.to_owned());
    let mut noted = world.promises.noted();
    let before = noted.updates.entry(key).or_default();
    let changed = match (&before, &outcome) {
        (Some(before), Some(outcome)) => before != outcome,
        _ => false,
    };
    let text = format!("{id} {update_id}: its outcome was {before:?} and is {outcome:?}");
    *before = outcome.or(before.take());
    drop(noted);
    if changed {
        world.ledger.finding(text);
    }
}

/// Compares with what the histories say.
pub(super) async fn reckon(world: &World) -> Result<(), Error> {
    let mut told = BTreeMap::new();
    for (id, run_id) in runs_of(world, PREFIX).await? {
        let events = history_of(world, &id, &run_id).await?;
        for problem in read(&id, &events, &mut told) {
            world.ledger.finding(format!("{id} {run_id}: {problem}"));
        }
    }
    let noted = world.promises.noted().updates.clone();
    for problem in compare(&noted, &told) {
        world.ledger.finding(problem);
    }
    Ok(())
}

type Told = BTreeMap<(String, String), Option<String>>;

/// Reads the updates of a run.
fn read(id: &str, events: &[HistoryEvent], told: &mut Told) -> Vec<String> {
    let mut problems = Vec::new();
    for event in events {
        match &event.attributes {
            Some(A::WorkflowExecutionUpdateAcceptedEventAttributes(a)) => {
                let key = (id.to_owned(), a.protocol_instance_id.clone());
                if told.insert(key, None).is_some() {
                    let id = &a.protocol_instance_id;
                    problems.push(format!("update {id} was accepted twice"));
                }
            }
            Some(A::WorkflowExecutionUpdateCompletedEventAttributes(a)) => {
                let update_id = a.meta.clone().unwrap_or_default().update_id;
                let outcome = a.outcome.as_ref().and_then(said);
                match told.get_mut(&(id.to_owned(), update_id.clone())) {
                    Some(known @ None) => *known = outcome,
                    Some(Some(_)) => problems.push(format!("update {update_id} completed twice")),
                    None => problems.push(format!("update {update_id} was not accepted")),
                }
            }
            _ => {}
        }
    }
    problems
}

/// What was promised is there.
fn compare(noted: &Told, told: &Told) -> Vec<String> {
    let differing = noted.iter().filter(|(key, outcome)| match told.get(*key) {
        None | Some(None) => true,
        Some(told) => outcome.is_some() && told != *outcome,
    });
    differing
        .map(|((id, update_id), outcome)| {
            let there = told.get(&(id.clone(), update_id.clone()));
            format!("{id} {update_id}: promised {outcome:?}, there is {there:?}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promised_outcome_must_be_there() {
        let key = |id: &str| ("w".to_owned(), id.to_owned());
        let noted = Told::from([
            (key("a"), Some("a#0".to_owned())),
            (key("b"), None),
            (key("c"), Some("c#2".to_owned())),
            (key("d"), None),
        ]);
        let told = Told::from([
            (key("a"), Some("a#0".to_owned())),
            (key("b"), Some("b#1".to_owned())),
            (key("c"), Some("c#1".to_owned())),
        ]);
        assert_eq!(
            compare(&noted, &told),
            [
                "w c: promised Some(\"c#2\"), there is Some(Some(\"c#1\"))",
                "w d: promised None, there is None"
            ]
        );
    }
}
