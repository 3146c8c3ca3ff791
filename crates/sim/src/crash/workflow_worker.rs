//! Workers for workflow tasks: they poll, decide from the whole history, and sometimes misbehave.

use std::sync::Arc;

use proto::temporal::api::enums::v1::WorkflowTaskFailedCause;
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::taskqueue::v1::{StickyExecutionAttributes, TaskQueue};
use proto::temporal::api::workflowservice::v1::{
    PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
};
use tokio::task::JoinSet;

use super::activity_worker;
use super::decide::decide;
use super::ledger::Fate;
use super::progress::Progress;
use super::world::World;
use crate::api;
use crate::random::Random;

/// Starts a worker: pollers of the shared queue, and of its own if it is a sticky one.
pub(super) fn start(world: &Arc<World>, name: &str, sticky: bool, tasks: &mut JoinSet<()>) {
    let own = format!("{}-{name}", world.queue);
    let worker = Arc::new(Worker {
        world: Arc::clone(world),
        name: name.to_owned(),
        sticky: sticky
            .then(|| api::sticky_queue(&own, &world.queue))
            .flatten(),
    });
    for poller in 0..2 {
        tasks.spawn(Arc::clone(&worker).poll(api::queue(&world.queue), poller));
    }
    if worker.sticky.is_some() {
        tasks.spawn(Arc::clone(&worker).poll(worker.sticky.clone(), 2));
    }
}

struct Worker {
    world: Arc<World>,
    name: String,
    /// Its own queue, if it asks for one.
    sticky: Option<TaskQueue>,
}

impl Worker {
    async fn poll(self: Arc<Self>, queue: Option<TaskQueue>, poller: u32) {
        let mut random = Random::named(self.world.seed, &format!("{}/{poller}", self.name));
        loop {
            let request = api::poll_workflow(queue.clone(), &self.name);
            let polled = self
                .world
                .once(|client| async move { client.poll_workflow_task(request).await })
                .await;
            let mut next = polled.ok();
            while let Some(task) = next.filter(|task| !task.task_token.is_empty()) {
                next = self.handle(task, &mut random).await;
            }
        }
    }

    /// Handles a task; answers with the next one if the server gave it at once.
    async fn handle(
        &self,
        task: PollWorkflowTaskQueueResponse,
        random: &mut Random,
    ) -> Option<PollWorkflowTaskQueueResponse> {
        self.world.ledger.count("workflow tasks handed out");
        let execution = task.workflow_execution.clone().unwrap_or_default();
        let (workflow_id, run_id) = (execution.workflow_id, execution.run_id);
        let events = self.whole_history(&task, &workflow_id, &run_id).await?;
        self.world.ledger.saw(&run_id, &events);
        let progress = Progress::of(&events, task.started_event_id);
        let planned = self.world.ledger.facts().fate(&workflow_id) == Fate::Planned;
        // Children of a workflow that is gone have surprises of their own.
        for surprise in progress.surprises.iter().filter(|_| planned) {
            self.world
                .ledger
                .finding(format!("{workflow_id} {run_id}: {surprise}"));
        }
        let Some(plan) = progress.plan.clone() else {
            self.world
                .ledger
                .finding(format!("{workflow_id} {run_id}: a task without the input"));
            return None;
        };
        match random.below(100) {
            // As a worker that dies.
            0 => return None,
            1 => return self.fail(task, &workflow_id).await,
            _ => {}
        }
        let identity = format!("{}#{}", self.name, random.draw());
        let request = RespondWorkflowTaskCompletedRequest {
            identity: identity.clone(),
            sticky_attributes: self.sticky.clone().map(|queue| StickyExecutionAttributes {
                worker_task_queue: Some(queue),
                schedule_to_start_timeout: api::millis_of(2_000),
            }),
            return_new_workflow_task: random.percent(30),
            ..api::completion(
                task.task_token.clone(),
                decide(&plan, &progress, &self.world.queue),
            )
        };
        let answer = self
            .world
            .once(|client| async move { client.complete_workflow_task(request).await })
            .await
            // A stale token after a crash; buffered events before a close command.
            .ok()?;
        let key = (run_id.clone(), task.started_event_id);
        self.world
            .ledger
            .facts()
            .workflow_tasks
            .insert(key, identity);
        self.world.ledger.acknowledged("workflow tasks completed");
        for task in answer.activity_tasks {
            let world = Arc::clone(&self.world);
            let random = Random::new(random.draw());
            tokio::spawn(async move { activity_worker::handle(&world, task, random).await });
        }
        answer.workflow_task
    }

    async fn fail(
        &self,
        task: PollWorkflowTaskQueueResponse,
        workflow_id: &str,
    ) -> Option<PollWorkflowTaskQueueResponse> {
        let request = RespondWorkflowTaskFailedRequest {
            namespace: api::NAMESPACE.to_owned(),
            task_token: task.task_token,
            cause: WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure.into(),
            failure: Some(super::decide::application_failure(workflow_id)),
            identity: self.name.clone(),
            ..Default::default()
        };
        let answer = self
            .world
            .once(|client| async move { client.fail_workflow_task(request).await })
            .await;
        if answer.is_ok() {
            self.world.ledger.acknowledged("workflow tasks failed");
        }
        None
    }

    /// The history of a task: what came with it if that is all, else all that the server has.
    async fn whole_history(
        &self,
        task: &PollWorkflowTaskQueueResponse,
        workflow_id: &str,
        run_id: &str,
    ) -> Option<Vec<HistoryEvent>> {
        let events = task.history.clone().unwrap_or_default().events;
        let whole = events.first().is_some_and(|event| event.event_id == 1);
        if whole && task.next_page_token.is_empty() {
            return Some(events);
        }
        let read = self
            .world
            .once(|client| async move { client.whole_history(workflow_id, run_id).await })
            .await;
        read.ok()
    }
}
