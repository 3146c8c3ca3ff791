//! The kinds of executions.

use uuid::Uuid;

use crate::rejection::Rejection;

/// What kind of execution. The numbers are stored: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A run of a workflow.
    Workflow = 0,
    /// A standalone activity.
    Activity = 1,
    /// A schedule.
    Schedule = 2,
    /// A standalone Nexus operation.
    NexusOperation = 3,
}

impl Kind {
    /// Its number in the store.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number in the store; `None` for one that this version does not know.
    pub fn of(number: u8) -> Option<Self> {
        [
            Self::Workflow,
            Self::Activity,
            Self::Schedule,
            Self::NexusOperation,
        ]
        .into_iter()
        .find(|kind| kind.number() == number)
    }

    /// The division of its index rows, which keeps them out of lists of workflows.
    pub const fn division(self) -> Option<&'static str> {
        match self {
            Self::Workflow => None,
            Self::Activity => Some("TemporalActivity"),
            Self::Schedule => Some("TemporalScheduler"),
            Self::NexusOperation => Some("TemporalNexusOperation"),
        }
    }
}

/// What to say when an id has no run, or not this one (behaviour, section 3.6).
pub fn missing(kind: u8, id: &str, run_id: Option<Uuid>) -> Rejection {
    let id = id.to_owned();
    match (Kind::of(kind), run_id) {
        (Some(Kind::Activity), _) => Rejection::StandaloneActivityNotFound { activity_id: id },
        (Some(Kind::NexusOperation), _) => Rejection::NexusOperationNotFound { operation_id: id },
        (Some(Kind::Workflow | Kind::Schedule) | None, Some(run_id)) => Rejection::RunNotFound {
            workflow_id: id,
            run_id: run_id.to_string(),
        },
        (Some(Kind::Workflow | Kind::Schedule) | None, None) => {
            Rejection::WorkflowNotFound { workflow_id: id }
        }
    }
}
