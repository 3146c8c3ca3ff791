//! What time and room bring about: times that are due become starts that wait, backfills go on, and waiting
//! starts are taken, as the policies allow.

use super::policy;
use super::record::{Asked, Backfill, ChangeKind, Start, Stopped};
use super::spec::Next;
use super::step::Step;
use crate::time::Timestamp;

/// So many starts may wait.
pub(super) const BUFFER_MAX: usize = 1000;

/// Backfills leave the rest of the buffer to the schedule's own times.
pub(super) const BACKFILL_BUFFER_MAX: usize = BUFFER_MAX / 2;

/// So many actions of backfills are taken at once.
const BACKFILL_PORTION: usize = 10;

/// So many times are looked at in one step. A schedule with more of them behind it goes on in the next.
const TIMES_MAX: usize = 10_000;

/// Everything that has come about.
pub(super) fn advance(step: &mut Step<'_>) {
    if !step.state.is_open() {
        return;
    }
    pass_time(step);
    work(step);
    let expires = step.state.idle_until();
    if expires.is_some_and(|at| at <= step.time) && step.state.next_deadline() == expires {
        step.change(ChangeKind::Ended(false));
    }
}

/// Backfills and waiting starts.
pub(super) fn work(step: &mut Step<'_>) {
    backfill(step);
    take_waiting(step);
}

/// The schedule's own times up to now: each waits for its turn, or is counted as missed.
pub(super) fn pass_time(step: &mut Step<'_>) {
    let now = step.time;
    step.state.derive();
    if !step.state.may_act(false) {
        // What lies in a pause is no action that was missed.
        if now.0 > step.state.core.processed_to && step.state.is_due(now) {
            step.change(ChangeKind::ProcessedTo(now.0));
        }
        return;
    }
    let window = step.state.catchup_window();
    let mut processed = None;
    let (mut missed, mut overrun) = (0, 0);
    let mut next = step.state.next();
    for _ in 0..TIMES_MAX {
        let at = match next {
            Next::NotUntil(searched) if searched <= now => searched,
            Next::At { actual, nominal } if actual <= now => {
                if actual.0 < step.state.core.update_time {
                    // Of the spec before the update, if of any.
                } else if now.since(actual) > window {
                    missed += 1;
                } else if !wait(step, nominal, actual, 0, false) {
                    overrun += 1;
                }
                actual
            }
            _ => break,
        };
        processed = Some(at);
        next = step.state.next_after(at);
    }
    if missed > 0 {
        step.change(ChangeKind::Missed(missed));
    }
    if overrun > 0 {
        step.change(ChangeKind::Overrun(overrun));
    }
    if let Some(at) = processed {
        step.change(ChangeKind::ProcessedTo(at.0));
    }
}

/// Puts a start into the buffer; false when that is full.
pub(super) fn wait(
    step: &mut Step<'_>,
    nominal: Timestamp,
    actual: Timestamp,
    overlap_policy: i32,
    manual: bool,
) -> bool {
    if step.state.core.buffer.len() >= BUFFER_MAX {
        return false;
    }
    let start = Start {
        number: step.next_number(),
        nominal_time: nominal.0,
        actual_time: actual.0,
        overlap_policy,
        manual,
    };
    step.change(ChangeKind::Buffered(start));
    true
}

/// The next portion of each backfill, as far as there is room.
fn backfill(step: &mut Step<'_>) {
    if step.state.backfills_at().is_none_or(|at| at > step.time) {
        return;
    }
    let mut portion = BACKFILL_PORTION;
    for ongoing in step.state.core.backfills.clone() {
        let mut at = Timestamp(ongoing.after);
        let until = Timestamp(ongoing.until);
        let mut looked = 0;
        while portion > 0
            && looked < TIMES_MAX
            && at < until
            && step.state.core.buffer.len() < BACKFILL_BUFFER_MAX
        {
            looked += 1;
            at = match step.state.next_after(at) {
                Next::At { actual, nominal } if actual <= until => {
                    wait(step, nominal, actual, ongoing.overlap_policy, true);
                    portion -= 1;
                    actual
                }
                Next::NotUntil(searched) => searched.min(until),
                Next::At { .. } | Next::Never => until,
            };
        }
        if at.0 != ongoing.after {
            step.change(ChangeKind::Backfill(Backfill {
                after: at.0,
                ..ongoing
            }));
        }
    }
}

/// Takes waiting starts, as far as the policies allow.
fn take_waiting(step: &mut Step<'_>) {
    if step.state.action().is_none() {
        let numbers: Vec<u64> = numbers(step);
        for number in numbers {
            step.change(ChangeKind::Dropped(number));
        }
        return;
    }
    // A start that comes to nothing makes room for the next.
    while take_once(step) {}
}

/// One look at the buffer. True when another may find more to do.
fn take_once(step: &mut Step<'_>) -> bool {
    if step.state.core.buffer.is_empty() {
        return false;
    }
    let state = &*step.state;
    let waiting = state.core.buffer.iter();
    let waiting = waiting.map(|start| (start.number, state.overlap_policy(start.overlap_policy)));
    let in_the_way = state.core.asked.iter().any(|asked| !asked.allow_all);
    let decision = policy::decide(waiting, in_the_way || !state.core.running.is_empty());
    for number in decision.skipped {
        step.change(ChangeKind::Skipped(number));
    }
    let mut again = false;
    for number in decision.beside {
        again |= !ask(step, number, true);
    }
    if let Some(number) = decision.alone {
        again |= !ask(step, number, false);
    }
    if decision.cancel || decision.terminate {
        stop_running(step, decision.terminate);
    }
    again
}

/// Asks for a start's workflow; false when none may be started any more.
fn ask(step: &mut Step<'_>, number: u64, allow_all: bool) -> bool {
    let mut waiting = step.state.core.buffer.iter();
    let Some(start) = waiting.find(|start| start.number == number).copied() else {
        return false;
    };
    if !step.state.may_act(start.manual) {
        step.change(ChangeKind::Dropped(number));
        return false;
    }
    let state = step.state.schedule_state();
    let limited = state.is_some_and(|state| state.limited_actions);
    step.change(ChangeKind::Asked(Asked {
        number,
        allow_all,
        counts: limited && !start.manual,
    }));
    true
}

/// Asks what runs to end, once in each way. A start whose answer is awaited is asked when it has come.
fn stop_running(step: &mut Step<'_>, terminate: bool) {
    let running = step.state.core.running.iter();
    let asked = running.filter(|running| match terminate {
        true => !running.terminated,
        false => !running.cancelled,
    });
    let numbers: Vec<u64> = asked.map(|running| running.number).collect();
    for number in numbers {
        step.change(ChangeKind::Stopped(Stopped { number, terminate }));
    }
}

fn numbers(step: &Step<'_>) -> Vec<u64> {
    let waiting = step.state.core.buffer.iter();
    waiting.map(|start| start.number).collect()
}
