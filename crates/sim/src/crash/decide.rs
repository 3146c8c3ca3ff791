//! The pure rule of the worker: from how far a run came to the commands that follow.

use std::collections::BTreeSet;

use proto::temporal::api::command::v1 as wire;
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::common::v1::{RetryPolicy, WorkflowType};
use proto::temporal::api::enums::v1::CommandType;
use proto::temporal::api::failure::v1 as failure;
use serde::{Deserialize, Serialize};

use super::plan::{Activity, Plan, Step};
use super::progress::{NUMBER, Progress};
use crate::{api, payload};

/// How long an attempt may take before it counts as lost.
const ATTEMPT_MILLIS: u64 = 3_000;
/// How long a workflow task may take before it counts as lost.
pub(super) const WORKFLOW_TASK_MILLIS: u64 = 3_000;

/// The input of an activity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    /// What to do.
    pub(super) activity: Activity,
}

/// The commands that follow.
pub(super) fn decide(plan: &Plan, progress: &Progress, queue: &str) -> Vec<wire::Command> {
    let heard: BTreeSet<u64> = plan.heard.union(&progress.heard).copied().collect();
    let mut shapes = Vec::new();
    let mut told = progress.told.values();
    for (place, step) in plan.steps.iter().enumerate() {
        let number = plan.offset + place;
        match step {
            Step::Activities(activities) => {
                let id = |index: usize| format!("{number}.{index}");
                if !progress.activities.contains_key(&id(0)) {
                    let all = activities.iter().enumerate();
                    return all
                        .map(|(index, activity)| schedule(&id(index), *activity, plan, queue))
                        .collect();
                }
                let ended = |index| progress.activities.get(&id(index)) == Some(&true);
                if !(0..activities.len()).all(ended) {
                    return Vec::new();
                }
                shapes.push(format!("a{}", activities.len()));
            }
            Step::Timer { millis } => match progress.timers.get(&number.to_string()) {
                None => return vec![api::start_timer(&number.to_string(), *millis)],
                Some(false) => return Vec::new(),
                Some(true) => shapes.push(String::from("t")),
            },
            Step::Signals(numbers) if !heard.is_superset(numbers) => return Vec::new(),
            Step::Signals(numbers) => shapes.push(format!("s{}", numbers.len())),
            Step::Child(child) => match progress.children.get(&child.id) {
                None => return vec![start_child(child, queue)],
                Some(None) => return Vec::new(),
                Some(Some(result)) => shapes.push(format!("c({result})")),
            },
            Step::TellParent(signal) => match told.next() {
                None => {
                    return vec![tell(
                        progress.parent.as_deref().unwrap_or_default(),
                        *signal,
                    )];
                }
                Some(false) => return Vec::new(),
                Some(true) => shapes.push(format!("p{signal}")),
            },
            Step::ContinueAsNew => return vec![continue_as_new(&plan.rest(place, heard), queue)],
        }
    }
    if plan.fails_first && progress.attempt == 1 {
        return vec![fail()];
    }
    let result = format!("{}:{}:{}", plan.id, plan.offset, shapes.join(","));
    vec![api::complete(Some(payload::of_json(&result)))]
}

/// The retry policy of workflows that fail first, and, with other numbers, of activities.
pub(super) fn retry(maximum_attempts: i32) -> Option<RetryPolicy> {
    Some(RetryPolicy {
        initial_interval: api::millis_of(50),
        backoff_coefficient: 1.0,
        maximum_attempts,
        ..Default::default()
    })
}

fn schedule(id: &str, activity: Activity, plan: &Plan, queue: &str) -> wire::Command {
    let input = payload::of_json(&Order { activity });
    let mut attributes = api::schedule_activity(id, queue, Some(input), ATTEMPT_MILLIS);
    attributes.retry_policy = retry(i32::from(activity.once));
    attributes.request_eager_execution = plan.eager;
    api::command_of(
        CommandType::ScheduleActivityTask,
        Attributes::ScheduleActivityTaskCommandAttributes(attributes),
    )
}

fn start_child(child: &Plan, queue: &str) -> wire::Command {
    let attributes = wire::StartChildWorkflowExecutionCommandAttributes {
        workflow_id: child.id.clone(),
        workflow_type: Some(WorkflowType {
            name: String::from("Doubt"),
        }),
        task_queue: api::queue(queue),
        input: Some(payload::of_json(child)),
        workflow_task_timeout: api::millis_of(WORKFLOW_TASK_MILLIS),
        ..Default::default()
    };
    api::command_of(
        CommandType::StartChildWorkflowExecution,
        Attributes::StartChildWorkflowExecutionCommandAttributes(attributes),
    )
}

fn tell(parent: &str, number: u64) -> wire::Command {
    let attributes = wire::SignalExternalWorkflowExecutionCommandAttributes {
        execution: api::execution(parent, ""),
        signal_name: NUMBER.to_owned(),
        input: Some(payload::of_json(&number)),
        ..Default::default()
    };
    api::command_of(
        CommandType::SignalExternalWorkflowExecution,
        Attributes::SignalExternalWorkflowExecutionCommandAttributes(attributes),
    )
}

fn continue_as_new(rest: &Plan, queue: &str) -> wire::Command {
    let attributes = wire::ContinueAsNewWorkflowExecutionCommandAttributes {
        workflow_type: Some(WorkflowType {
            name: String::from("Doubt"),
        }),
        task_queue: api::queue(queue),
        input: Some(payload::of_json(rest)),
        ..Default::default()
    };
    api::command_of(
        CommandType::ContinueAsNewWorkflowExecution,
        Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(attributes),
    )
}

fn fail() -> wire::Command {
    let attributes = wire::FailWorkflowExecutionCommandAttributes {
        failure: Some(application_failure("the first attempt fails")),
    };
    api::command_of(
        CommandType::FailWorkflowExecution,
        Attributes::FailWorkflowExecutionCommandAttributes(attributes),
    )
}

/// A failure that may be retried.
pub(super) fn application_failure(message: &str) -> failure::Failure {
    failure::Failure {
        message: message.to_owned(),
        failure_info: Some(failure::failure::FailureInfo::ApplicationFailureInfo(
            failure::ApplicationFailureInfo::default(),
        )),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(steps: Vec<Step>) -> Plan {
        Plan {
            id: String::from("w"),
            steps,
            offset: 0,
            heard: BTreeSet::new(),
            fails_first: false,
            eager: false,
        }
    }

    fn kinds(plan: &Plan, progress: &Progress) -> Vec<CommandType> {
        let commands = decide(plan, progress, "q");
        commands.iter().map(wire::Command::command_type).collect()
    }

    fn result(plan: &Plan, progress: &Progress) -> Option<String> {
        match decide(plan, progress, "q").remove(0).attributes {
            Some(Attributes::CompleteWorkflowExecutionCommandAttributes(a)) => {
                payload::to_json(a.result.as_ref())
            }
            _ => None,
        }
    }

    #[test]
    fn steps_follow_each_other_to_the_planned_result() {
        let child = plan(vec![Step::TellParent(100)]);
        let steps = vec![
            Step::Activities(vec![
                Activity {
                    failures: 0,
                    once: true
                };
                2
            ]),
            Step::Timer { millis: 5 },
            Step::Child(Box::new(child.clone())),
            Step::Signals(BTreeSet::from([0, 100])),
        ];
        let plan = plan(steps);
        let mut progress = Progress {
            attempt: 1,
            ..Progress::default()
        };
        assert_eq!(
            kinds(&plan, &progress),
            [CommandType::ScheduleActivityTask; 2]
        );
        progress.activities.insert("0.0".to_owned(), true);
        progress.activities.insert("0.1".to_owned(), false);
        assert_eq!(kinds(&plan, &progress), []);
        progress.activities.insert("0.1".to_owned(), true);
        assert_eq!(kinds(&plan, &progress), [CommandType::StartTimer]);
        progress.timers.insert("1".to_owned(), true);
        assert_eq!(
            kinds(&plan, &progress),
            [CommandType::StartChildWorkflowExecution]
        );
        progress.children.insert(child.id.clone(), None);
        assert_eq!(kinds(&plan, &progress), []);
        progress
            .children
            .insert(child.id.clone(), Some(child.result()));
        assert_eq!(kinds(&plan, &progress), []);
        progress.heard.extend([0, 100]);
        assert_eq!(result(&plan, &progress), Some(plan.result()));
    }

    #[test]
    fn a_continued_run_goes_on_where_the_first_one_ended() {
        let whole = plan(vec![
            Step::Timer { millis: 5 },
            Step::ContinueAsNew,
            Step::TellParent(100),
        ]);
        let mut progress = Progress {
            attempt: 1,
            ..Progress::default()
        };
        progress.timers.insert("0".to_owned(), true);
        assert_eq!(
            kinds(&whole, &progress),
            [CommandType::ContinueAsNewWorkflowExecution]
        );
        let rest = whole.rest(1, BTreeSet::new());
        let mut progress = Progress {
            attempt: 1,
            ..Progress::default()
        };
        assert_eq!(
            kinds(&rest, &progress),
            [CommandType::SignalExternalWorkflowExecution]
        );
        progress.told.insert(5, true);
        assert_eq!(result(&rest, &progress), Some(whole.result()));
    }

    #[test]
    fn a_workflow_that_fails_first_completes_then() {
        let plan = Plan {
            fails_first: true,
            ..plan(vec![])
        };
        let at = |attempt| Progress {
            attempt,
            ..Progress::default()
        };
        assert_eq!(kinds(&plan, &at(1)), [CommandType::FailWorkflowExecution]);
        assert_eq!(
            kinds(&plan, &at(2)),
            [CommandType::CompleteWorkflowExecution]
        );
    }
}
