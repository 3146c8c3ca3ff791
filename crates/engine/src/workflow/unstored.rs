//! Events that exist but are not in the journal yet: a started workflow task's (DESIGN section 2), and
//! those of a transient or speculative one (behaviour, sections 4.5 and 4.9).

use proto::temporal::api::history::v1::HistoryEvent;

use super::state::State;
use super::worker::workflow_task_started::{scheduled_event, started_event};

/// Events to append to the last page of history.
#[derive(Clone, Debug, Default)]
pub struct Unstored {
    /// A first attempt's start: a fact for every reader.
    pub certain: Vec<HistoryEvent>,
    /// A transient or speculative task's schedule and start: for SDKs, not for the CLI and the UI.
    pub transient: Vec<HistoryEvent>,
}

/// The events of the pending workflow task that the journal does not hold yet.
pub fn unstored_events(state: &State) -> Unstored {
    let mut events = Unstored::default();
    let Some(task) = state
        .core
        .workflow_task
        .as_ref()
        .filter(|_| state.is_open())
    else {
        return events;
    };
    let started = task
        .started
        .as_ref()
        .map(|started| started_event(task, started));
    if task.is_unwritten() {
        events.transient.push(scheduled_event(state, task));
        events.transient.extend(started);
    } else {
        events.certain.extend(started);
    }
    events
}
