//! What a workflow of the load does: a tiny script in its input, and the pure rule that decides the
//! next commands from how far the history says it came.

use serde::{Deserialize, Serialize};

use crate::progress::Progress;

/// How long an open workflow's timer runs: longer than any measurement.
pub(crate) const OPEN_TIMER_MS: u64 = 86_400_000;

/// A workflow's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Script {
    /// Activities one after the other, then completion. None is fine.
    Sequential {
        /// How many.
        activities: u64,
    },
    /// All activities at once, then completion.
    Parallel {
        /// How many.
        activities: u64,
    },
    /// Completion after so many signals.
    Signals {
        /// How many.
        signals: u64,
    },
    /// Completion after so many updates.
    Updates {
        /// How many.
        updates: u64,
    },
    /// One timer, then completion.
    Timer {
        /// How long.
        millis: u64,
    },
    /// Never completes.
    Open {
        /// Whether it sleeps on a timer of a day meanwhile.
        timer: bool,
    },
}

/// A workflow's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// What it does.
    pub(crate) script: Script,
    /// What its result begins with.
    pub(crate) echo: String,
}

/// What the worker asks for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Schedule the activity with this number.
    Schedule(u64),
    /// Start the one timer.
    StartTimer {
        /// How long.
        millis: u64,
    },
    /// Complete with this result.
    Complete(String),
}

impl Script {
    /// How often an activity of one workflow is executed.
    pub(crate) fn activity_count(self) -> u64 {
        match self {
            Self::Sequential { activities } | Self::Parallel { activities } => activities,
            Self::Signals { .. }
            | Self::Updates { .. }
            | Self::Timer { .. }
            | Self::Open { .. } => 0,
        }
    }

    /// How many signals the starter sends.
    pub(crate) fn signal_count(self) -> u64 {
        match self {
            Self::Signals { signals } => signals,
            _ => 0,
        }
    }

    /// How many updates the starter sends.
    pub(crate) fn update_count(self) -> u64 {
        match self {
            Self::Updates { updates } => updates,
            _ => 0,
        }
    }
}

impl Plan {
    /// The result that a correct server delivers.
    pub(crate) fn expected_result(&self) -> String {
        let script = self.script;
        let count = script.activity_count() + script.signal_count() + script.update_count();
        // Activity, signal and update i carry the number i.
        let sum = (0..count).sum::<u64>();
        result(&self.echo, count, sum)
    }
}

fn result(echo: &str, count: u64, sum: u64) -> String {
    format!("{echo}/{count}/{sum}")
}

/// The next commands of a workflow that has come as far as `progress`.
pub(crate) fn decide(plan: &Plan, progress: &Progress) -> Vec<Step> {
    let complete = |numbers: &crate::progress::Numbers| {
        vec![Step::Complete(result(
            &plan.echo,
            numbers.count(),
            numbers.sum(),
        ))]
    };
    match plan.script {
        Script::Sequential { activities } => {
            let done = progress.completed.count();
            if done >= activities {
                complete(&progress.completed)
            } else if progress.scheduled == done {
                vec![Step::Schedule(progress.scheduled)]
            } else {
                vec![]
            }
        }
        Script::Parallel { activities } => {
            if progress.completed.count() >= activities {
                complete(&progress.completed)
            } else {
                (progress.scheduled..activities)
                    .map(Step::Schedule)
                    .collect()
            }
        }
        Script::Signals { signals } if progress.signals.count() >= signals => {
            complete(&progress.signals)
        }
        Script::Updates { updates } if progress.updates.count() >= updates => {
            complete(&progress.updates)
        }
        Script::Signals { .. } | Script::Updates { .. } => vec![],
        Script::Timer { .. } if progress.timers_fired > 0 => complete(&progress.completed),
        Script::Timer { millis } if progress.timers_started == 0 => {
            vec![Step::StartTimer { millis }]
        }
        Script::Open { timer: true } if progress.timers_started == 0 => {
            vec![Step::StartTimer {
                millis: OPEN_TIMER_MS,
            }]
        }
        Script::Timer { .. } | Script::Open { .. } => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Numbers;

    fn plan(script: Script) -> Plan {
        Plan {
            script,
            echo: String::from("e"),
        }
    }

    fn progress(scheduled: u64, completed: &[u64]) -> Progress {
        let completed = completed.iter().copied().collect::<Numbers>();
        Progress {
            scheduled,
            completed,
            ..Progress::default()
        }
    }

    fn done(text: &str) -> Vec<Step> {
        vec![Step::Complete(String::from(text))]
    }

    #[test]
    fn no_activities_complete_at_once() {
        let plan = plan(Script::Sequential { activities: 0 });
        assert_eq!(decide(&plan, &Progress::default()), done("e/0/0"));
        assert_eq!(plan.expected_result(), "e/0/0");
    }

    #[test]
    fn sequential_activities_wait_for_each_other() {
        let plan = plan(Script::Sequential { activities: 3 });
        assert_eq!(decide(&plan, &progress(0, &[])), [Step::Schedule(0)]);
        assert_eq!(decide(&plan, &progress(1, &[])), []);
        assert_eq!(decide(&plan, &progress(1, &[0])), [Step::Schedule(1)]);
        assert_eq!(decide(&plan, &progress(3, &[0, 1, 2])), done("e/3/3"));
        assert_eq!(plan.expected_result(), "e/3/3");
    }

    #[test]
    fn parallel_activities_start_together_and_complete_together() {
        let plan = plan(Script::Parallel { activities: 3 });
        let all = [Step::Schedule(0), Step::Schedule(1), Step::Schedule(2)];
        assert_eq!(decide(&plan, &progress(0, &[])), all);
        assert_eq!(decide(&plan, &progress(3, &[2, 0])), []);
        assert_eq!(decide(&plan, &progress(3, &[2, 0, 1])), done("e/3/3"));
    }

    #[test]
    fn a_wrong_set_of_completions_gives_a_wrong_result() {
        let plan = plan(Script::Parallel { activities: 2 });
        assert_ne!(
            decide(&plan, &progress(2, &[0, 7])),
            done(&plan.expected_result())
        );
    }

    #[test]
    fn signals_are_counted() {
        let plan = plan(Script::Signals { signals: 2 });
        let with = |signals: &[u64]| Progress {
            signals: signals.iter().copied().collect(),
            ..Progress::default()
        };
        assert_eq!(decide(&plan, &with(&[0])), []);
        assert_eq!(decide(&plan, &with(&[0, 1])), done("e/2/1"));
        assert_eq!(plan.expected_result(), "e/2/1");
    }

    #[test]
    fn updates_are_counted() {
        let plan = plan(Script::Updates { updates: 2 });
        let with = |updates: &[u64]| Progress {
            updates: updates.iter().copied().collect(),
            ..Progress::default()
        };
        assert_eq!(decide(&plan, &with(&[1])), []);
        assert_eq!(decide(&plan, &with(&[0, 1])), done("e/2/1"));
        assert_eq!(plan.expected_result(), "e/2/1");
    }

    #[test]
    fn a_timer_is_started_once_and_then_completes() {
        let plan = plan(Script::Timer { millis: 5 });
        let with = |timers_started, timers_fired| Progress {
            timers_started,
            timers_fired,
            ..Progress::default()
        };
        assert_eq!(decide(&plan, &with(0, 0)), [Step::StartTimer { millis: 5 }]);
        assert_eq!(decide(&plan, &with(1, 0)), []);
        assert_eq!(decide(&plan, &with(1, 1)), done(&plan.expected_result()));
    }

    #[test]
    fn an_open_workflow_never_completes() {
        let start = [Step::StartTimer {
            millis: OPEN_TIMER_MS,
        }];
        assert_eq!(
            decide(&plan(Script::Open { timer: true }), &Progress::default()),
            start
        );
        assert_eq!(
            decide(&plan(Script::Open { timer: false }), &Progress::default()),
            []
        );
    }
}
