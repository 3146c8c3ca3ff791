//! Standalone activities: each ends once, with the result that its worker was thanked for, and no attempt is given out twice.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::activity::v1::activity_execution_outcome::Value;
use proto::temporal::api::common::v1::ActivityType;
use proto::temporal::api::enums::v1::ActivityExecutionStatus as Status;
use proto::temporal::api::workflowservice::v1::{
    DeleteActivityExecutionRequest, ListActivityExecutionsRequest, PollActivityExecutionRequest,
    PollActivityTaskQueueResponse, RespondActivityTaskFailedRequest, StartActivityExecutionRequest,
};
use tonic::Code;

use super::failed;
use crate::crash::decide::{application_failure, retry};
use crate::crash::world::World;
use crate::error::Error;
use crate::random::Random;
use crate::{api, payload};

const QUEUE: &str = "jobs";

/// A job that a client asked for.
#[derive(Debug, Clone)]
pub(super) struct Job {
    run_id: String,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It ends by itself, and stays.
    Planned,
    /// Its deletion was asked for.
    Deleting,
    /// Its deletion was acknowledged.
    Deleted,
}

/// Keeps one job after the other going.
pub(super) async fn run(world: Arc<World>, client: u64) {
    let mut number = 0;
    while !*world.stopping.borrow() {
        let id = format!("job-{client}-{number}");
        number += 1;
        let mut random = Random::named(world.seed, &id);
        let once = random.percent(25);
        if !start(&world, &id, once).await {
            continue;
        }
        if random.percent(10) {
            delete(&world, &id).await;
            continue;
        }
        outcome(&world, &id, once).await;
        if random.percent(10) {
            delete(&world, &id).await;
        }
    }
}

async fn start(world: &World, id: &str, once: bool) -> bool {
    let request = StartActivityExecutionRequest {
        namespace: api::NAMESPACE.to_owned(),
        identity: String::from("starter"),
        request_id: api::request_id(),
        activity_id: id.to_owned(),
        activity_type: Some(ActivityType {
            name: String::from("Do"),
        }),
        task_queue: api::queue(QUEUE),
        start_to_close_timeout: api::millis_of(3_000),
        retry_policy: retry(i32::from(once)),
        ..Default::default()
    };
    let (answer, _) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.start_activity(request).await }
        })
        .await;
    match answer {
        Ok(answer) => {
            world.ledger.acknowledged("jobs started");
            let job = Job {
                run_id: answer.run_id,
                fate: Fate::Planned,
            };
            world.promises.noted().jobs.insert(id.to_owned(), job);
            true
        }
        Err(status) => {
            world.ledger.finding(format!("{id}: start: {status}"));
            false
        }
    }
}

fn set_fate(world: &World, id: &str, fate: Fate) {
    if let Some(job) = world.promises.noted().jobs.get_mut(id) {
        job.fate = fate;
    }
}

async fn delete(world: &World, id: &str) {
    set_fate(world, id, Fate::Deleting);
    let request = DeleteActivityExecutionRequest {
        namespace: api::NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        run_id: String::new(),
    };
    let (answer, repeated) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.delete_activity(request).await }
        })
        .await;
    match answer {
        Ok(_) => world.ledger.acknowledged("jobs deleted"),
        // An earlier try was taken.
        Err(status) if repeated && status.code() == Code::NotFound => {}
        Err(status) => return world.ledger.finding(format!("{id}: deletion: {status}")),
    }
    set_fate(world, id, Fate::Deleted);
}

/// Waits for the outcome, and compares it with what the worker was told.
async fn outcome(world: &World, id: &str, once: bool) {
    let request = PollActivityExecutionRequest {
        namespace: api::NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        run_id: String::new(),
    };
    loop {
        let (answer, _) = world
            .insist(|client| {
                let request = request.clone();
                async move { client.poll_activity(request).await }
            })
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(status) => {
                return world
                    .ledger
                    .finding(format!("{id} was acknowledged: {status}"));
            }
        };
        let Some(outcome) = answer.outcome else {
            continue;
        };
        world.ledger.count("jobs ended");
        let result = match outcome.value {
            Some(Value::Result(result)) => payload::to_json::<String>(Some(&result)),
            _ => None,
        };
        let given: Vec<(String, bool)> = {
            let noted = world.promises.noted();
            let of_run = noted.attempts.iter();
            let of_run = of_run.filter(|((run_id, _), _)| *run_id == answer.run_id);
            of_run.map(|(_, given)| given.clone()).collect()
        };
        for problem in check(result.as_deref(), &given, once) {
            world.ledger.finding(format!("{id}: {problem}"));
        }
        return;
    }
}

/// `given`: what marks each attempt, and whether its completion was acknowledged.
fn check(result: Option<&str>, given: &[(String, bool)], once: bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (nonce, _) in given.iter().filter(|(_, taken)| *taken) {
        if result != Some(nonce) {
            problems.push(format!(
                "its acknowledged result {nonce} is lost for {result:?}"
            ));
        }
    }
    match result {
        Some(result) if !given.iter().any(|(nonce, _)| nonce == result) => {
            problems.push(String::from("it has a result that no worker gave"));
        }
        None if !once => problems.push(String::from("it may be retried and has no result")),
        _ => {}
    }
    if once && given.len() > 1 {
        problems.push(format!("it was given out {} times", given.len()));
    }
    problems
}

/// Polls for ever.
pub(super) async fn run_worker(world: Arc<World>, number: u64) {
    let mut random = Random::named(world.seed, &format!("jobs/{number}"));
    loop {
        let request = api::poll_activity(QUEUE, "jobs");
        let polled = world
            .once(|client| async move { client.poll_activity_task(request).await })
            .await;
        if let Some(task) = polled.ok().filter(|task| !task.task_token.is_empty()) {
            handle(&world, task, &mut random).await;
        }
    }
}

async fn handle(world: &World, task: PollActivityTaskQueueResponse, random: &mut Random) {
    let key = (task.activity_run_id.clone(), task.attempt);
    let nonce = format!("{:016x}", random.draw());
    let given = (nonce.clone(), false);
    let before = world.promises.noted().attempts.insert(key.clone(), given);
    if before.is_some() {
        let (id, attempt) = (&task.activity_id, task.attempt);
        world
            .ledger
            .finding(format!("{id}: attempt {attempt} was given out twice"));
    }
    // So that some are in the middle of their work when the server dies.
    tokio::time::sleep(Duration::from_millis(random.below(30))).await;
    // One that may not be retried must not fail.
    let may_fail = task
        .retry_policy
        .as_ref()
        .is_none_or(|policy| policy.maximum_attempts != 1);
    if may_fail && random.percent(15) {
        let request = RespondActivityTaskFailedRequest {
            namespace: api::NAMESPACE.to_owned(),
            task_token: task.task_token,
            failure: Some(application_failure("as planned")),
            ..Default::default()
        };
        // Lost with the server: the attempt times out.
        let answer = world
            .once(|client| async move { client.fail_activity_task(request).await })
            .await;
        if answer.is_ok() {
            world.ledger.acknowledged("jobs' attempts failed");
        }
        return;
    }
    let request = api::activity_completion(task.task_token, Some(payload::of_json(&nonce)));
    let (answer, _) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.complete_activity_task(request).await }
        })
        .await;
    match answer {
        Ok(_) => {
            world.ledger.acknowledged("jobs completed");
            world.promises.noted().attempts.insert(key, (nonce, true));
        }
        // Timed out, deleted, or an earlier try was taken.
        Err(status) if status.code() == Code::NotFound => {}
        Err(status) => {
            let id = task.activity_id;
            world.ledger.finding(format!("{id}: completion: {status}"));
        }
    }
}

/// Compares with the list.
pub(super) async fn reckon(world: &World) -> Result<(), Error> {
    let client = world.client().await;
    let mut request = ListActivityExecutionsRequest {
        namespace: api::NAMESPACE.to_owned(),
        ..Default::default()
    };
    let mut there = Vec::new();
    loop {
        let page = client
            .list_activities(request.clone())
            .await
            .map_err(failed("ListActivityExecutions"))?;
        for info in page.executions {
            let is_open = info.status() == Status::Running;
            there.push((info.activity_id, info.run_id, is_open));
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.next_page_token = page.next_page_token;
    }
    let jobs = world.promises.noted().jobs.clone();
    for (id, job) in &jobs {
        let runs: Vec<_> = there.iter().filter(|(other, ..)| other == id).collect();
        let is_well = match job.fate {
            Fate::Planned => runs.len() == 1 && runs[0].1 == job.run_id && !runs[0].2,
            Fate::Deleting => runs.len() <= 1,
            Fate::Deleted => runs.is_empty(),
        };
        if !is_well {
            let text = format!("{id}: {job:?}, but as (id, run, open) there is {runs:?}");
            world.ledger.finding(text);
        }
    }
    for (id, ..) in there.iter().filter(|(id, ..)| !jobs.contains_key(id)) {
        world.ledger.finding(format!("{id}: nobody asked for it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledged_result_is_the_outcome() {
        let given = [("x".to_owned(), false), ("y".to_owned(), true)];
        assert_eq!(check(Some("y"), &given, false), Vec::<String>::new());
        assert_eq!(
            check(Some("z"), &given, true),
            [
                "its acknowledged result y is lost for Some(\"z\")",
                "it has a result that no worker gave",
                "it was given out 2 times"
            ]
        );
        assert_eq!(
            check(None, &given[..1], false),
            ["it may be retried and has no result"]
        );
    }
}
