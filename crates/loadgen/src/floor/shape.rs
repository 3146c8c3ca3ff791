//! Which calls a workflow cannot do without, and which of them must be durable before they are answered.
//!
//! Durable are: start, signal, the completion of a workflow task, the hand-out of an activity (so that
//! it is handed out at most once) and its completion. Polling for a workflow task and waiting for
//! the result only read.

use crate::script::Script;

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// It only reads.
    Empty,
    /// It is answered when it is durable.
    Commit,
}

/// Calls one after the other, on so many lanes side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) width: u64,
    pub(super) calls: &'static [Call],
}

const START: &[Call] = &[Call::Commit];
const WORKFLOW_TASK: &[Call] = &[Call::Empty, Call::Commit];
const ACTIVITY: &[Call] = &[Call::Commit, Call::Commit];
const SIGNAL: &[Call] = &[Call::Commit];
const RESULT: &[Call] = &[Call::Empty];

/// The fewest calls that a workflow of this script takes.
pub(super) fn stages(script: Script) -> Vec<Stage> {
    let one = |calls| Stage { width: 1, calls };
    let mut stages = vec![one(START)];
    match script {
        Script::Sequential { activities } => {
            stages.push(one(WORKFLOW_TASK));
            for _ in 0..activities {
                stages.extend([one(ACTIVITY), one(WORKFLOW_TASK)]);
            }
        }
        Script::Parallel { activities } => {
            let all = Stage {
                width: activities,
                calls: ACTIVITY,
            };
            stages.extend([one(WORKFLOW_TASK), all, one(WORKFLOW_TASK)]);
        }
        Script::Signals { signals } => {
            stages.extend((0..signals).map(|_| one(SIGNAL)));
            stages.push(one(WORKFLOW_TASK));
        }
        Script::Updates { updates } => {
            // An update is answered by its workflow task.
            stages.push(one(WORKFLOW_TASK));
            stages.extend((0..updates).map(|_| one(WORKFLOW_TASK)));
        }
        // A timer needs no call, but its firing must be durable; the wait itself is left out.
        Script::Timer { .. } | Script::Open { .. } => {
            stages.extend([one(WORKFLOW_TASK), one(START), one(WORKFLOW_TASK)]);
        }
    }
    stages.push(one(RESULT));
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls and commits of one workflow.
    fn calls(script: Script) -> (u64, u64) {
        let stages = stages(script);
        let count = |wanted: fn(&Call) -> bool| {
            let of = |stage: &Stage| {
                stage.width * stage.calls.iter().filter(|call| wanted(call)).count() as u64
            };
            stages.iter().map(of).sum::<u64>()
        };
        (count(|_| true), count(|call| *call == Call::Commit))
    }

    #[test]
    fn activities_add_two_commits_and_a_workflow_task() {
        assert_eq!(calls(Script::Sequential { activities: 0 }), (4, 2));
        assert_eq!(calls(Script::Sequential { activities: 1 }), (8, 5));
        assert_eq!(calls(Script::Sequential { activities: 10 }), (44, 32));
    }

    #[test]
    fn parallel_activities_share_their_workflow_tasks() {
        assert_eq!(calls(Script::Parallel { activities: 20 }), (46, 43));
    }

    #[test]
    fn signals_share_one_workflow_task() {
        assert_eq!(calls(Script::Signals { signals: 10 }), (14, 12));
    }
}
