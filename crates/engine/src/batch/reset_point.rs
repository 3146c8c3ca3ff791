//! Where in a target's history a reset goes back to.

use proto::temporal::api::common::v1::reset_options::Target;
use proto::temporal::api::enums::v1::{EventType, ResetType};
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;

/// What a reset goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResetPoint {
    /// The first workflow task that was completed.
    FirstWorkflowTask,
    /// The last one.
    LastWorkflowTask,
    /// The first one by this build, in the target's run or in an earlier one.
    BuildId(String),
    /// This event, whatever the history says.
    Event(i64),
}

impl ResetPoint {
    /// What an operation says; `None` if it is no reset.
    pub fn of(operation: &Operation) -> Option<Self> {
        let Operation::ResetOperation(reset) = operation else {
            return None;
        };
        let target = reset
            .options
            .as_ref()
            .and_then(|options| options.target.clone());
        Some(match target {
            Some(Target::FirstWorkflowTask(_)) => Self::FirstWorkflowTask,
            Some(Target::LastWorkflowTask(_)) => Self::LastWorkflowTask,
            Some(Target::WorkflowTaskId(id)) => Self::Event(id),
            Some(Target::BuildId(id)) => Self::BuildId(id),
            None if reset.reset_type() == ResetType::FirstWorkflowTask => Self::FirstWorkflowTask,
            None => Self::LastWorkflowTask,
        })
    }
}

/// The first or the last completed workflow task of a history; without one, what would complete the first that
/// was scheduled.
pub fn reset_point<'e>(
    events: impl DoubleEndedIterator<Item = &'e HistoryEvent> + Clone,
    last: bool,
) -> Option<i64> {
    let is = |kind: EventType| move |event: &&HistoryEvent| event.event_type() == kind;
    let mut completed = events.clone().filter(is(EventType::WorkflowTaskCompleted));
    let found = if last {
        completed.next_back()
    } else {
        completed.next()
    };
    let mut scheduled = events.filter(is(EventType::WorkflowTaskScheduled));
    let scheduled = || scheduled.next().map(|event| event.event_id + 1);
    found.map(|event| event.event_id).or_else(scheduled)
}
