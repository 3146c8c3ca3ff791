//! Which of a run's pending activities an operator means, and when those that wait go on.

use std::time::Duration;

use crate::ids::EventId;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::state::State;
use crate::workflow::step::Step;

/// Activities by what the operator names.
pub(super) enum Selection<'a> {
    /// The one of this id.
    Id(&'a str),
    /// All of this type.
    Type(&'a str),
    /// All.
    All,
}

/// The pending activities that are meant.
pub(super) fn select(state: &State, selection: &Selection<'_>) -> Result<Vec<EventId>, Rejection> {
    if !state.is_open() {
        return Err(Rejection::AlreadyCompleted);
    }
    let pending = state.activities.iter().filter(|(_, a)| !a.closing);
    let meant = pending.filter(|(_, activity)| match selection {
        Selection::Id(id) => activity.scheduled.activity_id == *id,
        Selection::Type(name) => activity.type_name() == *name,
        Selection::All => true,
    });
    let ids: Vec<EventId> = meant.map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Err(Rejection::NotFound(
            "Can't find pending activity with such ID. Invalid activityID or activity already completed"
                .to_owned(),
        ));
    }
    Ok(ids)
}

/// Now, or at some time within the jitter, so that many do not go on at once.
pub(super) fn go_on_at(step: &mut Step<'_>, jitter: Duration) -> Timestamp {
    if jitter.is_zero() {
        return step.time();
    }
    let offset = jitter.mul_f64(step.now.fraction());
    step.time().after(offset)
}

/// Offers what waits and whose time has come.
pub(super) fn offer_if_ready(step: &mut Step<'_>, id: EventId) {
    let now = step.time();
    let activity = step.state.activities.get(&id);
    if activity.is_some_and(|a| a.may_start() && !a.offered && a.scheduled_time <= now) {
        step.offer_activity(id);
    }
}
