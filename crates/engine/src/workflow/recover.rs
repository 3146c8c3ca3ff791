//! What a loaded run still has to do: everything that waits for a worker is offered, everything
//! undelivered is sent. Derived from the state, so nothing can be missing (DESIGN invariant 5).

use super::peer;
use super::priority;
use super::state::State;
use super::step::activity_offer;
use super::transition::{Effect, WorkflowTaskOffer};
use crate::time::Timestamp;

/// The effects that a freshly loaded run owes the world.
pub fn ready(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let mut effects = Vec::new();
    let ahead = state.ahead();
    let now = now.after(ahead);
    for (seq, entry) in state.outbox.iter() {
        effects.extend(peer::message(state, *seq, entry).map(Effect::Send));
    }
    if !state.is_open() {
        return effects;
    }
    let run_priority = priority::for_matching(state.priority());
    let directive = state.directive();
    let task_queue = state.core.start.task_queue.clone();
    let sticky = state.core.sticky.clone();
    // A paused run gives nothing to workers; its end offers what waits.
    let is_paused = state.is_paused();
    if let Some(task) = state
        .core
        .workflow_task
        .as_mut()
        .filter(|task| task.started.is_none() && !is_paused)
    {
        task.sticky_offered = sticky
            .as_ref()
            .map(|s| (s.queue.clone(), now.after(s.timeout)));
        effects.push(Effect::OfferWorkflowTask(WorkflowTaskOffer {
            task_queue,
            sticky_queue: sticky.map(|s| s.queue.clone()),
            scheduled_event_id: task.scheduled_event_id,
            attempt: task.attempt,
            scheduled_time: task.scheduled_time.before(ahead),
            priority: run_priority,
            directive,
        }));
    }
    let waiting: Vec<_> = state
        .activities
        .iter()
        .filter(|(_, a)| a.may_start() && !a.offered && a.scheduled_time <= now)
        .map(|(id, _)| *id)
        .collect();
    for id in waiting {
        state
            .activities
            .update(&id, |activity| activity.offered = true);
        let Some(activity) = state.activities.get(&id) else {
            continue;
        };
        effects.push(Effect::OfferActivityTask(activity_offer(
            state, id, activity,
        )));
    }
    state.activities.keep();
    effects
}
