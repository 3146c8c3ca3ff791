//! A world of a few runs: what a server would do around the machine, without waiting for anything. Each
//! step is checked (`check.rs`, `audit.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::history::v1::History;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::workflowservice::v1::ResetWorkflowExecutionRequest;
use uuid::Uuid;

use super::audit::Audit;
use super::check;
use crate::deployment::{Deployment, Routing};
use crate::ids::{EventId, Now};
use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::search_attributes::SearchAttributeType;
use crate::time::Timestamp;
use crate::workflow::input::{Input, Peer, PeerAnswer, ResetMark};
use crate::workflow::record::Record;
use crate::workflow::step::Step;
use crate::workflow::transition::{
    ActivityTaskOffer, Effect, NewRun, Reply, Send, Transition, WorkflowTask, WorkflowTaskOffer,
};
use crate::workflow::update::UpdateNews;
use crate::workflow::{
    self, StartInput, StartReply, State, peer_answer_for_missing, ready, snapshot, start,
};
use crate::{Env, Namespace};

/// Everything there is.
pub(super) struct World {
    pub(super) now: Timestamp,
    seed: u64,
    task_id: i64,
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
    /// What the namespace's deployments say.
    pub(super) routing: Routing,
    /// These, by name.
    pub(super) deployments: BTreeMap<String, Deployment>,
    /// In the order in which they were opened.
    pub(super) runs: Vec<Run>,
    /// Under way between runs.
    pub(super) mail: VecDeque<Mail>,
    /// What has happened and was not looked at yet.
    pub(super) happened: Vec<Happened>,
}

/// A run, as a shard and a store know it.
pub(super) struct Run {
    /// `order-1` for the first run of its workflow id, then `order-1/2`.
    pub(super) label: String,
    pub(super) state: State,
    pub(super) journal: Vec<Bytes>,
    /// The fold of the journal, record by record.
    folded: Option<State>,
    /// A snapshot, and how many records it stands for.
    snapshot: Option<(usize, Bytes)>,
    pub(super) audit: Audit,
    /// The last offer of a workflow task, and of each activity's attempt.
    pub(super) workflow_offer: Option<WorkflowTaskOffer>,
    pub(super) activity_offers: BTreeMap<EventId, ActivityTaskOffer>,
    /// The last workflow task that a worker got.
    pub(super) task: Option<WorkflowTask>,
    /// The last token that a worker got for each activity id.
    pub(super) activity_tokens: BTreeMap<String, Bytes>,
    /// The deadline as it was last shown.
    pub(super) shown_deadline: Option<Timestamp>,
}

/// Something under way between runs.
#[derive(Clone, Debug)]
pub(super) enum Mail {
    Message {
        from: usize,
        send: Box<Send>,
    },
    Answer {
        to: usize,
        seq: u64,
        answer: PeerAnswer,
    },
}

/// What one step did to one run.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) run: usize,
    pub(super) record: Option<Record>,
    pub(super) effects: Vec<Effect>,
    pub(super) updates: Vec<UpdateNews>,
}

/// Why a step broke an invariant.
pub(super) type Broken = String;

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let namespace = Namespace {
            id: Uuid::from_u128(0x5f),
            name: "default".into(),
            retention: std::time::Duration::from_secs(24 * 3600),
            search_attributes: [
                ("CustomKeyword".to_owned(), SearchAttributeType::Keyword),
                ("CustomInt".to_owned(), SearchAttributeType::Int),
            ]
            .into(),
        };
        Self {
            // 2024-01-01T00:00:00Z: a full minute, for crons.
            now: Timestamp(1_704_067_200_000_000_000),
            seed,
            task_id: 1000,
            namespace,
            limits: Limits::default(),
            routing: Routing::default(),
            deployments: BTreeMap::new(),
            runs: Vec::new(),
            mail: VecDeque::new(),
            happened: Vec::new(),
        }
    }

    /// A random number: the steps' own draws must not overlap.
    fn draw(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(1);
        let mut z = self.seed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn moment(&mut self) -> Now {
        Now {
            time: self.now,
            seed: self.draw(),
            task_id: self.task_id,
        }
    }

    /// The current run of a workflow id.
    pub(super) fn current(&self, workflow_id: &str) -> Option<usize> {
        self.runs
            .iter()
            .rposition(|run| *run.state.workflow_id == *workflow_id)
    }

    fn by_run_id(&self, run_id: Uuid) -> Option<usize> {
        self.runs.iter().position(|run| run.state.run_id == run_id)
    }

    /// One input to one run.
    pub(super) fn step(
        &mut self,
        run: usize,
        input: Input,
    ) -> Result<Result<Reply, Rejection>, Broken> {
        let mut now = self.moment();
        let env = Env {
            namespace: &self.namespace,
            limits: &self.limits,
            routing: &self.routing,
        };
        let before = self.runs[run].state.clone();
        let row_before = check::listed(&before, &self.namespace);
        let outcome = workflow::handle(&mut self.runs[run].state, input, &mut now, env);
        self.task_id = now.task_id;
        match outcome {
            Ok(transition) => {
                let row = check::listed(&self.runs[run].state, &self.namespace);
                if row != row_before && !transition.row_changed {
                    return Err(format!("the row changed: {row_before} to {row}"));
                }
                self.committed(run, transition)
            }
            Err(rejection) => {
                check::unchanged(&before, &self.runs[run].state)
                    .map_err(|e| format!("{rejection} changed something: {e}"))?;
                Ok(Err(rejection))
            }
        }
    }

    /// Writes an event as a reset does that carries it over, and schedules the workflow task that follows.
    pub(super) fn reapply(&mut self, run: usize, attributes: Attributes) -> Result<(), Broken> {
        let mut now = self.moment();
        let env = Env {
            namespace: &self.namespace,
            limits: &self.limits,
            routing: &self.routing,
        };
        let mut step = Step::begin(&mut self.runs[run].state, &mut now, env);
        step.write(attributes);
        step.ensure_workflow_task();
        let transition = step.finish(Ok(Reply::Done));
        self.task_id = now.task_id;
        self.committed(run, transition).map(drop)
    }

    /// A start, a signal with start, or the start of a child.
    pub(super) fn start(
        &mut self,
        workflow_id: &str,
        input: StartInput,
    ) -> Result<Result<StartReply, Rejection>, Broken> {
        let mut now = self.moment();
        let env = Env {
            namespace: &self.namespace,
            limits: &self.limits,
            routing: &self.routing,
        };
        let current = self.current(workflow_id);
        let before = current.map(|run| self.runs[run].state.clone());
        let state = current.map(|run| &mut self.runs[run].state);
        let outcome = start(state, input, &mut now, env);
        self.task_id = now.task_id;
        match outcome {
            Ok(outcome) => {
                if let (Some(run), Some(transition)) = (current, outcome.current) {
                    let _ = self.committed(run, transition)?;
                }
                if let Some(new_run) = outcome.new_run {
                    self.opened(*new_run)?;
                }
                Ok(Ok(outcome.reply))
            }
            Err(rejection) => {
                if let (Some(run), Some(before)) = (current, before) {
                    check::unchanged(&before, &self.runs[run].state)
                        .map_err(|e| format!("{rejection} changed something: {e}"))?;
                }
                Ok(Err(rejection))
            }
        }
    }

    fn committed(
        &mut self,
        run: usize,
        transition: Transition,
    ) -> Result<Result<Reply, Rejection>, Broken> {
        if let Some(record) = &transition.record {
            self.runs[run].append(record)?;
        }
        let updates = transition.updates;
        self.carry_out(run, transition.record, transition.effects, updates);
        if let Some(new_run) = transition.successor {
            self.opened(*new_run)?;
        }
        self.note_reply(run, &transition.reply);
        self.runs[run].check(self.now)?;
        check::one_open_run(&self.runs)?;
        Ok(transition.reply)
    }

    fn opened(&mut self, new_run: NewRun) -> Result<(), Broken> {
        let id = &new_run.state.workflow_id;
        let earlier = self.runs.iter().filter(|r| r.state.workflow_id == *id);
        let label = match earlier.count() {
            0 => id.to_string(),
            count => format!("{id}/{}", count + 1),
        };
        let mut run = Run::new(label, new_run.state);
        run.audit.copying = true;
        for record in &new_run.copied {
            run.append(record)?;
        }
        run.audit.copying = false;
        run.append(&new_run.record)?;
        self.runs.push(run);
        let index = self.runs.len() - 1;
        self.carry_out(index, Some(new_run.record), new_run.effects, Vec::new());
        self.runs[index].check(self.now)?;
        check::one_open_run(&self.runs)
    }

    /// A reset, as a shard carries it out.
    pub(super) fn reset(
        &mut self,
        base: usize,
        request: ResetWorkflowExecutionRequest,
    ) -> Result<Result<Uuid, Rejection>, Broken> {
        let mut now = self.moment();
        let workflow_id = self.runs[base].state.workflow_id.clone();
        let current = self.current(&workflow_id).ok_or("no current run")?;
        let mut chain = vec![base];
        while let Some(next) = self.continued(chain[chain.len() - 1]) {
            chain.push(next);
        }
        let open = self.runs[current].state.is_open();
        let waiting = if open && chain.last() == Some(&current) {
            self.runs[current].state.core.buffered.to_vec()
        } else {
            Vec::new()
        };
        let reason = request.reason.clone();
        let histories = chain[1..].iter().map(|run| {
            let events = self.runs[*run].audit.history.clone();
            History { events }.encode_to_vec().into()
        });
        let journal = self.runs[base].journal.iter();
        let input = workflow::ResetInput {
            successors: histories.collect(),
            base: journal
                .map(|bytes| Record::decode(bytes.clone()).map_err(|error| error.to_string()))
                .collect::<Result<_, _>>()?,
            waiting,
            request: Box::new(request),
        };
        let env = Env {
            namespace: &self.namespace,
            limits: &self.limits,
            routing: &self.routing,
        };
        let new_run = workflow::reset(&self.runs[base].state, input, &mut now, env);
        self.task_id = now.task_id;
        let new_run = match new_run {
            Ok(new_run) => new_run,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let run_id = new_run.state.run_id;
        let chain = new_run.state.first_execution_run_id().to_owned();
        if open && current != base {
            let mark = ResetMark {
                reset_to: None,
                terminate: Some(reason.clone()),
                chain: chain.clone(),
            };
            let _ = self.step(current, Input::Reset(mark))?;
        }
        let mark = ResetMark {
            reset_to: Some(run_id),
            terminate: (open && current == base).then_some(reason),
            chain,
        };
        let _ = self.step(base, Input::Reset(mark))?;
        self.opened(new_run)?;
        Ok(Ok(run_id))
    }

    fn continued(&self, run: usize) -> Option<usize> {
        let state = &self.runs[run].state;
        let continued = state.core.status == WorkflowExecutionStatus::ContinuedAsNew;
        let next = state.successor_run_id().filter(|_| continued)?;
        self.by_run_id(Uuid::parse_str(next).ok()?)
    }

    /// Remembers what a worker got.
    fn note_reply(&mut self, run: usize, reply: &Result<Reply, Rejection>) {
        let run = &mut self.runs[run];
        match reply {
            Ok(Reply::WorkflowTask(task)) => run.task = Some((**task).clone()),
            Ok(Reply::WorkflowTaskCompleted(reply)) => {
                run.task = reply.workflow_task.clone().or(run.task.take());
                for task in &reply.activity_tasks {
                    run.activity_tokens
                        .insert(task.activity_id.clone(), task.task_token.clone());
                }
            }
            Ok(Reply::ActivityTask(task)) => {
                run.activity_tokens
                    .insert(task.activity_id.clone(), task.task_token.clone());
            }
            _ => {}
        }
    }

    fn carry_out(
        &mut self,
        run: usize,
        record: Option<Record>,
        effects: Vec<Effect>,
        updates: Vec<UpdateNews>,
    ) {
        for effect in &effects {
            match effect {
                Effect::OfferWorkflowTask(offer) => {
                    self.runs[run].workflow_offer = Some(offer.clone());
                }
                Effect::OfferActivityTask(offer) => {
                    self.runs[run]
                        .activity_offers
                        .insert(offer.scheduled_event_id, offer.clone());
                }
                Effect::Withdraw(id) => {
                    let run = &mut self.runs[run];
                    run.workflow_offer
                        .take_if(|offer| offer.scheduled_event_id == *id);
                    run.activity_offers.remove(id);
                }
                Effect::WithdrawAll => {
                    self.runs[run].workflow_offer = None;
                    self.runs[run].activity_offers.clear();
                }
                Effect::Send(send) => self.mail.push_back(Mail::Message {
                    from: run,
                    send: Box::new(send.clone()),
                }),
                // A story says itself what is answered.
                Effect::NexusCall(_) | Effect::CallbackCall(_) => {}
            }
        }
        self.happened.push(Happened {
            run,
            record,
            effects,
            updates,
        });
    }

    /// Brings something to where it goes. A message's answer is under way then.
    pub(super) fn deliver(&mut self, mail: Mail) -> Result<Delivered, Broken> {
        match mail {
            Mail::Message { from, send } => {
                let seq = send.seq;
                let answer = self.receive(*send)?;
                self.mail.push_back(Mail::Answer {
                    to: from,
                    seq,
                    answer,
                });
                Ok(Delivered::Message(answer))
            }
            Mail::Answer { to, seq, answer } => {
                // Refused when it takes the run over its limits; the next delivery finds it closed.
                let _ = self.step(to, Input::PeerAnswer(seq, answer))?;
                Ok(Delivered::Answer)
            }
        }
    }

    fn receive(&mut self, send: Send) -> Result<PeerAnswer, Broken> {
        if let Peer::StartChild(child) = send.message {
            let started = self.start(&send.workflow_id, StartInput::Child(child))?;
            return Ok(match started {
                Ok(reply) => PeerAnswer::ChildStarted(reply.run_id),
                Err(Rejection::AlreadyStarted { .. }) => PeerAnswer::ChildAlreadyExists,
                Err(Rejection::InvalidArgument(_) | Rejection::FailedPrecondition(_)) => {
                    PeerAnswer::OverrideRefused
                }
                Err(rejection) => return Err(format!("a child's start was refused: {rejection}")),
            });
        }
        let to = match send.run_id {
            Some(run_id) => self
                .by_run_id(run_id)
                .filter(|run| *self.runs[*run].state.workflow_id == *send.workflow_id),
            None => self.current(&send.workflow_id),
        };
        let Some(mut to) = to else {
            return Ok(peer_answer_for_missing(&send.message));
        };
        while let Some(run_id) = self.runs[to].state.forwards(&send.message) {
            to = self.by_run_id(run_id).ok_or("forwarded to no run")?;
        }
        match self.step(to, Input::Peer(send.message))? {
            Ok(Reply::PeerAnswer(answer)) => Ok(answer),
            other => Err(format!("a message was answered with {other:?}")),
        }
    }

    /// The next deadline of all runs.
    pub(super) fn next_deadline(&self) -> Option<(Timestamp, usize)> {
        let due = |(index, run): (usize, &Run)| Some((run.state.next_deadline()?, index));
        self.runs.iter().enumerate().filter_map(due).min()
    }

    /// The server stops without notice and starts again, perhaps with a clock that is behind: what is only
    /// in memory is gone.
    pub(super) fn crash(&mut self, back: std::time::Duration) -> Result<(), Broken> {
        let back = i64::try_from(back.as_nanos()).map_err(|error| error.to_string())?;
        self.now = Timestamp(self.now.0 - back);
        self.mail.clear();
        for index in 0..self.runs.len() {
            let run = &mut self.runs[index];
            run.state = run.load()?;
            run.workflow_offer = None;
            run.activity_offers.clear();
            let effects = ready(&mut run.state, self.now);
            self.carry_out(index, None, effects, Vec::new());
            self.runs[index].check(self.now)?;
        }
        Ok(())
    }

    /// Every message that is not answered is sent once more.
    pub(super) fn resend(&mut self) {
        for index in 0..self.runs.len() {
            let mut state = self.runs[index].state.clone();
            for effect in ready(&mut state, self.now) {
                if let Effect::Send(send) = effect {
                    self.mail.push_back(Mail::Message {
                        from: index,
                        send: Box::new(send),
                    });
                }
            }
        }
    }
}

/// What became of a delivery.
#[derive(Debug)]
pub(super) enum Delivered {
    Message(PeerAnswer),
    Answer,
}

impl Run {
    fn new(label: String, state: State) -> Self {
        Self {
            label,
            state,
            journal: Vec::new(),
            folded: None,
            snapshot: None,
            audit: Audit::default(),
            workflow_offer: None,
            activity_offers: BTreeMap::new(),
            task: None,
            activity_tokens: BTreeMap::new(),
            shown_deadline: None,
        }
    }

    fn append(&mut self, record: &Record) -> Result<(), Broken> {
        self.journal.push(record.encode_to_vec().into());
        match &mut self.folded {
            Some(state) => state
                .apply_record(record, false)
                .map_err(|error| error.to_string())?,
            None => self.folded = Some(self.load()?),
        }
        self.audit.record(record)
    }

    /// The state from the journal alone.
    fn load(&self) -> Result<State, Broken> {
        self.load_from(None)
    }

    fn load_from(&self, snapshot: Option<&(usize, Bytes)>) -> Result<State, Broken> {
        let (skip, bytes) = snapshot.map_or((0, None), |(seq, b)| (*seq, Some(b.clone())));
        workflow::load(
            Arc::clone(&self.state.workflow_id),
            self.state.run_id,
            bytes,
            self.journal.iter().skip(skip).cloned(),
        )
        .map_err(|error| error.to_string())
    }

    /// The invariants of one run.
    fn check(&mut self, now: Timestamp) -> Result<(), Broken> {
        let state = &self.state;
        if state.core.seq != self.journal.len() as u64 {
            return Err(format!(
                "seq {} of {} records",
                state.core.seq,
                self.journal.len()
            ));
        }
        let folded = self.folded.clone().ok_or("no record")?;
        check::same(&folded, state).map_err(|e| format!("the fold differs: {e}"))?;
        let bytes = snapshot(state).ok_or("no snapshot")?;
        let taken = (self.journal.len(), bytes);
        let decoded = self.load_from(Some(&taken))?;
        check::same(&decoded, state).map_err(|e| format!("the snapshot differs: {e}"))?;
        // From the beginning and from an old snapshot: now and then, for each reads all records since.
        if self.journal.len().is_multiple_of(8) {
            let loaded = self.load()?;
            check::same(&loaded, state).map_err(|e| format!("from the journal: {e}"))?;
            if self.snapshot.is_some() {
                let loaded = self.load_from(self.snapshot.as_ref())?;
                check::same(&loaded, state).map_err(|e| format!("from a snapshot: {e}"))?;
            }
            self.snapshot = Some(taken);
        }
        self.audit.agrees_with(state)?;
        check::nothing_is_forgotten(self, folded, now)
    }
}
