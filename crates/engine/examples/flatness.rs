//! What a step costs with much pending, against a fresh run: it should not matter (DESIGN section 1).
//!
//!     cargo run --release -p steadfast-engine --example flatness
//!
//! Prints microseconds per cycle of steps, the best of several rounds, and the ratio to a fresh run.

use std::time::{Duration, Instant};

use engine::deployment::Routing;
use engine::ids::Now;
use engine::limits::Limits;
use engine::time::{Timestamp, wire};
use engine::workflow::input::{
    ActivityFailed, ActivityTarget, StartActivityTask, StartWorkflowTask, WorkflowTaskCompleted,
};
use engine::workflow::state::State;
use engine::workflow::token;
use engine::workflow::transition::WorkflowTask;
use engine::workflow::{Input, Reply, StartInput, handle, snapshot, start};
use engine::{Env, Namespace};
use proto::temporal::api::command::v1::command::Attributes;
use proto::temporal::api::command::v1::{
    CancelTimerCommandAttributes, Command, RequestCancelExternalWorkflowExecutionCommandAttributes,
    ScheduleActivityTaskCommandAttributes, StartChildWorkflowExecutionCommandAttributes,
    StartTimerCommandAttributes,
};
use proto::temporal::api::common::v1::{ActivityType, WorkflowType};
use proto::temporal::api::enums::v1::CommandType;
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflowservice::v1::{
    RespondWorkflowTaskCompletedRequest, SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
};
use steadfast_engine as engine;

/// Cycles of one round, and rounds of one measurement.
const CYCLES: u32 = 300;
const ROUNDS: u32 = 7;

/// A run and its surroundings.
struct Bench {
    state: State,
    namespace: Namespace,
    limits: Limits,
    time: Timestamp,
    seed: u64,
    task_id: i64,
    claim: u64,
}

fn main() {
    let fresh = Bench::new(1, 0, 0);
    let activities = Bench::new(2000, 0, 0);
    let children = Bench::new(1, 2000, 0);
    let events = Bench::new(1, 0, 20_000);
    say(
        "",
        [
            "fresh",
            "2,000 activities",
            "2,000 children",
            "20,000 events",
        ],
    );
    let mut benches = [fresh, activities, children, events];
    compare("signal, claim, complete", &mut benches, |b| {
        b.signal();
        b.complete(Vec::new());
    });
    compare("signal, claim, a timer and its cancel", &mut benches, |b| {
        b.signal();
        b.complete(vec![start_timer(), cancel_timer()]);
    });
    compare(
        "claim an activity, heartbeat, fail, retry",
        &mut benches,
        Bench::retry_activity,
    );
    compare("an early deadline", &mut benches, |b| {
        drop(b.step(Input::Deadline))
    });
    compare("a refused signal, undone", &mut benches, |b| {
        b.signal();
        let task = b.claim_workflow_task();
        let bad = cancel_timer();
        let refused = b.try_complete(&task, vec![start_timer(), cancel_timer(), bad]);
        assert!(refused.is_err(), "the second cancel has no timer");
        b.complete(Vec::new());
    });
    compare("a cancel of another workflow, refused", &mut benches, |b| {
        b.signal();
        let task = b.claim_workflow_task();
        let refused = b.try_complete(&task, vec![cancel_external(), cancel_timer()]);
        assert!(refused.is_err(), "there is no timer");
        b.complete(Vec::new());
    });
    for bench in &benches {
        let begin = Instant::now();
        let bytes = snapshot(&bench.state).map_or(0, |bytes| bytes.len());
        let took = begin.elapsed();
        say(
            "snapshot",
            [
                format!("{bytes} bytes"),
                format!("{took:?}"),
                String::new(),
                String::new(),
            ],
        );
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say(name: &str, cells: [impl std::fmt::Display; 4]) {
    let [a, b, c, d] = cells;
    println!("{name:<42} {a:>16} {b:>22} {c:>22} {d:>22}");
}

fn compare(name: &str, benches: &mut [Bench; 4], cycle: impl Fn(&mut Bench)) {
    let mut best = [Duration::MAX; 4];
    for _ in 0..ROUNDS {
        for (bench, best) in benches.iter_mut().zip(&mut best) {
            let begin = Instant::now();
            for _ in 0..CYCLES {
                cycle(bench);
            }
            *best = (*best).min(begin.elapsed() / CYCLES);
        }
    }
    let base = best[0].as_secs_f64();
    let cells = best.map(|took| {
        let took = took.as_secs_f64();
        format!("{:.1} us ({:.2}x)", took * 1e6, took / base)
    });
    say(name, cells);
}

impl Bench {
    fn new(activities: usize, children: usize, events: i64) -> Self {
        let namespace = Namespace {
            id: uuid::Uuid::from_u128(7),
            name: "default".into(),
            retention: Duration::from_secs(86_400),
            search_attributes: Default::default(),
        };
        let limits = Limits {
            history_count_error: i64::MAX,
            history_size_error: i64::MAX,
            signals_per_execution_max: i64::MAX,
            pending_children_max: usize::MAX,
            pending_activities_max: usize::MAX,
            ..Limits::default()
        };
        let request = StartWorkflowExecutionRequest {
            workflow_id: "order-1".to_owned(),
            workflow_type: Some(WorkflowType {
                name: "Order".to_owned(),
            }),
            task_queue: Some(queue()),
            ..StartWorkflowExecutionRequest::default()
        };
        let time = Timestamp(1_700_000_000_000_000_000);
        let mut now = Now {
            time,
            seed: 1,
            task_id: 1,
        };
        let env = Env {
            namespace: &namespace,
            limits: &limits,
            routing: &Routing::default(),
        };
        let outcome = start(None, StartInput::Start(Box::new(request)), &mut now, env);
        let new_run = outcome.ok().and_then(|outcome| outcome.new_run);
        #[expect(clippy::expect_used, reason = "there was no run before")]
        let state = new_run.expect("a run").state;
        let mut bench = Self {
            state,
            namespace,
            limits,
            time,
            seed: 1,
            task_id: 100,
            claim: 0,
        };
        let mut commands: Vec<Command> = (0..activities).map(schedule_activity).collect();
        commands.extend((0..children).map(start_child));
        bench.complete(commands);
        while bench.state.last_event_id() < events {
            bench.signal();
            bench.complete(vec![start_timer(), cancel_timer()]);
        }
        bench
    }

    fn try_step(&mut self, input: Input) -> Result<Reply, engine::rejection::Rejection> {
        self.seed += 1;
        let mut now = Now {
            time: self.time,
            seed: self.seed.wrapping_mul(0xbf58_476d_1ce4_e5b9),
            task_id: self.task_id,
        };
        let env = Env {
            namespace: &self.namespace,
            limits: &self.limits,
            routing: &Routing::default(),
        };
        let transition = handle(&mut self.state, input, &mut now, env)?;
        self.task_id = now.task_id;
        transition.reply
    }

    #[expect(
        clippy::panic,
        reason = "nothing here is refused but what is meant to be"
    )]
    fn step(&mut self, input: Input) -> Reply {
        self.try_step(input)
            .unwrap_or_else(|rejection| panic!("refused: {rejection}"))
    }

    fn signal(&mut self) {
        let request = SignalWorkflowExecutionRequest {
            signal_name: "go".to_owned(),
            ..SignalWorkflowExecutionRequest::default()
        };
        self.step(Input::Signal(Box::new(request)));
    }

    #[expect(clippy::panic, reason = "a claim of what is pending succeeds")]
    fn claim_workflow_task(&mut self) -> WorkflowTask {
        self.claim += 1;
        let task = self.state.core.workflow_task.as_ref();
        let claim = StartWorkflowTask {
            scheduled_event_id: task.map_or(0, |t| t.scheduled_event_id),
            attempt: task.map_or(0, |t| t.attempt),
            request_id: self.claim.to_string(),
            identity: "worker".to_owned(),
            sticky: false,
            version: None,
            build: None,
            directive: None,
        };
        match self.step(Input::StartWorkflowTask(claim)) {
            Reply::WorkflowTask(task) => *task,
            other => panic!("not a workflow task: {other:?}"),
        }
    }

    fn try_complete(
        &mut self,
        task: &WorkflowTask,
        commands: Vec<Command>,
    ) -> Result<Reply, engine::rejection::Rejection> {
        let completed = WorkflowTaskCompleted {
            token: task.token.clone(),
            request: RespondWorkflowTaskCompletedRequest {
                commands,
                identity: "worker".to_owned(),
                ..RespondWorkflowTaskCompletedRequest::default()
            },
            nexus_endpoints: Default::default(),
        };
        self.try_step(Input::WorkflowTaskCompleted(Box::new(completed)))
    }

    #[expect(
        clippy::panic,
        reason = "nothing here is refused but what is meant to be"
    )]
    fn complete(&mut self, commands: Vec<Command>) {
        let task = self.claim_workflow_task();
        if let Err(rejection) = self.try_complete(&task, commands) {
            panic!("refused: {rejection}");
        }
    }

    /// One more attempt of the first activity, from its offer to its retry.
    #[expect(clippy::panic, reason = "a claim of what is pending succeeds")]
    fn retry_activity(&mut self) {
        self.time = self.time.after(Duration::from_millis(1));
        self.step(Input::Deadline);
        self.claim += 1;
        let claim = self
            .state
            .activities
            .iter()
            .next()
            .map(|(id, activity)| StartActivityTask {
                scheduled_event_id: *id,
                attempt: activity.attempt,
                stamp: activity.stamp,
                request_id: self.claim.to_string(),
                identity: "worker".to_owned(),
                version: None,
                directive: None,
                sdk: Default::default(),
            });
        let Some(claim) = claim else { return };
        let task = match self.step(Input::StartActivityTask(claim)) {
            Reply::ActivityTask(task) => task,
            other => panic!("not an activity task: {other:?}"),
        };
        let Ok(token) = token::activity_task(&task.task_token) else {
            return;
        };
        let target = ActivityTarget::Token(token);
        let identity = "worker".to_owned();
        self.step(Input::ActivityTaskHeartbeat(
            target.clone(),
            None,
            identity.clone(),
        ));
        let failed = ActivityFailed {
            failure: Some(Failure {
                message: "boom".to_owned(),
                failure_info: Some(FailureInfo::ApplicationFailureInfo(
                    ApplicationFailureInfo {
                        next_retry_delay: Some(wire(Duration::from_millis(1))),
                        ..ApplicationFailureInfo::default()
                    },
                )),
                ..Failure::default()
            }),
            last_heartbeat_details: None,
            worker_version: None,
            identity,
        };
        self.step(Input::ActivityTaskFailed(target, Box::new(failed)));
    }
}

fn queue() -> TaskQueue {
    TaskQueue {
        name: "orders".to_owned(),
        ..TaskQueue::default()
    }
}

fn command(kind: CommandType, attributes: Attributes) -> Command {
    Command {
        command_type: kind as i32,
        attributes: Some(attributes),
        ..Command::default()
    }
}

fn start_timer() -> Command {
    let a = StartTimerCommandAttributes {
        timer_id: "t".to_owned(),
        start_to_fire_timeout: Some(wire(Duration::from_secs(3600))),
    };
    command(
        CommandType::StartTimer,
        Attributes::StartTimerCommandAttributes(a),
    )
}

fn cancel_timer() -> Command {
    let a = CancelTimerCommandAttributes {
        timer_id: "t".to_owned(),
    };
    command(
        CommandType::CancelTimer,
        Attributes::CancelTimerCommandAttributes(a),
    )
}

fn cancel_external() -> Command {
    let a = RequestCancelExternalWorkflowExecutionCommandAttributes {
        workflow_id: "other".to_owned(),
        ..RequestCancelExternalWorkflowExecutionCommandAttributes::default()
    };
    let kind = CommandType::RequestCancelExternalWorkflowExecution;
    command(
        kind,
        Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(a),
    )
}

fn schedule_activity(number: usize) -> Command {
    let a = ScheduleActivityTaskCommandAttributes {
        activity_id: format!("activity-{number}"),
        activity_type: Some(ActivityType {
            name: "Charge".to_owned(),
        }),
        task_queue: Some(queue()),
        start_to_close_timeout: Some(wire(Duration::from_secs(600))),
        ..ScheduleActivityTaskCommandAttributes::default()
    };
    command(
        CommandType::ScheduleActivityTask,
        Attributes::ScheduleActivityTaskCommandAttributes(a),
    )
}

fn start_child(number: usize) -> Command {
    let a = StartChildWorkflowExecutionCommandAttributes {
        workflow_id: format!("child-{number}"),
        workflow_type: Some(WorkflowType {
            name: "Shipment".to_owned(),
        }),
        ..StartChildWorkflowExecutionCommandAttributes::default()
    };
    let kind = CommandType::StartChildWorkflowExecution;
    command(
        kind,
        Attributes::StartChildWorkflowExecutionCommandAttributes(a),
    )
}
