//! Random lives: anything at any time, late, twice, or with a crash in between. No time fires twice, none is
//! lost without a count.

use std::collections::BTreeSet;

use proto::temporal::api::enums::v1::{
    ScheduleOverlapPolicy as Overlap, WorkflowExecutionStatus as Status,
};
use proto::temporal::api::schedule::v1::{
    BackfillRequest, Schedule, SchedulePatch, ScheduleState, TriggerImmediatelyRequest,
};

use super::world::{NOON, SECOND, World, every};
use crate::schedule::Input;
use crate::schedule::record::ChangeKind;
use crate::schedule::spec::{Next, Spec};
use crate::time::Timestamp;
use crate::workflow::input::ActionClosed;

/// Lives of every test run.
const SEEDS: u64 = 30;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn number(&mut self, sides: i64) -> i64 {
        i64::try_from(self.roll(sides.unsigned_abs())).expect("small")
    }

    fn policy(&mut self) -> Overlap {
        let all = [
            Overlap::Unspecified,
            Overlap::Skip,
            Overlap::BufferOne,
            Overlap::BufferAll,
            Overlap::CancelOther,
            Overlap::TerminateOther,
            Overlap::AllowAll,
        ];
        all[self.roll(7) as usize]
    }

    fn schedule(&mut self) -> Schedule {
        let mut schedule = every(1 + self.number(90), self.policy());
        let spec = schedule.spec.as_mut().expect("there");
        if self.roll(2) == 0 {
            spec.jitter = Some(proto::Duration {
                seconds: self.number(120),
                nanos: 0,
            });
        }
        let policies = schedule.policies.as_mut().expect("there");
        policies.pause_on_failure = self.roll(3) == 0;
        if self.roll(2) == 0 {
            policies.catchup_window = Some(proto::Duration {
                seconds: self.number(300),
                nanos: 0,
            });
        }
        if self.roll(4) == 0 {
            schedule.state = Some(ScheduleState {
                limited_actions: true,
                remaining_actions: self.number(20),
                ..ScheduleState::default()
            });
        }
        schedule
    }

    fn patch(&mut self, time: i64) -> SchedulePatch {
        let mut patch = SchedulePatch::default();
        match self.roll(4) {
            0 => patch.pause = "p".to_owned(),
            1 => patch.unpause = "u".to_owned(),
            2 => {
                patch.trigger_immediately = Some(TriggerImmediatelyRequest {
                    overlap_policy: self.policy() as i32,
                    scheduled_time: None,
                });
            }
            _ => {
                let start = time - self.number(7200) * SECOND;
                let end = start + self.number(1800) * SECOND;
                patch.backfill_request.push(BackfillRequest {
                    start_time: Some(Timestamp(start).to_proto()),
                    end_time: Some(Timestamp(end).to_proto()),
                    overlap_policy: self.policy() as i32,
                });
            }
        }
        patch
    }
}

/// Whether a client changes the schedule, so that its times are no longer those of one spec.
#[derive(Clone, Copy, PartialEq)]
enum Clients {
    None,
    All,
}

#[test]
fn random_lives_keep_count() {
    for seed in 0..SEEDS {
        life(seed, Clients::All);
        life(seed, Clients::None);
    }
}

fn life(seed: u64, clients: Clients) {
    let mut dice = Dice(seed);
    let mut schedule = dice.schedule();
    if clients == Clients::None {
        schedule.state = None;
        schedule.policies.as_mut().expect("there").pause_on_failure = false;
    }
    let mut world = World::new(schedule.clone());
    let mut told: Vec<ActionClosed> = Vec::new();
    for _ in 0..60 {
        match dice.roll(12) {
            0..=2 => world.pass(dice.number(120)),
            3 => world.sleep(dice.number(1200)),
            4 => world.input(Input::Deadline).expect("taken"),
            5 => world.crash(),
            6 => deliver_one(&mut world, &mut dice),
            7 => world.deliver(),
            8 | 9 => end_one(&mut world, &mut dice, &mut told),
            _ if clients == Clients::None => world.pass(1),
            10 => {
                let patch = dice.patch(world.time);
                world.patch(patch);
            }
            _ => world.update(dice.schedule(), None),
        }
        counts_add_up(&world, seed);
    }
    world.pass(0);
    nothing_twice(&world, seed);
    if clients == Clients::None {
        nothing_lost(&world, &schedule, seed);
    }
}

/// One message arrives; its answer may get lost, so that it is sent again.
fn deliver_one(world: &mut World, dice: &mut Dice) {
    if let Some(sent) = world.sent.pop_front() {
        let seq = sent.seq;
        let again = sent.clone();
        let answer = world.take(sent);
        if dice.roll(2) == 0 {
            world.sent.push_back(again);
        } else {
            world.input(Input::PeerAnswer(seq, answer)).expect("taken");
        }
    }
}

/// One workflow ends, or says again that it has.
fn end_one(world: &mut World, dice: &mut Dice, told: &mut Vec<ActionClosed>) {
    let statuses = [
        Status::Completed,
        Status::Failed,
        Status::TimedOut,
        Status::Canceled,
        Status::Terminated,
    ];
    let ids: Vec<String> = world.running.keys().cloned().collect();
    if !ids.is_empty() && dice.roll(4) > 0 {
        let id = &ids[dice.roll(ids.len() as u64) as usize];
        let closed = world.end(id, statuses[dice.roll(5) as usize]);
        told.push(closed);
    }
    if !told.is_empty() {
        let closed = told[dice.roll(told.len() as u64) as usize].clone();
        let input = Input::ActionClosed(Box::new(closed));
        world.input(input).expect("taken");
    }
}

/// Every start that was due is an action, waits, or is counted.
fn counts_add_up(world: &World, seed: u64) {
    if !world.state.is_open() {
        return;
    }
    let core = &world.state.core;
    let due: i64 = world.changes.iter().map(due).sum();
    let waiting = core.buffer.len() + core.asked.len();
    let accounted = core.action_count
        + core.overlap_skipped
        + core.buffer_dropped
        + core.missed_catchup_window
        + i64::try_from(waiting).expect("few");
    assert_eq!(due, accounted, "seed {seed}");
    assert!(core.buffer.len() <= 1000);
    // Workflows that started are known, as far as their answers have come.
    let started = i64::try_from(world.started.len()).expect("few");
    assert!(core.action_count <= started, "seed {seed}");
}

/// How many starts a change brought.
fn due(change: &ChangeKind) -> i64 {
    match change {
        ChangeKind::Buffered(_) => 1,
        ChangeKind::Missed(count) | ChangeKind::Overrun(count) => count.cast_signed(),
        _ => 0,
    }
}

/// No nominal time of the schedule's own came twice, and numbers are used once.
fn nothing_twice(world: &World, seed: u64) {
    let mut times = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for change in &world.changes {
        if let ChangeKind::Buffered(start) = change {
            assert!(numbers.insert(start.number), "seed {seed}");
            let own = !start.manual;
            assert!(!own || times.insert(start.nominal_time), "seed {seed}");
        }
    }
}

/// Every time of the spec since the creation was taken note of.
fn nothing_lost(world: &World, schedule: &Schedule, seed: u64) {
    let spec = Spec::compile(schedule.spec.as_ref().expect("a spec")).expect("fine");
    let jitter_seed = format!("{}-s", world.state.namespace_id);
    let mut at = Timestamp(NOON);
    let mut expected = 0;
    while let Next::At { actual, .. } = spec.next(&jitter_seed, at, 10) {
        if actual.0 > world.time {
            break;
        }
        at = actual;
        expected += 1;
    }
    let due: i64 = world.changes.iter().map(due).sum();
    assert_eq!(due, expected, "seed {seed}");
}
