//! What ends, or rests, without a worker's word may still wait for a worker: it is taken out of its queue, so
//! that backlogs hold only what there is to do.

use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::record::ChangeKind;
use super::transition::Effect;

/// By an event: a task that timed out, an activity that was cancelled.
pub(super) fn by_event(event: &HistoryEvent) -> Option<Effect> {
    match event.attributes.as_ref()? {
        Attributes::ActivityTaskTimedOutEventAttributes(a) => Some(a.scheduled_event_id),
        Attributes::ActivityTaskCanceledEventAttributes(a) => Some(a.scheduled_event_id),
        Attributes::WorkflowTaskTimedOutEventAttributes(a) => Some(a.scheduled_event_id),
        _ => None,
    }
    .map(Effect::Withdraw)
}

/// By a change: such an event that waits in the buffer, an activity that is paused.
pub(super) fn by_change(change: &ChangeKind) -> Option<Effect> {
    match change {
        ChangeKind::Buffered(event) => by_event(event),
        ChangeKind::ActivityPaused(paused) => Some(Effect::Withdraw(paused.scheduled_event_id)),
        _ => None,
    }
}
