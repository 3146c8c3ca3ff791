//! The worker of all scenes' workflows.

use std::sync::Arc;

use proto::temporal::api::workflowservice::v1::{
    PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest,
};

use super::QUEUE;
use super::decide::decide;
use crate::api;
use crate::crash::world::World;
use crate::random::Random;

/// Polls for ever.
pub(super) async fn run(world: Arc<World>, number: u64) {
    let mut random = Random::named(world.seed, &format!("scenes/{number}"));
    loop {
        let request = api::poll_workflow(api::queue(QUEUE), "scenes");
        let polled = world
            .once(|client| async move { client.poll_workflow_task(request).await })
            .await;
        let task = polled.ok().filter(|task| !task.task_token.is_empty());
        // Now and then as a worker that dies.
        if let Some(task) = task.filter(|_| !random.percent(1)) {
            handle(&world, task).await;
        }
    }
}

async fn handle(world: &World, task: PollWorkflowTaskQueueResponse) {
    let execution = task.workflow_execution.clone().unwrap_or_default();
    let (id, run_id) = (execution.workflow_id.as_str(), execution.run_id.as_str());
    let mut events = task.history.unwrap_or_default().events;
    if !task.next_page_token.is_empty() {
        let read = world
            .once(|client| async move { client.whole_history(id, run_id).await })
            .await;
        let Ok(whole) = read else { return };
        events = whole;
    }
    events.retain(|event| event.event_id <= task.started_event_id);
    world.ledger.saw(run_id, &events);
    let kind = task.workflow_type.unwrap_or_default().name;
    let decision = decide(&kind, &events, &task.messages);
    if let Some(surprise) = decision.surprise {
        world.ledger.finding(format!("{id} {run_id}: {surprise}"));
    }
    let request = RespondWorkflowTaskCompletedRequest {
        messages: decision.messages,
        ..api::completion(task.task_token, decision.commands)
    };
    let answer = world
        .once(|client| async move { client.complete_workflow_task(request).await })
        .await;
    if answer.is_ok() {
        world
            .ledger
            .acknowledged("scenes' workflow tasks completed");
    }
}
