//! Workers for activity tasks: they note what they are given, fail as planned, and sometimes die.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCompletedByIdRequest, RespondActivityTaskFailedRequest,
};
use tokio::task::JoinSet;
use tonic::Code;

use super::decide::{Order, application_failure};
use super::ledger::Outcome;
use super::world::World;
use crate::random::Random;
use crate::{api, payload};

/// Starts a worker with so many pollers.
pub(super) fn start(world: &Arc<World>, name: &str, pollers: usize, tasks: &mut JoinSet<()>) {
    for poller in 0..pollers {
        let random = Random::named(world.seed, &format!("{name}/{poller}"));
        tasks.spawn(poll(Arc::clone(world), name.to_owned(), random));
    }
}

async fn poll(world: Arc<World>, name: String, mut random: Random) {
    loop {
        let request = api::poll_activity(&world.queue, &name);
        let polled = world
            .once(|client| async move { client.poll_activity_task(request).await })
            .await;
        if let Some(task) = polled.ok().filter(|task| !task.task_token.is_empty()) {
            handle(&world, task, Random::new(random.draw())).await;
        }
    }
}

/// One attempt that this worker was given.
struct Given<'a> {
    world: &'a World,
    task: &'a PollActivityTaskQueueResponse,
    workflow_id: String,
    run_id: String,
    nonce: String,
}

/// Does what a task asks for.
pub(super) async fn handle(world: &World, task: PollActivityTaskQueueResponse, mut random: Random) {
    world.ledger.count("activity tasks handed out");
    let execution = task.workflow_execution.clone().unwrap_or_default();
    let given = Given {
        world,
        task: &task,
        workflow_id: execution.workflow_id,
        run_id: execution.run_id,
        nonce: format!("{:016x}", random.draw()),
    };
    let Some(order) = payload::to_json::<Order>(task.input.as_ref()) else {
        return given.finding("a task without its input");
    };
    given.check_heartbeat_details();
    if !world.ledger.handed_out(
        &given.workflow_id,
        &given.run_id,
        &task.activity_id,
        task.attempt,
        &given.nonce,
    ) {
        return;
    }
    if order.activity.once && task.attempt > 1 {
        given.finding("a second attempt of an activity with maximum_attempts 1");
    }
    if random.percent(30) {
        given.heartbeat().await;
    }
    // So that some are in the middle of their work when the server dies.
    tokio::time::sleep(Duration::from_millis(random.below(40))).await;
    if random.percent(2) {
        // As a worker that dies.
        return world.ledger.count("activity tasks dropped");
    }
    if task.attempt <= order.activity.failures {
        given.fail().await;
    } else if random.percent(10) {
        given.complete_by_id().await;
    } else {
        given.complete(random.percent(10)).await;
    }
}

impl Given<'_> {
    fn finding(&self, text: &str) {
        let (id, attempt) = (&self.task.activity_id, self.task.attempt);
        self.world.ledger.finding(format!(
            "{} {}: activity {id}, attempt {attempt}: {text}",
            self.workflow_id, self.run_id
        ));
    }

    fn note(&self, change: impl FnOnce(&mut super::ledger::Attempt)) {
        let (run_id, id) = (&self.run_id, &self.task.activity_id);
        self.world.ledger.attempt(run_id, id, &self.nonce, change);
    }

    /// An attempt sees the last heartbeat that was acknowledged to one before it.
    fn check_heartbeat_details(&self) {
        let shown: Option<String> = payload::to_json(self.task.heartbeat_details.as_ref());
        let problem = {
            let facts = self.world.ledger.facts();
            let key = (self.run_id.clone(), self.task.activity_id.clone());
            let before = facts.activities.get(&key).map_or(&[][..], Vec::as_slice);
            let last = before
                .iter()
                .rev()
                .find(|a| a.heartbeat.is_some() || a.heartbeat_unsure);
            last.filter(|last| !last.heartbeat_unsure && last.heartbeat != shown)
                .map(|last| format!("sees heartbeat {shown:?}, not {:?}", last.heartbeat))
        };
        if let Some(problem) = problem {
            self.finding(&problem);
        }
    }

    async fn heartbeat(&self) {
        let request = RecordActivityTaskHeartbeatRequest {
            namespace: api::NAMESPACE.to_owned(),
            task_token: self.task.task_token.clone(),
            details: Some(payload::of_json(&self.nonce)),
            identity: String::from("worker"),
            ..Default::default()
        };
        self.note(|attempt| attempt.heartbeat_unsure = true);
        let answer = self
            .world
            .once(|client| async move { client.heartbeat(request).await })
            .await;
        if answer.is_ok() {
            self.world.ledger.acknowledged("heartbeats");
            self.note(|attempt| {
                attempt.heartbeat_unsure = false;
                attempt.heartbeat = Some(self.nonce.clone());
            });
        }
    }

    async fn complete(&self, twice: bool) {
        let result = Some(payload::of_json(&self.nonce));
        let request = api::activity_completion(self.task.task_token.clone(), result);
        let first = request.clone();
        let (answer, _) = self
            .world
            .insist(|client| {
                let request = first.clone();
                async move { client.complete_activity_task(request).await }
            })
            .await;
        match answer {
            Ok(_) => self.completed(),
            // Lost, or an earlier try was taken.
            Err(status) if status.code() == Code::NotFound => return,
            Err(status) => return self.finding(&format!("completion: {status}")),
        }
        if twice {
            let again = self
                .world
                .once(|client| async move { client.complete_activity_task(request).await });
            if again.await.is_ok() {
                self.finding("a second completion was taken");
            }
        }
    }

    async fn complete_by_id(&self) {
        let request = RespondActivityTaskCompletedByIdRequest {
            namespace: api::NAMESPACE.to_owned(),
            workflow_id: self.workflow_id.clone(),
            run_id: self.run_id.clone(),
            activity_id: self.task.activity_id.clone(),
            result: Some(payload::of_json(&self.nonce)),
            identity: String::from("worker"),
            ..Default::default()
        };
        self.note(|attempt| attempt.by_id = true);
        // Only once: said again after a crash it could be another attempt's completion.
        let answer = self
            .world
            .once(|client| async move { client.complete_activity_task_by_id(request).await })
            .await;
        if answer.is_ok() {
            self.completed();
        }
    }

    fn completed(&self) {
        self.world.ledger.acknowledged("activities completed");
        self.note(|attempt| attempt.outcome = Outcome::Completed);
    }

    async fn fail(&self) {
        let request = RespondActivityTaskFailedRequest {
            namespace: api::NAMESPACE.to_owned(),
            task_token: self.task.task_token.clone(),
            failure: Some(application_failure("as planned")),
            identity: String::from("worker"),
            ..Default::default()
        };
        let (answer, _) = self
            .world
            .insist(|client| {
                let request = request.clone();
                async move { client.fail_activity_task(request).await }
            })
            .await;
        match answer {
            Ok(_) => {
                self.world.ledger.acknowledged("activities failed");
                self.note(|attempt| attempt.outcome = Outcome::Failed);
            }
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => self.finding(&format!("failure: {status}")),
        }
    }
}
