//! Resetting a run: its journal is read outside of the shard, and the new run is opened inside, in one commit with
//! the end of the current one.
//!
//! What was read may be behind by the time it arrives: the events that came since are taken from the tail beside
//! the state, and where that does not reach, everything is read again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine::execution::{Input, Kind, NewRun};
use engine::ids::EventId;
use engine::rejection::Rejection;
use engine::workflow::input::ResetMark;
use engine::workflow::state::State;
use engine::workflow::{Input as WorkflowInput, Record, ResetInput};
use engine::{Env, Namespace};
use prost::Message as _;
use proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use proto::temporal::api::workflowservice::v1::ResetWorkflowExecutionRequest;
use store::{ExecutionKey, RecordRange, Store};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::CallError;
use super::cell::{Cell, CommitId};
use super::handle::{Shards, receive, target};
use super::look::Look;
use super::message::{AnswerTo, Body, Target};
use super::release::Release;
use super::writer::Shard;

/// A run that moves on faster than it can be read is given up after so many readings.
const READINGS_MAX: usize = 16;

/// A reset on its way to the shard.
pub(super) struct ResetCall {
    request: Box<ResetWorkflowExecutionRequest>,
    base: RunHistory,
    /// The runs that continued it as new.
    successors: Vec<RunHistory>,
    pub(super) answer: AnswerTo<Option<Uuid>>,
}

/// A journal as it was when somebody looked.
struct RunHistory {
    key: ExecutionKey,
    seq: u64,
    next_event_id: EventId,
    /// The run that continues it as new.
    continued: Option<Uuid>,
    records: Vec<Record>,
}

impl Shards {
    /// Opens a run that begins with another one's events, and ends the current one. Gives the new run.
    ///
    /// # Errors
    /// As for a step of the run that is reset; what the engine refuses; [`CallError::Unavailable`].
    pub async fn reset(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: impl Into<Arc<str>>,
        run_id: Option<Uuid>,
        request: ResetWorkflowExecutionRequest,
    ) -> Result<Uuid, CallError> {
        let workflow_id = workflow_id.into();
        let request = Box::new(request);
        for _ in 0..READINGS_MAX {
            let base = self.run_history(namespace, &workflow_id, run_id).await?;
            let mut successors = Vec::new();
            let mut next = base.continued;
            while let Some(run_id) = next {
                match self
                    .run_history(namespace, &workflow_id, Some(run_id))
                    .await
                {
                    Ok(history) => {
                        next = history.continued;
                        successors.push(history);
                    }
                    // Deleted since: the chain ends before it.
                    Err(CallError::Rejected(Rejection::RunNotFound { .. })) => break,
                    Err(error) => return Err(error),
                }
            }
            let (answer, receiver) = oneshot::channel();
            let call = ResetCall {
                request: request.clone(),
                base,
                successors,
                answer,
            };
            let current = target(namespace, Kind::Workflow, Arc::clone(&workflow_id), None);
            self.send(current, Body::Reset(Box::new(call)));
            if let Some(run_id) = receive(receiver).await? {
                return Ok(run_id);
            }
        }
        Err(CallError::Unavailable(
            "the workflow moves on too fast to be read".to_owned(),
        ))
    }

    async fn run_history(
        &self,
        namespace: &Arc<Namespace>,
        workflow_id: &Arc<str>,
        run_id: Option<Uuid>,
    ) -> Result<RunHistory, CallError> {
        let run = target(namespace, Kind::Workflow, Arc::clone(workflow_id), run_id);
        let mut history = self.look(run, RunHistory::of).await?;
        let (key, to) = (&history.key, history.seq);
        history.records = read_all(self.store(), key, to).await?;
        Ok(history)
    }
}

impl RunHistory {
    fn of(cell: &Cell) -> Self {
        Self {
            key: cell.key.clone(),
            seq: cell.state.seq(),
            next_event_id: cell.state.next_event_id(),
            continued: cell.state.workflow().and_then(continued),
            records: Vec::new(),
        }
    }

    /// Takes in what came since, if the cell still has it. False when everything must be read again.
    fn follow(&mut self, cell: &Cell) -> bool {
        if cell.state.workflow().and_then(continued) != self.continued {
            return false;
        }
        let next_event_id = cell.state.next_event_id();
        if next_event_id == self.next_event_id {
            return true;
        }
        let Some(batches) = cell.tail.from(self.next_event_id) else {
            return false;
        };
        self.records.extend(batches.into_iter().map(|batch| Record {
            history: batch.history,
            ..Record::default()
        }));
        self.next_event_id = next_event_id;
        true
    }

    /// All its events.
    fn history(&self) -> bytes::Bytes {
        let events = self.records.iter().flat_map(|record| record.history.iter());
        events.copied().collect::<Vec<u8>>().into()
    }
}

fn continued(state: &State) -> Option<Uuid> {
    let continued = state.core.status == WorkflowExecutionStatus::ContinuedAsNew;
    let next = state.successor_run_id().filter(|_| continued)?;
    Uuid::parse_str(next).ok()
}

/// A whole journal, up to a record.
async fn read_all(
    store: &dyn Store,
    key: &ExecutionKey,
    to: u64,
) -> Result<Vec<Record>, CallError> {
    let mut all = Vec::new();
    let mut from = 1;
    while from <= to {
        let range = RecordRange {
            from,
            to,
            count_max: 1024,
            bytes_max: 8 << 20,
            reverse: false,
        };
        let records = store.records(key, range).await;
        let records = records.map_err(|error| CallError::Unavailable(error.to_string()))?;
        if records.is_empty() {
            break;
        }
        for (seq, bytes) in records {
            from = seq + 1;
            let record = Record::decode(bytes).map_err(|error| {
                let message = format!("record {seq} does not decode: {error}");
                CallError::Rejected(Rejection::Internal(message))
            })?;
            all.push(record);
        }
    }
    Ok(all)
}

/// An answer that waits for a commit.
struct Answered {
    answer: AnswerTo<Option<Uuid>>,
    run_id: Option<Uuid>,
}

impl Look for Answered {
    fn look(&mut self, _: &Cell) {}

    fn answer(self: Box<Self>, outcome: Result<(), CallError>) {
        // Whoever does not wait any more needs no answer.
        let _ = self.answer.send(outcome.map(|()| self.run_id));
    }

    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }
}

impl Shard {
    /// Resets a run, if what was read of it still tells all.
    pub(super) fn reset(&mut self, target: &Target, current: Option<Uuid>, call: ResetCall) {
        let ResetCall {
            request,
            base,
            successors,
            answer,
        } = call;
        let (outcome, commit) = self.carry_out_reset(target, current, request, base, successors);
        let (run_id, outcome) = match outcome {
            Ok(run_id) => (run_id, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let answered = Box::new(Answered { answer, run_id });
        self.hold(commit, Release::Look(answered, outcome));
    }

    fn carry_out_reset(
        &mut self,
        target: &Target,
        current: Option<Uuid>,
        request: Box<ResetWorkflowExecutionRequest>,
        mut base: RunHistory,
        mut successors: Vec<RunHistory>,
    ) -> (Result<Option<Uuid>, CallError>, CommitId) {
        let base_id = base.key.run_id;
        let seen = current.map_or(0, |run_id| self.last_commit(run_id));
        let seen = seen.max(self.last_commit(base_id));
        let Some(cell) = self.cache.get_mut(base_id) else {
            return (Ok(None), 0);
        };
        let mut told = base.follow(cell);
        for history in &mut successors {
            // One that left memory has been closed for long.
            if let Some(cell) = self.cache.get_mut(history.key.run_id) {
                told &= history.follow(cell);
            }
        }
        if !told {
            return (Ok(None), seen);
        }
        let last = successors.last().map_or(base_id, |last| last.key.run_id);
        let mut waiting = Vec::new();
        let mut open = false;
        if let Some(run_id) = current
            && let Some(cell) = self.cache.get_mut(run_id)
            && let Some(state) = cell.state.workflow()
        {
            if state.was_opened_by(&request.request_id) {
                return (Ok(Some(run_id)), seen);
            }
            open = state.is_open();
            if open && run_id == last {
                waiting = state.core.buffered.to_vec();
            }
        }
        let reason = request.reason.clone();
        let input = ResetInput {
            request,
            successors: successors.iter().map(RunHistory::history).collect(),
            base: base.records,
            waiting,
        };
        let new_run = match self.decide_reset(target, base_id, input) {
            Ok(new_run) => new_run,
            Err(error) => return (Err(error), seen),
        };
        let run_id = new_run.run_id();
        let outcome = self.make_room(target, current.filter(|_| open), base_id, run_id, reason);
        if let Err(error) = outcome {
            return (Err(error), seen);
        }
        let now = self.now();
        self.open_run(&target.namespace, target.slot, new_run, now);
        let commit = self.last_commit(run_id);
        for run_id in current.into_iter().chain([base_id]) {
            self.after_step(run_id, commit);
        }
        (Ok(Some(run_id)), commit)
    }

    fn decide_reset(
        &mut self,
        target: &Target,
        base_id: Uuid,
        input: ResetInput,
    ) -> Result<NewRun, CallError> {
        let time = self.now();
        let mut now = self.steps.next(time);
        let limits = Arc::clone(&self.limits);
        let routing = self.outside.routes.of(target.namespace.id);
        let env = Env {
            namespace: &target.namespace,
            limits: &limits,
            routing: &routing,
        };
        let base = self.cache.get_mut(base_id);
        let base = base.and_then(|cell| cell.state.workflow());
        let Some(base) = base else {
            return Err(CallError::Unavailable(
                "the execution left memory".to_owned(),
            ));
        };
        let decided = catch_unwind(AssertUnwindSafe(|| {
            engine::workflow::reset(base, input, &mut now, env)
        }));
        self.steps.used(&now);
        match decided {
            Ok(Ok(new_run)) => Ok(NewRun::Workflow(Box::new(new_run))),
            Ok(Err(rejection)) => Err(CallError::Rejected(rejection)),
            Err(_) => Err(CallError::Rejected(Rejection::Internal(
                "a reset failed".to_owned(),
            ))),
        }
    }

    /// Ends an open current run, and lets the run that was reset know which one takes its place.
    fn make_room(
        &mut self,
        target: &Target,
        open: Option<Uuid>,
        base_id: Uuid,
        new_run_id: Uuid,
        reason: String,
    ) -> Result<(), CallError> {
        let is_base = open == Some(base_id);
        let base = self.cache.get_mut(base_id);
        let base = base.and_then(|cell| cell.state.workflow());
        let chain = base.map_or_else(String::new, |base| base.first_execution_run_id().to_owned());
        if let Some(run_id) = open.filter(|_| !is_base) {
            let mark = ResetMark {
                reset_to: None,
                terminate: Some(reason.clone()),
                chain: chain.clone(),
            };
            let input = Input::Workflow(WorkflowInput::Reset(mark));
            self.handle(&target.namespace, run_id, input).0?;
        }
        let mark = ResetMark {
            reset_to: Some(new_run_id),
            terminate: is_base.then_some(reason),
            chain,
        };
        let input = Input::Workflow(WorkflowInput::Reset(mark));
        self.handle(&target.namespace, base_id, input).0.map(drop)
    }

    /// Where a message to a run that was reset is to go.
    pub(super) fn forwarded(
        &mut self,
        run_id: Option<Uuid>,
        message: &engine::execution::Peer,
    ) -> Option<Uuid> {
        let cell = self.cache.get_mut(run_id?)?;
        cell.state.workflow()?.forwards(message)
    }
}
