//! What a schedule does, story by story (behaviour, section 8).

use proto::temporal::api::enums::v1::{
    ScheduleOverlapPolicy as Overlap, WorkflowExecutionStatus as Status,
};
use proto::temporal::api::schedule::v1::{
    BackfillRequest, CalendarSpec, Schedule, SchedulePatch, ScheduleState,
    TriggerImmediatelyRequest,
};

use super::world::{NOON, SECOND, World, every};
use crate::rejection::Rejection;
use crate::schedule::Input;
use crate::schedule::spec::Spec;
use crate::time::Timestamp;

fn trigger(policy: Overlap) -> SchedulePatch {
    SchedulePatch {
        trigger_immediately: Some(TriggerImmediatelyRequest {
            overlap_policy: policy as i32,
            scheduled_time: None,
        }),
        ..SchedulePatch::default()
    }
}

fn backfill(from: i64, to: i64, policy: Overlap) -> SchedulePatch {
    let time = |seconds: i64| Some(Timestamp(NOON + seconds * SECOND).to_proto());
    SchedulePatch {
        backfill_request: vec![BackfillRequest {
            start_time: time(from),
            end_time: time(to),
            overlap_policy: policy as i32,
        }],
        ..SchedulePatch::default()
    }
}

fn pause(notes: &str) -> SchedulePatch {
    SchedulePatch {
        pause: notes.to_owned(),
        ..SchedulePatch::default()
    }
}

fn unpause(notes: &str) -> SchedulePatch {
    SchedulePatch {
        unpause: notes.to_owned(),
        ..SchedulePatch::default()
    }
}

/// A schedule of a time that never comes.
fn idle() -> Schedule {
    let mut schedule = every(60, Overlap::Skip);
    schedule.spec = None;
    schedule
}

#[test]
fn actions_one_after_another() {
    let mut world = World::new(every(60, Overlap::Skip));
    for minute in 1..=3 {
        world.pass(60);
        world.finish(Status::Completed);
        let expected = [
            format!("start 12:0{minute}:00"),
            format!("end 12:0{minute}:00"),
        ];
        assert_eq!(world.take_log(), expected);
    }
    assert_eq!(world.counts(), (3, 0, 0, 0, 0));
    let info = world.describe().info.expect("info");
    let statuses = info.recent_actions.iter().map(|a| a.start_workflow_status);
    assert!(statuses.eq([Status::Completed as i32; 3]));
    let next = info
        .future_action_times
        .iter()
        .map(|t| t.seconds * SECOND - NOON);
    assert!(next.eq((4..14).map(|minute| minute * 60 * SECOND)));
}

#[test]
fn skip() {
    let mut world = World::new(every(60, Overlap::Skip));
    world.pass(150);
    assert_eq!(world.counts(), (1, 1, 0, 0, 0));
    world.finish(Status::Completed);
    world.pass(60);
    let expected = ["start 12:01:00", "end 12:01:00", "start 12:03:00"];
    assert_eq!(world.take_log(), expected);
}

#[test]
fn buffer_one() {
    let mut world = World::new(every(60, Overlap::BufferOne));
    world.pass(240);
    assert_eq!(world.counts(), (1, 2, 0, 0, 1));
    world.finish(Status::Completed);
    // The one that waited is the first that could not start.
    assert_eq!(
        world.take_log(),
        ["start 12:01:00", "end 12:01:00", "start 12:02:00"]
    );
}

#[test]
fn buffer_all() {
    let mut world = World::new(every(60, Overlap::BufferAll));
    world.pass(240);
    assert_eq!(world.counts(), (1, 0, 0, 0, 3));
    for _ in 0..3 {
        world.finish(Status::Completed);
    }
    assert_eq!(world.counts(), (4, 0, 0, 0, 0));
}

#[test]
fn a_full_buffer_drops_and_counts() {
    let mut world = World::new(every(1, Overlap::BufferAll));
    world.pass(1005);
    assert_eq!(world.counts(), (1, 0, 4, 0, 1000));
}

#[test]
fn cancel_other() {
    let mut world = World::new(every(60, Overlap::CancelOther));
    world.pass(180);
    // It is asked once; what waits is not started before it has ended.
    assert_eq!(world.take_log(), ["start 12:01:00", "cancel 12:01:00"]);
    world.finish(Status::Canceled);
    assert_eq!(world.take_log(), ["end 12:01:00", "start 12:03:00"]);
    assert_eq!(world.counts(), (2, 1, 0, 0, 0));
}

#[test]
fn terminate_other() {
    let mut world = World::new(every(60, Overlap::TerminateOther));
    world.pass(120);
    assert_eq!(world.take_log(), ["start 12:01:00", "terminate 12:01:00"]);
    world.finish(Status::Terminated);
    assert_eq!(world.take_log(), ["end 12:01:00", "start 12:02:00"]);
}

#[test]
fn allow_all() {
    let mut world = World::new(every(60, Overlap::AllowAll));
    world.pass(180);
    assert_eq!(world.counts(), (3, 0, 0, 0, 0));
    assert!(
        world
            .describe()
            .info
            .expect("info")
            .running_workflows
            .is_empty()
    );
    world.finish(Status::Failed);
    let recent = world.describe().info.expect("info").recent_actions;
    let statuses: Vec<_> = recent.iter().map(|a| a.start_workflow_status).collect();
    let running = Status::Running as i32;
    assert_eq!(statuses, [Status::Failed as i32, running, running]);
}

#[test]
fn a_trigger_during_an_action_is_skipped_and_counted() {
    let mut world = World::new(idle());
    world.patch(trigger(Overlap::Unspecified));
    world.pass(1);
    world.patch(trigger(Overlap::Unspecified));
    assert_eq!(world.counts(), (1, 1, 0, 0, 0));
    // Its own policy goes before the schedule's.
    world.pass(1);
    world.patch(trigger(Overlap::AllowAll));
    assert_eq!(world.counts(), (2, 1, 0, 0, 0));
    // The same second is the same workflow id.
    world.patch(trigger(Overlap::AllowAll));
    assert_eq!(world.counts(), (2, 2, 0, 0, 0));
}

#[test]
fn an_initial_patch_acts_at_once() {
    let mut world = World::with_patch(idle(), Some(trigger(Overlap::Unspecified)));
    world.deliver();
    assert_eq!(world.take_log(), ["start 12:00:00"]);
    let running = world.describe().info.expect("info").running_workflows;
    assert_eq!(running[0].workflow_id, "w-2026-11-22T12:00:00Z");
}

#[test]
fn a_backfill_includes_both_ends() {
    let mut world = World::new(every(3600, Overlap::Skip));
    world.patch(backfill(-7200, 0, Overlap::AllowAll));
    assert_eq!(
        world.take_log(),
        ["start 10:00:00", "start 11:00:00", "start 12:00:00"]
    );
    // What ran and ended may be taken again; what runs may not.
    world.finish(Status::Completed);
    world.take_log();
    world.pass(1);
    world.patch(backfill(-7200, -3600, Overlap::AllowAll));
    assert_eq!(world.take_log(), ["start 10:00:00", "refused 11:00:00"]);
}

#[test]
fn a_long_backfill_goes_on_by_itself() {
    let mut world = World::new(idle());
    let mut schedule = every(60, Overlap::Skip);
    schedule.state = Some(ScheduleState {
        paused: true,
        ..ScheduleState::default()
    });
    world.update(schedule, None);
    world.patch(backfill(-60 * 60, -60, Overlap::AllowAll));
    assert_eq!(world.counts().0, 10);
    world.pass(10);
    assert_eq!(world.counts(), (60, 0, 0, 0, 0));
    world.patch(backfill(-120 * 60, -61 * 60, Overlap::BufferAll));
    world.pass(10);
    assert_eq!(world.counts(), (61, 0, 0, 0, 59));
}

#[test]
fn paused_times_are_not_made_up_for() {
    let mut world = World::new(every(60, Overlap::AllowAll));
    world.patch(pause("lunch"));
    assert_eq!(world.state.next_deadline(), None);
    let state = world.describe().schedule.expect("a schedule").state;
    let state = state.expect("state");
    assert_eq!((state.paused, state.notes.as_str()), (true, "lunch"));
    world.pass(3600);
    world.patch(unpause("back"));
    world.pass(60);
    assert_eq!(world.take_log(), ["start 13:01:00"]);
    assert_eq!(world.counts(), (1, 0, 0, 0, 0));
    assert_eq!(world.describe().conflict_token[..], 3_i64.to_be_bytes());
}

#[test]
fn what_was_due_before_a_pause_is_done() {
    let mut world = World::new(every(60, Overlap::AllowAll));
    world.sleep(60);
    world.patch(pause("late"));
    assert_eq!(world.take_log(), ["start 12:01:00"]);
}

#[test]
fn catchup_window() {
    let mut schedule = every(60, Overlap::AllowAll);
    let seconds = 1; // becomes 10
    let window = proto::Duration { seconds, nanos: 0 };
    schedule.policies.as_mut().expect("there").catchup_window = Some(window);
    let mut world = World::new(schedule);
    // Nobody looks for ten minutes and a bit: nine times are too long ago.
    world.sleep(605);
    world.pass(0);
    assert_eq!(world.take_log(), ["start 12:10:00"]);
    assert_eq!(world.counts(), (1, 0, 0, 9, 0));
    world.pass(0);
    assert_eq!(world.counts(), (1, 0, 0, 9, 0));
}

#[test]
fn a_long_absence_is_caught_up_with() {
    let mut world = World::new(every(1, Overlap::Skip));
    world.sleep(25_000);
    world.pass(0);
    let (actions, skipped, dropped, missed, waiting) = world.counts();
    assert_eq!(actions + skipped + dropped + missed + waiting, 25_000);
    assert_eq!((actions, missed, waiting), (1, 0, 0));
}

#[test]
fn limited_actions_count_down_with_automatic_ones() {
    let mut schedule = every(60, Overlap::AllowAll);
    schedule.state = Some(ScheduleState {
        limited_actions: true,
        remaining_actions: 2,
        ..ScheduleState::default()
    });
    let mut world = World::new(schedule);
    assert_eq!(
        world
            .describe()
            .info
            .expect("info")
            .future_action_times
            .len(),
        2
    );
    world.patch(trigger(Overlap::Unspecified));
    world.pass(300);
    let expected = ["start 12:00:00", "start 12:01:00", "start 12:02:00"];
    assert_eq!(world.take_log(), expected);
    let state = world.describe().schedule.expect("a schedule").state;
    assert_eq!(state.expect("state").remaining_actions, 0);
    assert_eq!(world.describe().conflict_token[..], 3_i64.to_be_bytes());
}

#[test]
fn pause_on_failure() {
    for (status, notes) in [
        (
            Status::Failed,
            "paused due to workflow failure: w-2026-11-22T12:01:00Z: boom",
        ),
        (
            Status::TimedOut,
            "paused due to workflow timeout: w-2026-11-22T12:01:00Z",
        ),
        (Status::Canceled, ""),
        (Status::Terminated, ""),
        (Status::Completed, ""),
    ] {
        let mut schedule = every(60, Overlap::Skip);
        schedule.policies.as_mut().expect("there").pause_on_failure = true;
        let mut world = World::new(schedule);
        world.pass(60);
        world.finish(status);
        let state = world.describe().schedule.expect("a schedule").state;
        let state = state.expect("state");
        assert_eq!(
            (state.notes.as_str(), state.paused),
            (notes, !notes.is_empty())
        );
    }
}

#[test]
fn results_are_passed_on() {
    let mut world = World::new(every(60, Overlap::Skip));
    world.pass(60);
    world.finish(Status::Completed);
    assert!(world.state.core.last_completion_result.is_some());
    world.pass(60);
    world.finish(Status::Failed);
    // A failure leaves the last result.
    assert!(world.state.core.last_completion_result.is_some());
    assert!(world.state.core.continued_failure.is_some());
    world.pass(60);
    world.finish(Status::Completed);
    assert!(world.state.core.continued_failure.is_none());
}

#[test]
fn a_wrong_token_changes_nothing_silently() {
    let mut world = World::new(every(60, Overlap::Skip));
    world.update(every(3600, Overlap::Skip), Some(5));
    assert_eq!(world.describe().info.expect("info").update_time, None);
    world.update(every(3600, Overlap::Skip), Some(1));
    assert_eq!(world.describe().conflict_token[..], 2_i64.to_be_bytes());
    world.update(every(30, Overlap::Skip), None);
    assert_eq!(world.describe().conflict_token[..], 3_i64.to_be_bytes());
    world.pass(30);
    assert_eq!(world.take_log(), ["start 12:00:30"]);
}

#[test]
fn an_update_acts_on_its_own_times_only() {
    let mut world = World::new(every(3600, Overlap::AllowAll));
    world.pass(1801);
    // A time that lies before the update is not one of the new spec, however often it comes.
    world.update(every(60, Overlap::AllowAll), None);
    world.pass(59);
    assert_eq!(world.take_log(), ["start 12:31:00"]);
}

#[test]
fn an_end_that_overtakes_the_answer_to_the_start() {
    let mut world = World::new(every(60, Overlap::Skip));
    world.sleep(60);
    world.input(Input::Deadline).expect("taken");
    let sent = world.sent.pop_front().expect("a start");
    let seq = sent.seq;
    let answer = world.take(sent);
    let id = "w-2026-11-22T12:01:00Z";
    let closed = world.end(id, Status::Completed);
    let closed = || Input::ActionClosed(Box::new(closed.clone()));
    world.input(closed()).expect("taken");
    world.input(Input::PeerAnswer(seq, answer)).expect("taken");
    world.input(closed()).expect("taken");
    assert_eq!(world.counts(), (1, 0, 0, 0, 0));
    let info = world.describe().info.expect("info");
    assert_eq!(
        info.recent_actions[0].start_workflow_status,
        Status::Completed as i32
    );
    assert!(info.running_workflows.is_empty());
}

#[test]
fn after_a_crash_nothing_starts_twice() {
    let mut world = World::new(every(60, Overlap::Skip));
    world.sleep(60);
    world.input(Input::Deadline).expect("taken");
    // The start arrives, its answer is lost with the server.
    let sent = world.sent.pop_front().expect("a start");
    world.take(sent);
    world.crash();
    world.deliver();
    assert_eq!(world.take_log(), ["start 12:01:00"]);
    assert_eq!(world.counts(), (1, 0, 0, 0, 0));
}

#[test]
fn deleted() {
    let mut world = World::new(every(60, Overlap::Skip));
    world.pass(60);
    world.input(Input::Delete).expect("taken");
    assert_eq!(world.state.next_deadline(), None);
    assert_eq!(world.input(Input::Delete), Err(Rejection::AlreadyCompleted));
    let described = crate::schedule::describe(&world.state, Timestamp(world.time));
    let expected = Rejection::NotFound("schedule not found".to_owned());
    assert_eq!(described.expect_err("gone"), expected);
    // What runs, runs on, and its end is taken note of.
    world.finish(Status::Completed);
    assert_eq!(world.take_log(), ["start 12:01:00", "end 12:01:00"]);
}

#[test]
fn a_schedule_without_more_to_do_ends_after_a_week() {
    let mut world = World::new(idle());
    let week = 7 * 24 * 3600;
    world.pass(week - 1);
    assert!(world.state.is_open());
    world.pass(1);
    assert!(!world.state.is_open());
    let mut paused = idle();
    paused.state = Some(ScheduleState {
        paused: true,
        ..ScheduleState::default()
    });
    let mut world = World::new(paused);
    world.pass(2 * week);
    assert!(world.state.is_open());
}

/// A spec whose times are nearly all excluded costs a look now and then, and misses nothing.
#[test]
fn exclusions_that_hide_many_times() {
    let mut schedule = every(1, Overlap::AllowAll);
    let mut spec = schedule.spec.take().expect("a spec");
    spec.exclude_calendar = vec![
        CalendarSpec {
            hour: "0-10,12-23".to_owned(),
            minute: "*".to_owned(),
            second: "*".to_owned(),
            ..CalendarSpec::default()
        },
        CalendarSpec {
            hour: "11".to_owned(),
            minute: "1-59".to_owned(),
            second: "*".to_owned(),
            ..CalendarSpec::default()
        },
        CalendarSpec {
            hour: "11".to_owned(),
            second: "1-59".to_owned(),
            ..CalendarSpec::default()
        },
    ];
    let spec = Spec::compile(&spec).expect("fine");
    schedule.spec = Some(spec.canonical().clone());
    let mut world = World::new(schedule);
    world.pass(2 * 86_400);
    assert_eq!(world.take_log(), ["start 11:00:00", "start 11:00:00"]);
}
