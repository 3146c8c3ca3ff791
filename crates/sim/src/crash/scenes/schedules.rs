//! Schedules: while the server lives and while it does not, every second has its action, and none has two.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::common::v1::WorkflowType;
use proto::temporal::api::enums::v1::ScheduleOverlapPolicy as Overlap;
use proto::temporal::api::schedule::v1::schedule_action::Action;
use proto::temporal::api::schedule::v1::{
    IntervalSpec, Schedule, ScheduleAction, SchedulePatch, SchedulePolicies, ScheduleSpec,
};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflow::v1::NewWorkflowExecutionInfo;
use proto::temporal::api::workflowservice::v1::{
    CreateScheduleRequest, DescribeScheduleRequest, DescribeScheduleResponse, PatchScheduleRequest,
};
use server::shard::{Clock, SystemClock};
use tokio::task::JoinSet;
use tonic::Code;

use super::decide::ECHO;
use super::{QUEUE, runs_of};
use crate::api;
use crate::crash::world::World;
use crate::error::Error;

const PREFIX: &str = "tick-";

/// Two schedules: one whose actions may overlap, and one whose actions wait for each other.
pub(super) fn start(world: &Arc<World>, clients: &mut JoinSet<()>) {
    for (name, overlap) in [("all", Overlap::AllowAll), ("buffer", Overlap::BufferAll)] {
        clients.spawn(run(Arc::clone(world), name, overlap));
    }
}

fn now() -> i64 {
    SystemClock.now().0 / 1_000_000_000
}

async fn run(world: Arc<World>, name: &'static str, overlap: Overlap) {
    let id = format!("schedule-{name}");
    let prefix = format!("{PREFIX}{name}");
    if !create(&world, &id, &prefix, overlap).await {
        return;
    }
    let from = now() + 1;
    let mut stopping = world.stopping.subscribe();
    // The sender lives as long as the world.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    // What is due must have begun before it is paused.
    let to = now();
    settled(&world, &id, |info| {
        let next = info.future_action_times.first();
        next.is_none_or(|next| next.seconds > to) && info.buffer_size == 0
    })
    .await;
    let request = PatchScheduleRequest {
        namespace: api::NAMESPACE.to_owned(),
        schedule_id: id.clone(),
        patch: Some(SchedulePatch {
            pause: String::from("the end"),
            ..Default::default()
        }),
        request_id: api::request_id(),
        ..Default::default()
    };
    let (answer, _) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.patch_schedule(request).await }
        })
        .await;
    if let Err(status) = answer {
        world.ledger.finding(format!("{id}: pause: {status}"));
    }
    settled(&world, &id, |info| {
        info.running_workflows.is_empty() && info.buffer_size == 0
    })
    .await;
    world.promises.noted().schedules.insert(prefix, (from, to));
}

async fn create(world: &World, id: &str, prefix: &str, overlap: Overlap) -> bool {
    let action = NewWorkflowExecutionInfo {
        workflow_id: prefix.to_owned(),
        workflow_type: Some(WorkflowType {
            name: ECHO.to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: QUEUE.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let schedule = Schedule {
        spec: Some(ScheduleSpec {
            interval: vec![IntervalSpec {
                interval: api::millis_of(1_000),
                phase: None,
            }],
            ..Default::default()
        }),
        action: Some(ScheduleAction {
            action: Some(Action::StartWorkflow(action)),
        }),
        policies: Some(SchedulePolicies {
            overlap_policy: overlap.into(),
            ..Default::default()
        }),
        state: None,
    };
    let request = CreateScheduleRequest {
        namespace: api::NAMESPACE.to_owned(),
        schedule_id: id.to_owned(),
        schedule: Some(schedule),
        request_id: api::request_id(),
        ..Default::default()
    };
    let (answer, repeated) = world
        .insist(|client| {
            let request = request.clone();
            async move { client.create_schedule(request).await }
        })
        .await;
    match answer {
        Ok(_) => world.ledger.acknowledged("schedules"),
        Err(status) if repeated && status.code() == Code::AlreadyExists => {}
        Err(status) => {
            world.ledger.finding(format!("{id}: create: {status}"));
            return false;
        }
    }
    true
}

/// Waits until a description says so.
async fn settled(
    world: &World,
    id: &str,
    is_so: impl Fn(&proto::temporal::api::schedule::v1::ScheduleInfo) -> bool,
) {
    loop {
        let request = DescribeScheduleRequest {
            namespace: api::NAMESPACE.to_owned(),
            schedule_id: id.to_owned(),
        };
        let (answer, _) = world
            .insist(|client| {
                let request = request.clone();
                async move { client.describe_schedule(request).await }
            })
            .await;
        match answer {
            Ok(DescribeScheduleResponse { info, .. }) => {
                if is_so(&info.unwrap_or_default()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(status) => return world.ledger.finding(format!("{id}: describe: {status}")),
        }
    }
}

/// Compares with the workflows that the actions started.
pub(super) async fn reckon(world: &World) -> Result<(), Error> {
    let schedules = world.promises.noted().schedules.clone();
    for (prefix, (from, to)) in schedules {
        let mut actions: BTreeMap<i64, usize> = BTreeMap::new();
        for (id, _) in runs_of(world, &format!("{prefix}-")).await? {
            world.ledger.count("actions of schedules");
            match seconds_of(&id[prefix.len() + 1..]) {
                Some(second) => *actions.entry(second).or_default() += 1,
                None => world.ledger.finding(format!("{id}: an action of no time")),
            }
        }
        for problem in check(&actions, from, to) {
            world.ledger.finding(format!("{prefix}: {problem}"));
        }
    }
    Ok(())
}

/// Every second from `from` to `to` has one action, and no second has two.
fn check(actions: &BTreeMap<i64, usize>, from: i64, to: i64) -> Vec<String> {
    let missing = (from..=to)
        .filter(|second| !actions.contains_key(second))
        .map(|second| format!("second {} of {} has no action", second - from, to - from));
    let doubled = actions
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(second, count)| format!("second {} has {count} actions", second - from));
    missing.chain(doubled).collect()
}

/// `2026-01-02T03:04:05Z` in seconds since the epoch.
fn seconds_of(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, by: char| -> Option<Vec<i64>> {
        text.split(by).map(|part| part.parse().ok()).collect()
    };
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    let (&[year, month, day], &[hour, minute, second]) = (date.as_slice(), time.as_slice()) else {
        return None;
    };
    // A year that begins in March has its leap day at its end.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(seconds_of("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds_of("2024-02-29T12:00:01Z"), Some(1_709_208_001));
        assert_eq!(seconds_of("tomorrow"), None);
    }

    #[test]
    fn every_second_has_one_action() {
        let actions = BTreeMap::from([(9, 1), (10, 1), (11, 2), (13, 1)]);
        assert_eq!(
            check(&actions, 10, 13),
            ["second 2 of 3 has no action", "second 1 has 2 actions"]
        );
    }
}
