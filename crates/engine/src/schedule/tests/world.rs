//! A schedule and the workflows that it starts: they run until they are told to end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use proto::temporal::api::common::v1::WorkflowType;
use proto::temporal::api::enums::v1::{
    ScheduleOverlapPolicy as Overlap, WorkflowExecutionStatus as Status, WorkflowIdReusePolicy,
};
use proto::temporal::api::schedule::v1::schedule_action::Action;
use proto::temporal::api::schedule::v1::{
    IntervalSpec, Schedule, ScheduleAction, SchedulePatch, SchedulePolicies, ScheduleSpec,
};
use proto::temporal::api::taskqueue::v1::TaskQueue;
use proto::temporal::api::workflow::v1::NewWorkflowExecutionInfo;
use proto::temporal::api::workflowservice::v1::{
    CreateScheduleRequest, DescribeScheduleResponse, PatchScheduleRequest, UpdateScheduleRequest,
};
use uuid::Uuid;

use crate::deployment::Routing;
use crate::ids::Now;
use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::schedule::record::{ChangeKind, Record};
use crate::schedule::{self, Created, Input, State};
use crate::time::Timestamp;
use crate::workflow::input::{ActionClosed, Peer, PeerAnswer, StartScheduled, StopAction};
use crate::workflow::transition::Send;
use crate::{Env, Namespace};

pub(super) const SECOND: i64 = 1_000_000_000;
/// 2026-11-22T12:00:00Z.
pub(super) const NOON: i64 = 1_795_348_800 * SECOND;

/// A workflow that runs.
pub(super) struct Workflow {
    pub(super) run_id: Uuid,
    pub(super) number: u64,
}

pub(super) struct World {
    pub(super) state: State,
    pub(super) time: i64,
    seed: u64,
    namespace: Namespace,
    pub(super) journal: Vec<Bytes>,
    /// Every change, to count.
    pub(super) changes: Vec<ChangeKind>,
    /// Messages on their way.
    pub(super) sent: VecDeque<Send>,
    pub(super) running: BTreeMap<String, Workflow>,
    /// Ids that were used.
    used: BTreeSet<String>,
    /// What each number started.
    pub(super) started: BTreeMap<u64, (String, Uuid)>,
    pub(super) log: Vec<String>,
}

/// Every so many seconds, with this policy.
pub(super) fn every(seconds: i64, policy: Overlap) -> Schedule {
    let interval = IntervalSpec {
        interval: Some(proto::Duration { seconds, nanos: 0 }),
        phase: None,
    };
    let start = NewWorkflowExecutionInfo {
        workflow_id: "w".to_owned(),
        workflow_type: Some(WorkflowType {
            name: "W".to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "q".to_owned(),
            ..TaskQueue::default()
        }),
        ..NewWorkflowExecutionInfo::default()
    };
    Schedule {
        spec: Some(ScheduleSpec {
            interval: vec![interval],
            ..ScheduleSpec::default()
        }),
        action: Some(ScheduleAction {
            action: Some(Action::StartWorkflow(start)),
        }),
        policies: Some(SchedulePolicies {
            overlap_policy: policy as i32,
            ..SchedulePolicies::default()
        }),
        state: None,
    }
}

impl World {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self::with_patch(schedule, None)
    }

    pub(super) fn with_patch(schedule: Schedule, patch: Option<SchedulePatch>) -> Self {
        let namespace = Namespace {
            id: Uuid::from_u128(7),
            name: "n".into(),
            retention: std::time::Duration::from_secs(86_400),
            search_attributes: BTreeMap::new(),
        };
        let limits = Limits::default();
        let routing = Routing::default();
        let env = Env {
            namespace: &namespace,
            limits: &limits,
            routing: &routing,
        };
        let mut now = Now {
            time: Timestamp(NOON),
            seed: 1,
            task_id: 1,
        };
        let request = CreateScheduleRequest {
            schedule_id: "s".to_owned(),
            request_id: "create".to_owned(),
            schedule: Some(schedule),
            initial_patch: patch,
            ..CreateScheduleRequest::default()
        };
        let created = schedule::create(None, request.clone(), &mut now, env).expect("created");
        let Created::New(new) = created else {
            panic!("there is none yet");
        };
        // The same request finds what it made, and another is refused.
        let again = schedule::create(Some(&new.state), request.clone(), &mut now, env);
        assert!(matches!(again, Ok(Created::Already(run_id)) if run_id == new.state.run_id));
        let other = CreateScheduleRequest {
            request_id: "other".to_owned(),
            ..request
        };
        let other = schedule::create(Some(&new.state), other, &mut now, env);
        assert!(matches!(other, Err(Rejection::ScheduleExists { .. })));
        let mut world = Self {
            state: new.state,
            time: NOON,
            seed: 1,
            namespace,
            journal: Vec::new(),
            changes: Vec::new(),
            sent: VecDeque::new(),
            running: BTreeMap::new(),
            used: BTreeSet::new(),
            started: BTreeMap::new(),
            log: Vec::new(),
        };
        world.keep(&new.record, new.sends);
        world
    }

    fn keep(&mut self, record: &Record, sends: Vec<Send>) {
        self.journal.push(record.encode());
        let kinds = record
            .changes
            .iter()
            .filter_map(|change| change.kind.clone());
        self.changes.extend(kinds);
        self.sent.extend(sends);
    }

    /// One input. The state must be what its journal folds to, and what its snapshot says.
    pub(super) fn input(&mut self, input: Input) -> Result<(), Rejection> {
        self.seed += 1;
        let mut now = Now {
            time: Timestamp(self.time),
            seed: self.seed,
            task_id: 1,
        };
        let limits = Limits::default();
        let routing = Routing::default();
        let env = Env {
            namespace: &self.namespace,
            limits: &limits,
            routing: &routing,
        };
        let before = self.state.clone();
        let outcome = schedule::handle(&mut self.state, input, &mut now, env);
        match outcome {
            Ok(transition) => {
                if let Some(record) = transition.record {
                    self.keep(&record, transition.sends);
                }
            }
            Err(rejection) => {
                assert!(before.same_durable(&self.state), "refused, and changed");
                return Err(rejection);
            }
        }
        let (id, run_id) = (self.state.workflow_id.clone(), self.state.run_id);
        // The fold of a long journal is looked at now and then.
        let records = self.journal.len();
        if records < 20 || (records < 2000 && records.is_multiple_of(32)) {
            let folded = schedule::load(id.clone(), run_id, None, self.journal.clone());
            assert!(folded.expect("folds").same_durable(&self.state));
        }
        let bytes = schedule::snapshot(&self.state);
        let copy = schedule::load(id, run_id, Some(bytes), []).expect("a snapshot");
        assert!(copy.same_durable(&self.state));
        assert_eq!(copy.next_deadline(), self.state.next_deadline());
        Ok(())
    }

    /// The server dies, and comes back: what was under way is sent again.
    pub(super) fn crash(&mut self) {
        let (id, run_id) = (self.state.workflow_id.clone(), self.state.run_id);
        self.state = schedule::load(id, run_id, None, self.journal.clone()).expect("folds");
        self.sent = schedule::ready(&self.state).into();
    }

    pub(super) fn patch(&mut self, patch: SchedulePatch) {
        let request = PatchScheduleRequest {
            patch: Some(patch),
            ..PatchScheduleRequest::default()
        };
        self.input(Input::Patch(Box::new(request))).expect("taken");
        self.deliver();
    }

    pub(super) fn update(&mut self, schedule: Schedule, token: Option<i64>) {
        let request = UpdateScheduleRequest {
            schedule: Some(schedule),
            conflict_token: token.map_or(Bytes::new(), |token| {
                Bytes::copy_from_slice(&token.to_be_bytes())
            }),
            ..UpdateScheduleRequest::default()
        };
        self.input(Input::Update(Box::new(request))).expect("taken");
        self.deliver();
    }

    /// Lets time pass, with everything that it brings.
    pub(super) fn pass(&mut self, seconds: i64) {
        let until = self.time + seconds * SECOND;
        let mut rounds = 0;
        while let Some(due) = self.state.next_deadline().filter(|due| due.0 <= until) {
            self.time = self.time.max(due.0);
            self.input(Input::Deadline).expect("taken");
            self.deliver();
            rounds += 1;
            assert!(rounds < 10_000, "a deadline that stays");
        }
        self.time = until;
    }

    /// Time passes while nobody looks.
    pub(super) fn sleep(&mut self, seconds: i64) {
        self.time += seconds * SECOND;
    }

    /// Everything that is on its way arrives.
    pub(super) fn deliver(&mut self) {
        while let Some(sent) = self.sent.pop_front() {
            let seq = sent.seq;
            let answer = self.take(sent);
            self.input(Input::PeerAnswer(seq, answer)).expect("taken");
        }
    }

    /// A message arrives at its workflow.
    pub(super) fn take(&mut self, sent: Send) -> PeerAnswer {
        match sent.message {
            Peer::StartScheduled(action) => self.start(&sent.workflow_id, *action),
            Peer::StopAction(wish) => self.stop(&sent.workflow_id, &wish),
            other => panic!("{other:?}"),
        }
    }

    fn start(&mut self, id: &str, action: StartScheduled) -> PeerAnswer {
        let number = action.watcher.number;
        if let Some((known, run_id)) = self.started.get(&number) {
            assert_eq!(known, id);
            return PeerAnswer::ChildStarted(*run_id);
        }
        let reject = WorkflowIdReusePolicy::RejectDuplicate as i32;
        let taken = self.used.contains(id) && action.request.workflow_id_reuse_policy == reject;
        if taken || self.running.contains_key(id) {
            self.log.push(format!("refused {}", short(id)));
            return PeerAnswer::ChildAlreadyExists;
        }
        let run_id = Uuid::from_u128(u128::from(number) + 1000);
        self.log.push(format!("start {}", short(id)));
        self.used.insert(id.to_owned());
        self.started.insert(number, (id.to_owned(), run_id));
        self.running
            .insert(id.to_owned(), Workflow { run_id, number });
        PeerAnswer::ChildStarted(run_id)
    }

    fn stop(&mut self, id: &str, wish: &StopAction) -> PeerAnswer {
        let running = self.running.get(id);
        if running.is_some_and(|w| w.run_id.to_string() == wish.first_execution_run_id) {
            let how = if wish.terminate {
                "terminate"
            } else {
                "cancel"
            };
            self.log.push(format!("{how} {}", short(id)));
        }
        PeerAnswer::Taken
    }

    /// A workflow ends. What it says can arrive again.
    pub(super) fn end(&mut self, id: &str, status: Status) -> ActionClosed {
        let workflow = self.running.remove(id).expect(id);
        self.log.push(format!("end {}", short(id)));
        let failed = status == Status::Failed;
        let failure = proto::temporal::api::failure::v1::Failure {
            message: "boom".to_owned(),
            ..Default::default()
        };
        ActionClosed {
            number: workflow.number,
            first_execution_run_id: workflow.run_id.to_string(),
            status: status as i32,
            result: (status == Status::Completed).then(Default::default),
            failure: failed.then_some(failure),
        }
    }

    /// The oldest workflow ends, and the schedule hears of it.
    pub(super) fn finish(&mut self, status: Status) {
        let oldest = self.running.iter().min_by_key(|(_, w)| w.number);
        let id = oldest.expect("one runs").0.clone();
        let closed = self.end(&id, status);
        self.input(Input::ActionClosed(Box::new(closed)))
            .expect("taken");
        self.deliver();
    }

    pub(super) fn describe(&self) -> DescribeScheduleResponse {
        schedule::describe(&self.state, Timestamp(self.time)).expect("it lives")
    }

    /// Actions, skipped, dropped, missed, waiting.
    pub(super) fn counts(&self) -> (i64, i64, i64, i64, i64) {
        let info = self.describe().info.expect("info");
        (
            info.action_count,
            info.overlap_skipped,
            info.buffer_dropped,
            info.missed_catchup_window,
            info.buffer_size,
        )
    }

    /// What happened since the last look.
    pub(super) fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}

/// The time of day at the end of a workflow's id.
fn short(id: &str) -> &str {
    id.rsplit('T').next().unwrap_or(id).trim_end_matches('Z')
}
