//! The clients: they start workflows, signal them, and wait for their end.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proto::temporal::api::common::v1::Payloads;
use proto::temporal::api::enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
use proto::temporal::api::history::v1::HistoryEvent;
use proto::temporal::api::history::v1::history_event::Attributes as A;
use proto::temporal::api::workflowservice::v1::{
    DeleteWorkflowExecutionRequest, SignalWithStartWorkflowExecutionRequest,
    StartWorkflowExecutionRequest, TerminateWorkflowExecutionRequest,
};
use tonic::{Code, Status};

use super::decide::{WORKFLOW_TASK_MILLIS, retry};
use super::ledger::{Fate, Signal, Workflow};
use super::plan::Plan;
use super::progress::NUMBER;
use super::world::World;
use crate::client::is_answer;
use crate::random::Random;
use crate::{api, payload};

/// A signal that no plan waits for.
const STRAY: &str = "stray";

/// Signals that a hub takes: enough for a snapshot of its state.
const HUB_SIGNALS: u64 = 400;
/// Who sends them at the same time.
const HUB_SENDERS: u64 = 4;

/// What a client asks of a workflow beside what the plan says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whim {
    None,
    Terminate,
    DeleteOpen,
    DeleteClosed,
}

impl Whim {
    fn draw(plan: &Plan, random: &mut Random) -> Self {
        match random.below(100) {
            0..6 => Self::Terminate,
            // A deletion takes the current run alone, and nobody knows which of several that is.
            6..10 if plan.has_one_run() => Self::DeleteOpen,
            10..13 if plan.has_one_run() => Self::DeleteClosed,
            _ => Self::None,
        }
    }
}

/// Keeps one workflow after the other going, until the world stops.
pub(super) async fn run(world: Arc<World>, name: String) {
    let mut number = 0;
    while !*world.stopping.borrow() {
        let id = format!("{name}-{number}");
        number += 1;
        let mut random = Random::named(world.seed, &id);
        let plan = Plan::draw(&id, &mut random);
        let caller = Caller::enter(&world, &plan);
        if caller.start(&mut random).await {
            let whim = Whim::draw(&plan, &mut random);
            let cut_short = matches!(whim, Whim::Terminate | Whim::DeleteOpen);
            caller.signal_some(&mut random, cut_short).await;
            match whim {
                Whim::Terminate => caller.terminate().await,
                Whim::DeleteOpen => caller.delete().await,
                Whim::DeleteClosed | Whim::None => {}
            }
            caller.await_end().await;
            if whim == Whim::DeleteClosed {
                caller.delete().await;
            }
        }
        caller.leave();
    }
}

/// Keeps one workflow after the other going that takes many signals: its history is long, events come while
/// its tasks are out, its state is worth a snapshot.
pub(super) async fn run_hubs(world: Arc<World>, name: String) {
    let mut number = 0;
    while !*world.stopping.borrow() {
        let id = format!("{name}-{number}");
        number += 1;
        let plan = Plan::hub(&id);
        let caller = Caller::enter(&world, &plan);
        if caller.start_surely().await {
            let senders = (0..HUB_SENDERS).map(|sender| {
                let random = Random::named(world.seed, &format!("{id}/{sender}"));
                caller.send_to_hub(sender, random)
            });
            futures_util::future::join_all(senders).await;
            caller.signal(0).await;
            caller.await_end().await;
        }
        caller.leave();
    }
}

struct Caller<'a> {
    world: &'a World,
    plan: &'a Plan,
}

impl<'a> Caller<'a> {
    /// Takes on a workflow.
    fn enter(world: &'a World, plan: &'a Plan) -> Self {
        let workflow = Workflow {
            plan: plan.clone(),
            run_id: None,
            signals: BTreeMap::new(),
            fate: Fate::Planned,
            seen_closed: false,
        };
        world
            .ledger
            .facts()
            .workflows
            .insert(plan.id.clone(), workflow);
        Self { world, plan }
    }

    /// Is done with it.
    fn leave(self) {
        if let Some(known) = self.world.ledger.facts().workflows.get_mut(&self.plan.id) {
            known.seen_closed = true;
        }
    }

    fn set_fate(&self, fate: Fate) {
        if let Some(known) = self.world.ledger.facts().workflows.get_mut(&self.plan.id) {
            known.fate = fate;
        }
    }

    fn fate(&self) -> Fate {
        self.world.ledger.facts().fate(&self.plan.id)
    }

    /// Starts the workflow in one of several ways; answers whether it may exist.
    async fn start(&self, random: &mut Random) -> bool {
        match random.below(100) {
            0..10 => self.start_carelessly().await,
            10..20 if self.plan.has_one_run() => self.signal_with_start().await,
            20..28 => self.start_rivals().await,
            _ => self.start_surely().await,
        }
    }

    fn request(&self) -> StartWorkflowExecutionRequest {
        StartWorkflowExecutionRequest {
            workflow_task_timeout: api::millis_of(WORKFLOW_TASK_MILLIS),
            retry_policy: self.plan.fails_first.then(|| retry(3)).flatten(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate.into(),
            ..api::start(
                &self.world.queue,
                &self.plan.id,
                Some(payload::of_json(self.plan)),
            )
        }
    }

    fn finding(&self, text: &str) {
        self.world
            .ledger
            .finding(format!("{}: {text}", self.plan.id));
    }

    fn started(&self, run_id: String) {
        self.world.ledger.acknowledged("starts");
        let mut facts = self.world.ledger.facts();
        let problem = facts.workflows.get_mut(&self.plan.id).and_then(|workflow| {
            let before = workflow.run_id.replace(run_id.clone());
            before.filter(|before| *before != run_id)
        });
        if let Some(before) = problem {
            let id = &self.plan.id;
            facts.finding(format!("{id}: one start was run {before} and run {run_id}"));
        }
    }

    /// The same request until it is answered.
    async fn start_surely(&self) -> bool {
        let request = self.request();
        let (answer, repeated) = self
            .world
            .insist(|client| {
                let request = request.clone();
                async move { client.start(request).await }
            })
            .await;
        self.started_or_exists(answer.map(|answer| answer.run_id), repeated)
    }

    /// A repeated request is recognised while the run that it started is the current one.
    fn started_or_exists(&self, answer: Result<String, Status>, repeated: bool) -> bool {
        match answer {
            Ok(run_id) => self.started(run_id),
            Err(status) if status.code() == Code::AlreadyExists => {
                if !repeated || self.plan.has_one_run() {
                    self.finding(&format!("its own start stood in its way: {status}"));
                }
            }
            Err(status) => {
                self.finding(&format!("start: {status}"));
                return false;
            }
        }
        true
    }

    /// One request, whatever becomes of it.
    async fn start_carelessly(&self) -> bool {
        let request = self.request();
        let answer = self
            .world
            .once(|client| async move { client.start(request).await })
            .await;
        match answer {
            Ok(answer) => self.started(answer.run_id),
            Err(status) if !is_answer(&status) => self.world.ledger.count("starts unsure"),
            Err(status) => self.finding(&format!("start: {status}")),
        }
        true
    }

    /// Two requests at once, each of its own: one of them wins.
    async fn start_rivals(&self) -> bool {
        let rival = || {
            let request = self.request();
            async move {
                self.world
                    .insist(|client| {
                        let request = request.clone();
                        async move { client.start(request).await }
                    })
                    .await
            }
        };
        let ((first, first_again), (second, second_again)) = tokio::join!(rival(), rival());
        let won = [&first, &second]
            .iter()
            .filter(|answer| answer.is_ok())
            .count();
        if won > 1 {
            self.finding("two rival starts were both acknowledged");
        }
        if won == 0 && !first_again && !second_again {
            self.finding("no one of two rival starts was acknowledged");
        }
        for answer in [first, second] {
            match answer {
                Ok(answer) => self.started(answer.run_id),
                Err(status) if status.code() == Code::AlreadyExists => {}
                Err(status) => self.finding(&format!("rival start: {status}")),
            }
        }
        true
    }

    async fn signal_with_start(&self) -> bool {
        let start = self.request();
        let request = SignalWithStartWorkflowExecutionRequest {
            namespace: start.namespace,
            workflow_id: start.workflow_id,
            workflow_type: start.workflow_type,
            task_queue: start.task_queue,
            input: start.input,
            workflow_task_timeout: start.workflow_task_timeout,
            identity: start.identity,
            request_id: start.request_id.clone(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            workflow_id_reuse_policy: start.workflow_id_reuse_policy,
            signal_name: STRAY.to_owned(),
            ..Default::default()
        };
        self.sent(&start.request_id, false);
        let (answer, repeated) = self
            .world
            .insist(|client| {
                let request = request.clone();
                async move { client.signal_with_start(request).await }
            })
            .await;
        if answer.is_ok() {
            self.sent(&start.request_id, true);
        }
        match answer {
            // The first try was taken, and the workflow is over already.
            Err(status) if status.code() == Code::AlreadyExists && repeated => true,
            answer => self.started_or_exists(answer.map(|answer| answer.run_id), false),
        }
    }

    fn sent(&self, request_id: &str, acknowledged: bool) {
        let mut facts = self.world.ledger.facts();
        if let Some(workflow) = facts.workflows.get_mut(&self.plan.id) {
            workflow
                .signals
                .insert(request_id.to_owned(), Signal { acknowledged });
        }
    }

    /// Sends what the plan waits for; of a workflow that will be cut short perhaps only some.
    async fn signal_some(&self, random: &mut Random, cut_short: bool) {
        for number in self.plan.signals() {
            if cut_short && random.percent(50) {
                return;
            }
            self.signal(number).await;
            if random.percent(20) {
                self.signal_carelessly(STRAY, None).await;
            }
        }
    }

    async fn send_to_hub(&self, sender: u64, mut random: Random) {
        for turn in 0..HUB_SIGNALS / HUB_SENDERS {
            if *self.world.stopping.borrow() {
                return;
            }
            let number = 1_000 + turn * HUB_SENDERS + sender;
            if random.percent(30) {
                self.signal_carelessly(NUMBER, Some(payload::of_json(&number)))
                    .await;
            } else {
                self.signal(number).await;
            }
        }
    }

    /// The same signal until it is answered.
    async fn signal(&self, number: u64) {
        let request = api::signal(&self.plan.id, NUMBER, Some(payload::of_json(&number)));
        self.sent(&request.request_id, false);
        let (answer, _) = self
            .world
            .insist(|client| {
                let request = request.clone();
                async move { client.signal(request).await }
            })
            .await;
        self.signaled(&request.request_id, answer.map(drop));
    }

    /// One signal, whatever becomes of it.
    async fn signal_carelessly(&self, name: &str, input: Option<Payloads>) {
        let request = api::signal(&self.plan.id, name, input);
        self.sent(&request.request_id, false);
        let request_id = request.request_id.clone();
        let answer = self
            .world
            .once(|client| async move { client.signal(request).await })
            .await;
        self.signaled(&request_id, answer.map(drop));
    }

    async fn terminate(&self) {
        let request = TerminateWorkflowExecutionRequest {
            namespace: api::NAMESPACE.to_owned(),
            workflow_execution: api::execution(&self.plan.id, ""),
            reason: String::from("doubt"),
            ..Default::default()
        };
        self.set_fate(Fate::Unsure);
        let (answer, repeated) = self
            .world
            .insist(|client| {
                let request = request.clone();
                async move { client.terminate_workflow(request).await }
            })
            .await;
        match answer {
            Ok(_) => {
                self.world.ledger.acknowledged("terminations");
                self.set_fate(Fate::Terminated);
            }
            Err(status) if status.code() != Code::NotFound => {
                self.finding(&format!("termination: {status}"));
            }
            Err(_) if !repeated => self.set_fate(Fate::Planned),
            Err(_) => {}
        }
    }

    async fn delete(&self) {
        let request = DeleteWorkflowExecutionRequest {
            namespace: api::NAMESPACE.to_owned(),
            workflow_execution: api::execution(&self.plan.id, ""),
        };
        self.set_fate(Fate::Unsure);
        let (answer, _) = self
            .world
            .insist(|client| {
                let request = request.clone();
                async move { client.delete_workflow(request).await }
            })
            .await;
        match answer {
            Ok(_) => {
                self.world.ledger.acknowledged("deletions");
                self.set_fate(Fate::Deleted);
            }
            // An earlier try was taken, or a careless start came to nothing.
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => self.finding(&format!("deletion: {status}")),
        }
    }

    fn signaled(&self, request_id: &str, answer: Result<(), Status>) {
        match answer {
            Ok(()) => {
                self.world.ledger.acknowledged("signals");
                self.sent(request_id, true);
            }
            // A careless start may have come to nothing; a repeated or stray signal may come too late, be it
            // after the close or while a worker's decision to close makes way for what is buffered.
            Err(status)
                if !is_answer(&status)
                    || matches!(status.code(), Code::NotFound | Code::ResourceExhausted) => {}
            Err(status) => self.finding(&format!("signal: {status}")),
        }
    }

    /// Waits until the last run of the chain ends, and compares its result.
    async fn await_end(&self) {
        let mut run_id = String::new();
        let mut token = Bytes::new();
        loop {
            let (id, run) = (self.plan.id.as_str(), run_id.as_str());
            let mut next = token.clone();
            let read = self
                .world
                .once(|client| {
                    let next = &mut next;
                    async move { client.await_close(id, run, next).await }
                })
                .await;
            let event = match read {
                Ok(event) => event,
                // Nobody knows; the token stays good.
                Err(status) if !is_answer(&status) => continue,
                Err(status) if status.code() == Code::NotFound => return self.absent(&status),
                Err(status) => return self.finding(&format!("waiting for its end: {status}")),
            };
            token = next;
            let Some(event) = event else { continue };
            match successor(&event) {
                Some(successor) => {
                    run_id = successor;
                    token.clear();
                }
                None => return self.ended(&event),
            }
        }
    }

    fn absent(&self, status: &Status) {
        if matches!(self.fate(), Fate::Deleted | Fate::Unsure) {
            return;
        }
        let facts = self.world.ledger.facts();
        let known = facts
            .workflows
            .get(&self.plan.id)
            .and_then(|known| known.run_id.clone());
        drop(facts);
        if let Some(run_id) = known {
            self.finding(&format!(
                "run {run_id} was acknowledged and is gone: {status}"
            ));
        }
    }

    fn ended(&self, event: &HistoryEvent) {
        self.world.ledger.count("workflows ended");
        let result = match &event.attributes {
            Some(A::WorkflowExecutionTerminatedEventAttributes(_))
                if self.fate() != Fate::Planned =>
            {
                return;
            }
            Some(A::WorkflowExecutionCompletedEventAttributes(a)) => {
                payload::to_json::<String>(a.result.as_ref())
            }
            other => return self.finding(&format!("it ended otherwise: {other:?}")),
        };
        let expected = self.plan.result();
        if result.as_deref() != Some(expected.as_str()) {
            self.finding(&format!("its result is {result:?}, not {expected}"));
        }
    }
}

/// The run that follows the one which this event closes.
pub(super) fn successor(event: &HistoryEvent) -> Option<String> {
    let id = match event.attributes.as_ref()? {
        A::WorkflowExecutionCompletedEventAttributes(a) => &a.new_execution_run_id,
        A::WorkflowExecutionFailedEventAttributes(a) => &a.new_execution_run_id,
        A::WorkflowExecutionTimedOutEventAttributes(a) => &a.new_execution_run_id,
        A::WorkflowExecutionContinuedAsNewEventAttributes(a) => &a.new_execution_run_id,
        _ => return None,
    };
    (!id.is_empty()).then(|| id.clone())
}
