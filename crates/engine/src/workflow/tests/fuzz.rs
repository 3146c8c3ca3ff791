//! Random worlds: a few workflow ids, anything at any time, twice, late, stale or never. Every input is a
//! line of a story, so that a failure prints a story that can be kept.
//!
//! `STEADFAST_FUZZ_SEEDS=100000` tries that many seeds, from `STEADFAST_FUZZ_FROM` on;
//! `STEADFAST_FUZZ_SEED=7` only this one.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes;

use super::dice::Dice;
use super::script::{Fault, Script};
use crate::time::Timestamp;
use crate::workflow::state::FirstTask;

/// Seeds of every test run: a few seconds.
const SEEDS: u64 = 60;
/// Inputs of one world.
const STEPS: usize = 150;

#[test]
fn random_worlds_keep_the_invariants() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse().expect("a number"))
    };
    if let Some(seed) = number("STEADFAST_FUZZ_SEED") {
        return world(seed);
    }
    let from: u64 = number("STEADFAST_FUZZ_FROM").unwrap_or(0);
    for seed in from..from + number("STEADFAST_FUZZ_SEEDS").unwrap_or(SEEDS) {
        world(seed);
    }
}

/// One world. Panics with its story, made short, when an invariant breaks.
fn world(seed: u64) {
    let mut dice = Dice(seed);
    let mut script = quiet();
    let mut story = Vec::new();
    let mut fault = None;
    if dice.chance(40) {
        fault = play(&mut script, &mut story, dice.limits());
    }
    while fault.is_none() && story.len() < STEPS {
        let line = dice.line(&script);
        fault = play(&mut script, &mut story, line);
    }
    if let Some(fault) = fault.or_else(|| settle(&mut script)) {
        let (story, fault) = shortened(story, fault);
        let blocks: Vec<String> = story.iter().map(|line| format!("{line}\n----\n")).collect();
        panic!("seed {seed}: {fault}\n\n{}", blocks.join("\n"));
    }
}

fn quiet() -> Script {
    let mut script = Script::new();
    script.quiet = true;
    script
}

/// One line; says what broke. A line that makes no sense here is not a part of the story.
fn play(script: &mut Script, story: &mut Vec<String>, line: String) -> Option<String> {
    let played = catch_unwind(AssertUnwindSafe(|| script.play(&line)));
    story.push(line);
    match played {
        Ok(Ok(_)) => None,
        Ok(Err(Fault::Line(_))) => {
            story.pop();
            None
        }
        Ok(Err(Fault::Broken(fault))) => Some(fault),
        Err(_) => Some("a panic".to_owned()),
    }
}

/// Everything under way arrives in the end, and a child that waits in vain asks; says what is wrong then.
fn settle(script: &mut Script) -> Option<String> {
    let mut ignored = Vec::new();
    for _ in 0..8 {
        for line in ["resend", "deliver all", "clock +10s"] {
            let fault = play(script, &mut ignored, line.to_owned());
            if fault.is_some() {
                return fault;
            }
        }
    }
    settled(script).err()
}

/// Leaves out whatever can be left out of a story that breaks something.
fn shortened(mut story: Vec<String>, mut fault: String) -> (Vec<String>, String) {
    let mut chunk = story.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        let before = story.len();
        while at < story.len() {
            let mut shorter = story.clone();
            shorter.drain(at..(at + chunk).min(story.len()));
            let mut script = quiet();
            let mut played = Vec::new();
            let broken = shorter
                .into_iter()
                .find_map(|line| play(&mut script, &mut played, line))
                .or_else(|| settle(&mut script));
            match broken {
                Some(broken) => (story, fault) = (played, broken),
                None => at += chunk,
            }
        }
        if chunk > 1 || story.len() == before {
            chunk /= 2;
        }
    }
    (story, fault)
}

/// When all messages have arrived nobody waits for one.
fn settled(script: &Script) -> Result<(), String> {
    let runs = &script.world.runs;
    for run in runs {
        let state = &run.state;
        if !state.outbox.is_empty() {
            return Err(format!("{}: not answered: {:?}", run.label, state.outbox));
        }
        if !state.is_open() {
            continue;
        }
        if state.core.first_task == FirstTask::AwaitsParent {
            return Err(format!("{} still waits for its parent", run.label));
        }
        if !state.external_signals.is_empty() || !state.external_cancels.is_empty() {
            let all_buffered = !state.core.buffered.is_empty();
            if !all_buffered {
                return Err(format!(
                    "{}: a signal or cancel is without answer",
                    run.label
                ));
            }
        }
        for (id, child) in state.children.iter().filter(|(_, c)| !c.closing) {
            // A child that was asked for before a reset knows the run that asked.
            let parent = state.origin_of(*id);
            let of_ours = |other: &&super::world::Run| {
                let start = &other.state.core.start.attributes;
                start.parent_initiated_event_id == *id
                    && start
                        .parent_workflow_execution
                        .as_ref()
                        .is_some_and(|p| p.run_id == parent)
            };
            let last = runs.iter().rfind(of_ours);
            let alive = last.is_some_and(|run| run.state.is_open());
            // What a child told a closed run is not told again to one that a later reset makes of it.
            let reset = state.core.start.reset.as_ref();
            let told_before = reset.zip(last).is_some_and(|(reset, last)| {
                let close = last.state.core.close.as_ref();
                close.is_some_and(|close| when(close) <= reset.time)
            });
            if child.started.is_none() || !(alive || told_before) {
                return Err(format!(
                    "{}: nothing more is heard of child {id}",
                    run.label
                ));
            }
        }
    }
    taken_once(script)
}

/// A signal between workflows is taken once, whatever became of the run that took it.
fn taken_once(script: &Script) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    // A run that was opened by a reset has events of another one.
    let runs = script.world.runs.iter();
    for run in runs.filter(|run| run.state.core.start.reset.is_none()) {
        for event in &run.audit.history {
            let Some(Attributes::WorkflowExecutionSignaledEventAttributes(a)) = &event.attributes
            else {
                continue;
            };
            if a.external_workflow_execution.is_some() && !seen.insert(&a.request_id) {
                return Err(format!(
                    "{}: signal {} was taken before",
                    run.label, a.request_id
                ));
            }
        }
    }
    Ok(())
}

fn when(event: &HistoryEvent) -> i64 {
    let time = event.event_time.as_ref();
    time.map_or(i64::MAX, |time| Timestamp::from_proto(time).0)
}
