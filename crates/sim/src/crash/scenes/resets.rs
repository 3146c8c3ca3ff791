//! Resets: each opens one run, however often it is asked for, and no signal is lost by it.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::enums::v1::EventType;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::workflowservice::v1::ResetWorkflowExecutionRequest;

use super::decide::SLEEPER;
use super::{END, ended, history_of, runs_of, send, start_workflow};
use crate::api;
use crate::crash::world::World;
use crate::error::Error;

const PREFIX: &str = "reset-";
/// Sent before each reset.
const KEPT: &str = "kept";
/// Resets of one workflow.
const RESETS: usize = 2;

/// Keeps one workflow after the other going.
pub(super) async fn run(world: Arc<World>) {
    let mut number = 0;
    while !*world.stopping.borrow() {
        let id = format!("{PREFIX}{number}");
        number += 1;
        if start_workflow(&world, SLEEPER, &id).await.is_none() {
            continue;
        }
        for _ in 0..RESETS {
            send(&world, &id, KEPT).await;
            let at = first_completion(&world, &id).await;
            reset(&world, &id, at).await;
        }
        send(&world, &id, END).await;
        if let Some(end) = ended(&world, &id).await
            && end.event_type() != EventType::WorkflowExecutionCompleted
        {
            world
                .ledger
                .finding(format!("{id}: it ended with {:?}", end.event_type()));
        }
    }
}

/// The first completed workflow task of the current run, once there is one.
async fn first_completion(world: &World, id: &str) -> i64 {
    loop {
        let read = world
            .once(|client| async move { client.whole_history(id, "").await })
            .await;
        let events = read.unwrap_or_default();
        let completed = events
            .iter()
            .find(|event| event.event_type() == EventType::WorkflowTaskCompleted);
        if let Some(event) = completed {
            return event.event_id;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn reset(world: &World, id: &str, at: i64) {
    let request = ResetWorkflowExecutionRequest {
        namespace: api::NAMESPACE.to_owned(),
        workflow_execution: api::execution(id, ""),
        reason: String::from("doubt"),
        workflow_task_finish_event_id: at,
        request_id: api::request_id(),
        ..Default::default()
    };
    let (answer, _) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.reset(request).await }
        })
        .await;
    match answer {
        Ok(answer) => {
            world.ledger.acknowledged("resets");
            let mut noted = world.promises.noted();
            let runs = noted.resets.entry(id.to_owned()).or_default();
            runs.push(answer.run_id);
        }
        Err(status) => world.ledger.finding(format!("{id}: reset: {status}")),
    }
}

/// Compares with the runs that there are.
pub(super) async fn reckon(world: &World) -> Result<(), Error> {
    let resets = world.promises.noted().resets.clone();
    let runs = runs_of(world, PREFIX).await?;
    for (id, opened) in &resets {
        let there: Vec<&str> = runs
            .iter()
            .filter(|(other, _)| other == id)
            .map(|(_, run_id)| run_id.as_str())
            .collect();
        for problem in compare(opened, &there) {
            world.ledger.finding(format!("{id}: {problem}"));
        }
        let Some(last) = opened.last().filter(|last| there.contains(&last.as_str())) else {
            continue;
        };
        let events = history_of(world, id, last).await?;
        let kept = signals(&events, KEPT);
        if kept != opened.len() {
            let text = format!(
                "{id}: {kept} of {} signals are in the last run",
                opened.len()
            );
            world.ledger.finding(text);
        }
    }
    Ok(())
}

/// How many signals of a name a history has.
pub(super) fn signals(events: &[HistoryEvent], name: &str) -> usize {
    let is_one = |event: &&HistoryEvent| {
        matches!(&event.attributes,
            Some(A::WorkflowExecutionSignaledEventAttributes(a)) if a.signal_name == name)
    };
    events.iter().filter(is_one).count()
}

/// Each acknowledged reset opened its run, and nothing else opened one.
fn compare(opened: &[String], there: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    for run_id in opened {
        if !there.contains(&run_id.as_str()) {
            problems.push(format!("run {run_id} was opened by a reset and is gone"));
        }
    }
    if there.len() != opened.len() + 1 {
        problems.push(format!(
            "{} runs after {} resets",
            there.len(),
            opened.len()
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_opens_one_run() {
        let opened = ["b".to_owned(), "c".to_owned()];
        assert_eq!(compare(&opened, &["a", "b", "c"]), Vec::<String>::new());
        assert_eq!(
            compare(&opened, &["a", "b", "d", "e"]),
            [
                "run c was opened by a reset and is gone",
                "4 runs after 2 resets"
            ]
        );
    }
}
