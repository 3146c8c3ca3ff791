//! The reckoning: what the server shows in the end against what it promised and showed before.

mod activities;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::temporal::api::enums::v1::{EventType, WorkflowExecutionStatus as Status};
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use proto::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, ListWorkflowExecutionsRequest,
};

use super::client_side::successor;
use super::ledger::{Facts, Fate, Workflow, digest};
use super::world::World;
use crate::api;
use crate::check::history;
use crate::error::Error;

/// The history of every run, by workflow id and run id.
type Histories = BTreeMap<String, BTreeMap<String, Vec<HistoryEvent>>>;

/// Reads all histories and compares.
///
/// # Errors
/// When the server does not give them.
pub(super) async fn of_all_histories(world: &Arc<World>) -> Result<(), Error> {
    await_deletions(world).await;
    let mut histories = Histories::new();
    for info in list(world).await? {
        let execution = info.execution.clone().unwrap_or_default();
        let (id, run_id) = (execution.workflow_id, execution.run_id);
        let events = read(world, &id, &run_id).await?;
        let mut problems = history::check(&events);
        problems.extend(check_listed(&info, &events));
        problems.extend(check_described(world, &id, &run_id, &info).await?);
        let mut facts = world.ledger.facts();
        problems.extend(check_shown(&facts, &run_id, &events));
        problems.extend(check_workflow_tasks(&facts, &run_id, &events));
        problems.extend(activities::check(&facts, &run_id, &events));
        for problem in problems {
            facts.finding(format!("{id} {run_id}: {problem}"));
        }
        *facts.counts.entry("histories compared").or_default() += 1;
        drop(facts);
        histories.entry(id).or_default().insert(run_id, events);
    }
    let mut facts = world.ledger.facts();
    let mut problems = Vec::new();
    for (id, workflow) in &facts.workflows {
        let found = check_workflow(workflow, histories.get(id));
        problems.extend(found.into_iter().map(|problem| format!("{id}: {problem}")));
    }
    let known: BTreeSet<&String> = histories.values().flat_map(BTreeMap::keys).collect();
    let lost = facts
        .activities
        .keys()
        .map(|(run_id, _)| run_id)
        .filter(|run_id| !known.contains(run_id))
        .find(|run_id| {
            let id = facts.runs.get(*run_id).map_or("", String::as_str);
            // Children are not deleted with their parents.
            facts
                .workflows
                .get(id)
                .is_none_or(|workflow| workflow.fate == Fate::Planned)
        });
    problems.extend(lost.map(|run_id| format!("run {run_id} had activities and is gone")));
    for problem in problems {
        facts.finding(problem);
    }
    Ok(())
}

/// Deleted means gone, soon and for ever.
async fn await_deletions(world: &World) {
    let deleted: Vec<String> = {
        let facts = world.ledger.facts();
        let deleted = facts
            .workflows
            .values()
            .filter(|workflow| workflow.fate == Fate::Deleted);
        deleted.map(|workflow| workflow.plan.id.clone()).collect()
    };
    for id in deleted {
        let gone = async {
            loop {
                let (answer, _) = world
                    .insist(|client| {
                        let request = DescribeWorkflowExecutionRequest {
                            namespace: api::NAMESPACE.to_owned(),
                            execution: api::execution(&id, ""),
                        };
                        async move { client.describe(request).await }
                    })
                    .await;
                if answer.is_err_and(|status| status.code() == tonic::Code::NotFound) {
                    return;
                }
            }
        };
        if tokio::time::timeout(api::SHORT, gone).await.is_err() {
            world
                .ledger
                .finding(format!("{id}: it was deleted and is still there"));
        }
    }
}

async fn list(world: &World) -> Result<Vec<WorkflowExecutionInfo>, Error> {
    let client = world.client().await;
    let mut request = ListWorkflowExecutionsRequest {
        namespace: api::NAMESPACE.to_owned(),
        ..Default::default()
    };
    let mut all = Vec::new();
    loop {
        let page = client
            .list(request.clone())
            .await
            .map_err(refused("ListWorkflowExecutions"))?;
        all.extend(page.executions);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.next_page_token = page.next_page_token;
    }
}

async fn read(world: &World, id: &str, run_id: &str) -> Result<Vec<HistoryEvent>, Error> {
    let client = world.client().await;
    let events = client.whole_history(id, run_id).await;
    events.map_err(refused("GetWorkflowExecutionHistory"))
}

fn refused(method: &'static str) -> impl FnOnce(tonic::Status) -> Error {
    move |status| Error::Call {
        method,
        status: Box::new(status),
    }
}

/// The list says what the history says.
fn check_listed(info: &WorkflowExecutionInfo, events: &[HistoryEvent]) -> Vec<String> {
    let mut problems = Vec::new();
    let status = events.last().map_or(Status::Unspecified, status_after);
    if info.status() != status {
        problems.push(format!(
            "it is listed as {:?}, but is {status:?}",
            info.status()
        ));
    }
    if status == Status::Running {
        problems.push(String::from("it is open for ever"));
    } else if info.history_length != events.len() as i64 {
        problems.push(format!("it is listed with {} events", info.history_length));
    }
    problems
}

async fn check_described(
    world: &World,
    id: &str,
    run_id: &str,
    listed: &WorkflowExecutionInfo,
) -> Result<Vec<String>, Error> {
    let request = DescribeWorkflowExecutionRequest {
        namespace: api::NAMESPACE.to_owned(),
        execution: api::execution(id, run_id),
    };
    let described = world.client().await.describe(request).await;
    let described = described.map_err(refused("DescribeWorkflowExecution"))?;
    let mut problems = Vec::new();
    let info = described.workflow_execution_info.unwrap_or_default();
    if (info.status, info.history_length) != (listed.status, listed.history_length) {
        problems.push(format!("it is described as {:?}", info.status()));
    }
    if info.status() == Status::Terminated {
        return Ok(problems);
    }
    let pending = described.pending_activities.len()
        + described.pending_children.len()
        + usize::from(described.pending_workflow_task.is_some());
    if pending != 0 {
        problems.push(format!("it is closed and has {pending} things pending"));
    }
    Ok(problems)
}

fn status_after(last: &HistoryEvent) -> Status {
    match last.event_type() {
        EventType::WorkflowExecutionCompleted => Status::Completed,
        EventType::WorkflowExecutionFailed => Status::Failed,
        EventType::WorkflowExecutionCanceled => Status::Canceled,
        EventType::WorkflowExecutionTerminated => Status::Terminated,
        EventType::WorkflowExecutionTimedOut => Status::TimedOut,
        EventType::WorkflowExecutionContinuedAsNew => Status::ContinuedAsNew,
        _ => Status::Running,
    }
}

/// What somebody was shown of this run is still there.
fn check_shown(facts: &Facts, run_id: &str, events: &[HistoryEvent]) -> Vec<String> {
    let Some(shown) = facts.events.get(run_id) else {
        return Vec::new();
    };
    let now: BTreeMap<i64, u64> = events
        .iter()
        .map(|event| (event.event_id, digest(event)))
        .collect();
    let changed = shown
        .iter()
        .filter(|(id, digest)| now.get(id) != Some(digest));
    changed
        .map(|(id, _)| format!("event {id} was shown and is not what it was"))
        .collect()
}

/// A completion that was acknowledged is in the history, and nobody else's stands in its place.
fn check_workflow_tasks(facts: &Facts, run_id: &str, events: &[HistoryEvent]) -> Vec<String> {
    let mut identities = BTreeMap::new();
    for event in events {
        if let Some(A::WorkflowTaskCompletedEventAttributes(a)) = &event.attributes {
            identities.insert(a.started_event_id, a.identity.as_str());
        }
    }
    // The ledger is keyed by run and event; a run has few events, the ledger many entries.
    let mut problems = Vec::new();
    for event in events
        .iter()
        .filter(|e| e.event_type() == EventType::WorkflowTaskStarted)
    {
        let key = (run_id.to_owned(), event.event_id);
        let Some(acknowledged) = facts.workflow_tasks.get(&key) else {
            continue;
        };
        if identities.get(&event.event_id) != Some(&acknowledged.as_str()) {
            let id = event.event_id;
            problems.push(format!(
                "the acknowledged completion of task {id} is not there"
            ));
        }
    }
    problems
}

/// What a client was promised of a workflow, over all its runs.
fn check_workflow(
    workflow: &Workflow,
    runs: Option<&BTreeMap<String, Vec<HistoryEvent>>>,
) -> Vec<String> {
    let Some(runs) = runs else {
        let acknowledged =
            workflow.run_id.is_some() || workflow.signals.values().any(|s| s.acknowledged);
        let may_be_gone = matches!(workflow.fate, Fate::Deleted | Fate::Unsure);
        let lost = acknowledged && !may_be_gone;
        return if lost {
            vec![String::from("it was acknowledged and is gone")]
        } else {
            Vec::new()
        };
    };
    let mut problems = Vec::new();
    let first = runs.iter().find(|(run_id, events)| {
        matches!(events.first().and_then(|event| event.attributes.as_ref()),
            Some(A::WorkflowExecutionStartedEventAttributes(a)) if a.first_execution_run_id == **run_id)
    });
    let Some((first, _)) = first else {
        return vec![String::from("it has no first run")];
    };
    let chain = chain(first, runs);
    if chain.len() != runs.len() {
        problems.push(format!(
            "{} runs, but {} in the chain",
            runs.len(),
            chain.len()
        ));
    }
    if workflow
        .run_id
        .as_ref()
        .is_some_and(|run_id| !chain.contains(&run_id.as_str()))
    {
        problems.push(format!(
            "run {:?} was acknowledged, run {first} exists",
            workflow.run_id
        ));
    }
    let last = chain
        .last()
        .and_then(|run_id| runs.get(*run_id)?.last())
        .map(status_after);
    let ended_well = match workflow.fate {
        Fate::Planned => last == Some(Status::Completed),
        Fate::Unsure => matches!(last, Some(Status::Completed | Status::Terminated)),
        Fate::Terminated => last == Some(Status::Terminated),
        Fate::Deleted => false,
    };
    if !ended_well {
        problems.push(format!(
            "it is {last:?}, and its fate was {:?}",
            workflow.fate
        ));
    }
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    for event in runs.values().flatten() {
        if let Some(A::WorkflowExecutionSignaledEventAttributes(a)) = &event.attributes {
            *taken.entry(&a.request_id).or_default() += 1;
        }
    }
    for (request_id, signal) in &workflow.signals {
        let times = taken.get(request_id.as_str()).copied().unwrap_or_default();
        // A repeated signal is recognised by the run that took it, not by the one that follows.
        let often = times
            > if workflow.plan.has_one_run() {
                1
            } else {
                chain.len()
            };
        if often || (signal.acknowledged && times == 0) {
            let said = if signal.acknowledged {
                "acknowledged"
            } else {
                "unsure"
            };
            problems.push(format!("{said} signal {request_id} is there {times} times"));
        }
    }
    problems
}

/// A run and those that follow it.
fn chain<'a>(first: &'a str, runs: &'a BTreeMap<String, Vec<HistoryEvent>>) -> Vec<&'a str> {
    let mut chain = vec![first];
    while let Some(next) = chain
        .last()
        .and_then(|run_id| runs.get(*run_id)?.last())
        .and_then(successor)
        .and_then(|next| runs.get_key_value(&next))
        .filter(|(next, _)| !chain.contains(&next.as_str()))
    {
        chain.push(next.0);
    }
    chain
}
