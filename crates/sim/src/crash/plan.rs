//! What a workflow of the crash run does: a script in its input, drawn from the seed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Signals from a child to its parent have numbers from here on.
const TOLD_BY_CHILD: u64 = 100;

/// A workflow's program, and how far earlier runs of its chain came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The workflow id.
    pub(super) id: String,
    /// What is left to do.
    pub(super) steps: Vec<Step>,
    /// How many steps earlier runs did.
    pub(super) offset: usize,
    /// Numbers of the signals that earlier runs heard.
    pub(super) heard: BTreeSet<u64>,
    /// The first attempt of the workflow fails, a second one follows.
    pub(super) fails_first: bool,
    /// Activities may be handed out with the reply to the completion that schedules them.
    pub(super) eager: bool,
}

/// One thing after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// Activities, all at once.
    Activities(Vec<Activity>),
    /// A timer.
    Timer {
        /// How long.
        millis: u64,
    },
    /// Waits until all these signals were heard.
    Signals(BTreeSet<u64>),
    /// A child, until it ends.
    Child(Box<Plan>),
    /// A signal to the parent.
    TellParent(u64),
    /// The rest is done by another run.
    ContinueAsNew,
}

/// An activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Activity {
    /// How many attempts fail before one succeeds.
    pub(super) failures: i32,
    /// It has `maximum_attempts: 1`; whether it succeeds or is lost, the workflow goes on.
    pub(super) once: bool,
}

impl Plan {
    /// Draws a plan.
    pub(super) fn draw(id: &str, random: &mut Random) -> Self {
        let fails_first = random.percent(8);
        let count = 1 + random.below(3);
        let mut plan = Self {
            id: id.to_owned(),
            steps: Vec::new(),
            offset: 0,
            heard: BTreeSet::new(),
            fails_first,
            eager: random.percent(20),
        };
        let mut signals = 0;
        for _ in 0..count {
            let step = match random.below(100) {
                0..45 => Step::Activities(activities(random)),
                45..60 => Step::Timer {
                    millis: random.below(600),
                },
                // What follows needs each signal and each child once, so nothing that is done again.
                _ if fails_first => Step::Timer {
                    millis: random.below(100),
                },
                60..78 => {
                    signals += 1 + random.below(3);
                    Step::Signals((0..signals).collect())
                }
                78..90 => child(id, plan.steps.len(), random),
                _ if plan.steps.contains(&Step::ContinueAsNew) => Step::Timer { millis: 1 },
                _ => Step::ContinueAsNew,
            };
            if let Step::Child(child) = &step {
                let told = child.told();
                plan.steps.push(step);
                if !told.is_empty() {
                    plan.steps.push(Step::Signals(told));
                }
            } else {
                plan.steps.push(step);
            }
        }
        plan
    }

    /// The signals that clients send.
    pub(super) fn signals(&self) -> BTreeSet<u64> {
        let sets = self.steps.iter().filter_map(|step| match step {
            Step::Signals(numbers) => Some(numbers),
            _ => None,
        });
        sets.flatten()
            .copied()
            .filter(|number| *number < TOLD_BY_CHILD)
            .collect()
    }

    /// The signals that it sends to its parent.
    fn told(&self) -> BTreeSet<u64> {
        let told = self.steps.iter().filter_map(|step| match step {
            Step::TellParent(number) => Some(*number),
            _ => None,
        });
        told.collect()
    }

    /// Whether one run does it all, so that a repeated signal finds the run that took it the first time.
    pub(super) fn has_one_run(&self) -> bool {
        !self.fails_first && !self.steps.contains(&Step::ContinueAsNew)
    }

    /// The plan of the run that continues behind step `done`.
    pub(super) fn rest(&self, done: usize, heard: BTreeSet<u64>) -> Self {
        Self {
            steps: self.steps[done + 1..].to_vec(),
            offset: self.offset + done + 1,
            heard,
            ..self.clone()
        }
    }

    /// What the workflow says in the end: how many steps the last run ended with, and their shapes.
    pub(super) fn result(&self) -> String {
        let continued = self
            .steps
            .iter()
            .rposition(|step| *step == Step::ContinueAsNew);
        let first = continued.map_or(0, |at| at + 1);
        let shapes: Vec<String> = self.steps[first..].iter().map(Step::shape).collect();
        format!("{}:{}:{}", self.id, self.offset + first, shapes.join(","))
    }

    /// One that takes signals until it hears number 0.
    pub(super) fn hub(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            steps: vec![Step::Signals(BTreeSet::from([0]))],
            offset: 0,
            heard: BTreeSet::new(),
            fails_first: false,
            eager: false,
        }
    }

    /// The workflow that a client asked for and that this one is, or is a child of.
    pub(super) fn root_id(id: &str) -> &str {
        id.split_once("-child-").map_or(id, |(root, _)| root)
    }

    /// The id of the child in step `index` of the whole.
    pub(super) fn child_id(id: &str, index: usize) -> String {
        format!("{id}-child-{index}")
    }
}

impl Step {
    /// What the workflow says of this step when it is done.
    fn shape(&self) -> String {
        match self {
            Self::Activities(activities) => format!("a{}", activities.len()),
            Self::Timer { .. } => String::from("t"),
            Self::Signals(numbers) => format!("s{}", numbers.len()),
            Self::Child(plan) => format!("c({})", plan.result()),
            Self::TellParent(number) => format!("p{number}"),
            Self::ContinueAsNew => String::from("n"),
        }
    }
}

fn activities(random: &mut Random) -> Vec<Activity> {
    let count = 1 + random.below(4);
    let draw = |_| {
        let once = random.percent(25);
        let failures = if !once && random.percent(25) {
            1 + random.below(2)
        } else {
            0
        };
        Activity {
            failures: failures as i32,
            once,
        }
    };
    (0..count).map(draw).collect()
}

fn child(parent: &str, index: usize, random: &mut Random) -> Step {
    let mut steps = vec![Step::Activities(activities(random))];
    if random.percent(60) {
        steps.push(Step::TellParent(TOLD_BY_CHILD + index as u64));
    }
    if random.percent(30) {
        steps.push(Step::Timer {
            millis: random.below(200),
        });
    }
    Step::Child(Box::new(Plan {
        id: Plan::child_id(parent, index),
        steps,
        offset: 0,
        heard: BTreeSet::new(),
        fails_first: false,
        eager: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> Vec<Plan> {
        (0..300)
            .map(|n| Plan::draw("w", &mut Random::new(n)))
            .collect()
    }

    #[test]
    fn every_kind_of_step_is_drawn() {
        let plans = drawn();
        let steps: Vec<&Step> = plans.iter().flat_map(|plan| &plan.steps).collect();
        let has = |test: fn(&Step) -> bool| steps.iter().any(|step| test(step));
        assert!(has(
            |s| matches!(s, Step::Activities(list) if list.iter().any(|a| a.once))
        ));
        assert!(has(
            |s| matches!(s, Step::Activities(list) if list.iter().any(|a| a.failures > 1))
        ));
        assert!(has(|s| matches!(s, Step::Timer { .. })));
        assert!(has(
            |s| matches!(s, Step::Signals(numbers) if numbers.len() > 1)
        ));
        assert!(has(
            |s| matches!(s, Step::Child(plan) if !plan.told().is_empty())
        ));
        assert!(has(|s| *s == Step::ContinueAsNew));
        assert!(
            plans
                .iter()
                .any(|plan| plan.fails_first && !plan.has_one_run())
        );
    }

    #[test]
    fn what_a_child_tells_its_parent_waits_for() {
        for plan in drawn() {
            let told: BTreeSet<u64> = plan
                .steps
                .iter()
                .filter_map(|step| match step {
                    Step::Child(child) => Some(child.told()),
                    _ => None,
                })
                .flatten()
                .collect();
            let waited: BTreeSet<u64> = plan
                .steps
                .iter()
                .filter_map(|step| match step {
                    Step::Signals(numbers) => Some(numbers.clone()),
                    _ => None,
                })
                .flatten()
                .filter(|number| *number >= TOLD_BY_CHILD)
                .collect();
            assert_eq!(told, waited);
        }
    }

    #[test]
    fn the_rest_of_a_plan_ends_with_the_same_result() {
        let plan = Plan {
            steps: vec![
                Step::Timer { millis: 1 },
                Step::ContinueAsNew,
                Step::Signals(BTreeSet::from([0, 1])),
            ],
            ..drawn().remove(0)
        };
        let rest = plan.rest(1, BTreeSet::from([0]));
        assert_eq!(rest.steps, [Step::Signals(BTreeSet::from([0, 1]))]);
        assert_eq!((rest.offset, rest.result()), (2, plan.result()));
    }
}
