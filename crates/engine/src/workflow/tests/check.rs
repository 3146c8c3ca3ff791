//! What must hold after every step, whatever it was (DESIGN section 6).

use super::world::{Broken, Run};
use crate::Namespace;
use crate::time::Timestamp;
use crate::workflow::state::table::{Entry, Table};
use crate::workflow::state::{FirstTask, State};
use crate::workflow::transition::Effect;
use crate::workflow::{self, ready};

/// A refusal leaves everything as it was, what is only in memory included.
pub(super) fn unchanged(before: &State, after: &State) -> Result<(), Broken> {
    let in_memory = |state: &State| {
        let offered = state.activities.iter().map(|(_, a)| a.offered);
        format!("{:?} {:?}", state.volatile, offered.collect::<Vec<_>>())
    };
    if before.same_durable(after)
        && before.core == after.core
        && in_memory(before) == in_memory(after)
        && before.next_deadline() == after.next_deadline()
        && before.wake_at() == after.wake_at()
    {
        return Ok(());
    }
    differing(&format!("{before:#?}"), &format!("{after:#?}"))?;
    Err("its indexes".to_owned())
}

/// Two states are equal in everything durable.
pub(super) fn same(one: &State, other: &State) -> Result<(), Broken> {
    if one.same_durable(other) {
        return Ok(());
    }
    differing(&format!("{one:#?}"), &format!("{other:#?}"))?;
    Err("they print alike".to_owned())
}

fn differing(one: &str, other: &str) -> Result<(), Broken> {
    let differing: Vec<String> = one
        .lines()
        .zip(other.lines())
        .filter(|(a, b)| a != b)
        .take(6)
        .map(|(a, b)| format!("{} / {}", a.trim(), b.trim()))
        .collect();
    if differing.is_empty() && one.len() == other.len() {
        return Ok(());
    }
    Err(differing.join("; "))
}

/// What lists show of a run.
pub(super) fn listed(state: &State, namespace: &Namespace) -> String {
    let mut row = workflow::row(state, namespace);
    // Answers to its last messages come after a run's close.
    row.state_transition_count = 0;
    format!("{row:?}")
}

/// At most one open run per workflow id, and it is the last one.
pub(super) fn one_open_run(runs: &[Run]) -> Result<(), Broken> {
    for (index, run) in runs.iter().enumerate() {
        let later = runs[index + 1..]
            .iter()
            .any(|r| r.state.workflow_id == run.state.workflow_id);
        if later && run.state.is_open() {
            return Err(format!("{} is open and not current", run.label));
        }
    }
    Ok(())
}

/// Everything pending has something that will fire it: a deadline, an offer, a message on its way.
pub(super) fn nothing_is_forgotten(
    run: &Run,
    mut folded: State,
    now: Timestamp,
) -> Result<(), Broken> {
    let state = &run.state;
    indexed(&state.activities)?;
    indexed(&state.timers)?;
    indexed(&state.nexus_operations)?;
    indexed(&state.callbacks)?;
    let wake_at = folded.wake_at();
    let effects = ready(&mut folded, now);
    let sent = effects
        .iter()
        .filter(|e| matches!(e, Effect::Send(_)))
        .count();
    if sent != state.outbox.len() {
        return Err(format!(
            "{sent} messages from an outbox of {}",
            state.outbox.len()
        ));
    }
    if !effects.is_empty() && wake_at != Some(Timestamp::MIN) {
        return Err(format!("a restart would find this run only at {wake_at:?}"));
    }
    // A clock that jumps while nobody is at work must not jump over what is ready.
    let is_started = state
        .core
        .workflow_task
        .as_ref()
        .is_some_and(|task| task.started.is_some() || task.speculative)
        || state
            .activities
            .iter()
            .any(|(_, activity)| activity.started.is_some() && !activity.closing);
    let mut operations = state.nexus_operations.iter();
    let mut callbacks = state.callbacks.iter();
    let is_asking = operations.any(|(_, operation)| operation.is_under_way());
    let is_calling = callbacks.any(|(_, c)| c.is_to_be_called() && c.asking.under_way);
    let is_busy = !effects.is_empty() || is_calling || state.is_open() && (is_started || is_asking);
    if is_busy != (state.at_work(now) > 0) {
        return Err(format!("busy: {is_busy}, by {} effects", effects.len()));
    }
    if !state.is_open() {
        return match state.next_deadline() {
            None => Ok(()),
            at if at
                == state
                    .callbacks
                    .first_due()
                    .map(|(at, _)| state.clock_time(at)) =>
            {
                Ok(())
            }
            Some(at) => Err(format!("closed, and due at {at:?}")),
        };
    }
    let live = run.state.next_deadline();
    let after_restart = folded.next_deadline();
    let by = |at: Option<Timestamp>, what: &str| {
        let Some(at) = at else { return Ok(()) };
        for (name, deadline) in [("now", live), ("after a restart", after_restart)] {
            if deadline.is_none_or(|deadline| deadline > at) {
                return Err(format!("{what} at {at:?} is missed {name}: {deadline:?}"));
            }
        }
        Ok(())
    };
    by(state.core.run_deadline, "the run's end")?;
    by(state.core.execution_deadline, "the chain's end")?;
    if let FirstTask::Delayed(at) = state.core.first_task
        && !state.is_paused()
    {
        by(Some(at), "the first task")?;
    }
    if state.core.first_task == FirstTask::AwaitsParent && live.is_none() && sent == 0 {
        return Err("a child would wait for its parent for ever".to_owned());
    }
    for (id, timer) in state.timers.iter() {
        by(timer.fires_at, &format!("timer {id}"))?;
    }
    workflow_task(run, &effects)?;
    for (id, activity) in state.activities.iter().filter(|(_, a)| !a.closing) {
        let what = format!("activity {id}");
        if activity.pause.is_some() {
            if activity.offered && activity.started.is_none() {
                return Err(format!("{what}: paused and offered"));
            }
            continue;
        }
        by(activity.expires_at(), &what)?;
        if activity.started.is_some() {
            by(activity.start_to_close_at(), &what)?;
            by(activity.heartbeat_at(), &what)?;
            if activity
                .expires_at()
                .or(activity.start_to_close_at())
                .is_none()
            {
                return Err(format!("{what} would never end"));
            }
            continue;
        }
        by(activity.schedule_to_start_at(), &what)?;
        if activity.held {
            if activity.offered {
                return Err(format!("{what}: held and offered"));
            }
            continue;
        }
        let offered = run
            .activity_offers
            .get(id)
            .is_some_and(|o| o.attempt == activity.attempt && o.stamp == activity.stamp);
        let placed = run.activity_offers.get(id);
        if state.version_transition().is_none()
            && activity.offered
            && placed.is_some_and(|offer| offer.directive != state.directive())
        {
            return Err(format!("{what} waits for another version"));
        }
        if activity.offered != offered {
            return Err(format!(
                "{what}: offered {offered}, marked {}",
                activity.offered
            ));
        }
        if !activity.offered && live.is_none_or(|at| at > activity.scheduled_time) {
            return Err(format!("{what} would not be offered"));
        }
        let found = |e: &Effect| {
            matches!(e, Effect::OfferActivityTask(o)
                if o.scheduled_event_id == *id
                    && o.attempt == activity.attempt
                    && o.stamp == activity.stamp)
        };
        let again = effects.iter().any(found)
            || after_restart.is_some_and(|at| at <= activity.scheduled_time);
        if !again {
            return Err(format!("{what} would not be offered after a restart"));
        }
    }
    Ok(())
}

fn workflow_task(run: &Run, effects: &[Effect]) -> Result<(), Broken> {
    let core = &run.state.core;
    updates(&run.state)?;
    let Some(task) = &core.workflow_task else {
        if !core.buffered.is_empty() {
            return Err("events are buffered and no workflow task will flush them".to_owned());
        }
        return Ok(());
    };
    if let Some(started) = &task.started {
        let due = started.time.after(task.timeout);
        if run.state.next_deadline().is_none_or(|at| at > due) {
            return Err("a started workflow task would never time out".to_owned());
        }
    } else if run.state.is_paused() {
        // The end of the pause offers it.
        return Ok(());
    } else {
        let offer = run.workflow_offer.as_ref();
        if offer.is_none_or(|o| {
            o.scheduled_event_id != task.scheduled_event_id || o.attempt != task.attempt
        }) {
            return Err(format!(
                "a workflow task is not offered: {task:?} but {offer:?}"
            ));
        }
        if offer.is_some_and(|o| o.directive != run.state.directive()) {
            return Err(format!(
                "a workflow task waits for another version: {offer:?}"
            ));
        }
    }
    if task.speculative {
        if task.scheduled_event_id != core.next_event_id || !core.buffered.is_empty() {
            return Err("something was stored beside a speculative task".to_owned());
        }
        if run.state.next_deadline().is_none() {
            return Err("a speculative workflow task would wait for ever".to_owned());
        }
        // A restart forgets it, together with the updates that it is for.
        return Ok(());
    }
    let offered = effects.iter().any(|effect| {
        matches!(effect, Effect::OfferWorkflowTask(o)
            if o.scheduled_event_id == task.scheduled_event_id && o.attempt == task.attempt)
    });
    // A paused run's waits for the end of the pause.
    if offered || run.state.is_paused() {
        Ok(())
    } else {
        Err("a workflow task would not be offered after a restart".to_owned())
    }
}

/// An admitted update has a workflow task that brings it to a worker.
fn updates(state: &State) -> Result<(), Broken> {
    for update in &state.volatile.admitted {
        if state.completed_updates.contains(&*update.id)
            || (update.request.is_some() && state.updates.contains(&*update.id))
        {
            return Err(format!("update {} is admitted and more", update.id));
        }
        let first_task_comes = match state.core.first_task {
            FirstTask::Scheduled => false,
            FirstTask::AwaitsParent => true,
            FirstTask::Delayed(_) => update.request.is_none(),
        };
        // A paused run has no task before it goes on.
        if state.core.workflow_task.is_none() && !first_task_comes && !state.is_paused() {
            return Err(format!("nothing brings update {} to a worker", update.id));
        }
    }
    Ok(())
}

/// A table's index says what its entries say.
fn indexed<K: Ord + Clone + std::fmt::Debug, V: Clone + Entry>(
    table: &Table<K, V>,
) -> Result<(), Broken> {
    let first = table.iter().filter_map(|(_, entry)| entry.due()).min();
    let indexed = table.first_due().map(|(at, _)| at);
    if first != indexed {
        return Err(format!("due {first:?}, indexed {indexed:?}"));
    }
    let ready = table.iter().any(|(_, entry)| entry.ready());
    if ready == table.any_ready() {
        Ok(())
    } else {
        Err(format!("ready {ready}, counted {}", table.any_ready()))
    }
}
