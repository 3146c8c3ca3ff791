//! One step of one execution: the engine decides, the shard writes and holds back what follows from it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine::execution::{Effect, Input, NewRun, Record, Reply, Transition, missing};
use engine::ids::EventId;
use engine::rejection::Rejection;
use engine::time::Timestamp;
use engine::workflow;
use engine::workflow::transition::WorkflowTask;
use engine::{Env, Namespace};
use proto::temporal::api::query::v1::{WorkflowQuery, WorkflowQueryResult};
use store::{NewRecord, Snapshot, Write};
use uuid::Uuid;

use super::cell::{Cell, CommitId, key_of};
use super::counters::Counters;
use super::events;
use super::history::TaskHistoryPlan;
use super::look::Look;
use super::message::{AnswerTo, QueryAnswer, StepAnswer};
use super::release::Release;
use super::row::row;
use super::writer::Shard;
use super::{CallError, When};
use crate::shard::cache::Void;

/// The history that goes out with a workflow task, and the queries.
type Shipment = (Option<TaskHistoryPlan>, Vec<(String, WorkflowQuery)>);

impl Shard {
    /// A caller's input.
    pub(super) fn step(
        &mut self,
        namespace: &Arc<Namespace>,
        run_id: Uuid,
        mut input: Input,
        answer: AnswerTo<StepAnswer>,
    ) {
        let query_result = self.take_query_result(run_id, &mut input);
        let (outcome, commit) = self.handle(namespace, run_id, input);
        let outcome = outcome.and_then(|reply| self.shape(run_id, reply));
        if let (Ok(_), Some(result)) = (&outcome, query_result) {
            self.answer_query(run_id, commit, QueryAnswer::Answered(result));
        }
        self.after_step(run_id, commit);
        self.hold(commit, Release::Step(answer, outcome.map(Box::new)));
    }

    /// An input that nobody waits for.
    pub(super) fn step_alone(&mut self, namespace: &Arc<Namespace>, run_id: Uuid, input: Input) {
        let (outcome, commit) = self.handle(namespace, run_id, input);
        if let Err(error) = outcome {
            tracing::debug!(%run_id, %error, "an input of the shard's own was rejected");
        }
        self.after_step(run_id, commit);
    }

    /// Lets the engine decide, and writes what it decided. Gives the reply and the commit with which it may be
    /// told.
    pub(super) fn handle(
        &mut self,
        namespace: &Arc<Namespace>,
        run_id: Uuid,
        input: Input,
    ) -> (Result<Reply, CallError>, CommitId) {
        let time = self.now();
        let mut now = self.steps.next(time);
        let limits = Arc::clone(&self.limits);
        let routing = self.outside.routes.of(namespace.id);
        let Some(cell) = self.cache.get_mut(run_id) else {
            return (
                Err(CallError::Unavailable(
                    "the execution left memory".to_owned(),
                )),
                0,
            );
        };
        let first_event_id = cell.state.next_event_id();
        let env = Env {
            namespace,
            limits: &limits,
            routing: &routing,
        };
        let cell: &mut Cell = cell;
        let decided = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            panic_if_asked(&input);
            let decided = cell.state.handle(input, &mut now, env)?;
            cell.check_fold(decided.record.as_ref());
            Ok(decided)
        }));
        self.steps.used(&now);
        let Ok(decided) = decided else {
            return (Err(self.step_broke(run_id)), 0);
        };
        match decided {
            Ok(transition) => {
                let reply = self.settle(namespace, run_id, first_event_id, transition, time);
                (reply.map_err(CallError::Rejected), self.last_commit(run_id))
            }
            // A rejection is a read: it may rest on what is not durable yet.
            Err(rejection) => (Err(CallError::Rejected(rejection)), cell.last_commit),
        }
    }

    /// The engine panicked in a step of this run.
    pub(super) fn step_broke(&mut self, run_id: Uuid) -> CallError {
        tracing::error!(%run_id, "a step panicked; the execution is loaded again");
        self.break_run(run_id);
        CallError::Rejected(Rejection::Internal(
            "a step of the execution failed".to_owned(),
        ))
    }

    /// Writes a transition whose events begin with `first_event_id`, and holds its effects until it is durable.
    pub(super) fn settle(
        &mut self,
        namespace: &Arc<Namespace>,
        run_id: Uuid,
        first_event_id: i64,
        transition: Transition,
        now: Timestamp,
    ) -> Result<Reply, Rejection> {
        let Transition {
            record,
            reply,
            effects,
            row_changed,
            successor,
            updates,
        } = transition;
        Counters::add(&self.counters.transitions, 1);
        let slot;
        {
            let Some(cell) = self.cache.get_mut(run_id) else {
                return reply;
            };
            slot = cell.key.slot;
            if let Some(record) = record {
                let continued = successor.is_some();
                let write = write_of(
                    cell,
                    namespace,
                    record,
                    first_event_id,
                    row_changed,
                    continued,
                    now,
                );
                cell.last_commit = self.pipeline.write(write);
            }
        }
        if let Some(successor) = successor {
            self.open_run(namespace, slot, successor, now);
        }
        let commit = self.last_commit(run_id);
        self.hold_effects(run_id, commit, effects);
        self.tell_updates(run_id, updates);
        reply
    }

    /// Takes a new run into memory and writes its beginning. It becomes the current one of its workflow id.
    pub(super) fn open_run(
        &mut self,
        namespace: &Arc<Namespace>,
        slot: u16,
        mut new_run: NewRun,
        now: Timestamp,
    ) {
        let copied = new_run.take_copied();
        let (state, record, effects) = new_run.into_parts();
        let run_id = state.run_id();
        let key = key_of(slot, &state);
        let mut cell = Box::new(Cell::new(state, key));
        cell.current = true;
        let first_event_id = self.write_copied(&mut cell, namespace, copied);
        let write = write_of(
            &mut cell,
            namespace,
            record,
            first_event_id,
            true,
            false,
            now,
        );
        let commit = self.pipeline.write(write);
        cell.last_commit = commit;
        self.cache.insert(cell);
        self.hold_effects(run_id, commit, effects);
        self.rearm(run_id);
    }

    /// Writes the records that a new run has from another one. Gives the id of the event behind them.
    fn write_copied(
        &mut self,
        cell: &mut Cell,
        namespace: &Namespace,
        copied: Vec<Record>,
    ) -> EventId {
        let mut first_event_id = 1;
        for (seq, record) in (1..).zip(copied) {
            let bytes = record.encode();
            let mut write = Write::new(cell.key.clone());
            cell.recorded(
                seq,
                first_event_id,
                events::of_record(&bytes, record.history()),
                bytes.clone(),
            );
            // Events of one record: far below the range of an id.
            first_event_id += events::count(record.history()) as EventId;
            write.record = Some(NewRecord { seq, bytes });
            if seq == 1 {
                write.row = Some(row(&cell.state, namespace, true));
            }
            self.pipeline.write(write);
        }
        first_event_id
    }

    fn hold_effects(&mut self, run_id: Uuid, commit: CommitId, effects: Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        if let Some(key) = self.cache.get_mut(run_id).map(|cell| cell.key.clone()) {
            self.hold(commit, Release::Effects(key, effects));
        }
    }

    /// What every step ends with: those who wait are served, deadlines are set, a run that is to go goes.
    pub(super) fn after_step(&mut self, run_id: Uuid, commit: CommitId) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        let (deleting, open) = (cell.state.is_deleting(), cell.state.is_open());
        if cell.waiting.is_some() {
            self.serve_waiting(run_id, commit);
        }
        self.cache.weigh(run_id);
        self.rearm(run_id);
        if deleting && !open {
            self.remove_if_silent(run_id);
        }
    }

    fn serve_waiting(&mut self, run_id: Uuid, commit: CommitId) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        let satisfied = cell.take_satisfied();
        // A question that waits for a workflow task has to be asked otherwise when there is none any more.
        let unasked = cell
            .state
            .workflow()
            .is_none_or(|state| state.core.workflow_task.is_none());
        for mut look in satisfied {
            if let Some(cell) = self.cache.get_mut(run_id) {
                look.look(cell);
            }
            self.hold(commit, Release::Look(look, Ok(())));
        }
        if unasked {
            self.answer_query(run_id, commit, QueryAnswer::Unanswered);
        }
    }

    /// Looks at a state; the reader is told when what was seen is durable.
    pub(super) fn look(&mut self, run_id: Uuid, mut look: Box<dyn Look>) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        look.look(cell);
        let commit = cell.last_commit;
        self.hold(commit, Release::Look(look, Ok(())));
    }

    /// Looks at a state now or when something has come about.
    pub(super) fn look_when(&mut self, run_id: Uuid, when: When, look: Box<dyn Look>) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        if cell.satisfies(when) {
            self.look(run_id, look);
        } else {
            cell.waiting_mut().readers.push((when, look));
        }
    }

    /// Adds to a reply what goes out with a workflow task.
    fn shape(&mut self, run_id: Uuid, mut reply: Reply) -> Result<StepAnswer, CallError> {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return Err(CallError::Unavailable(
                "the execution left memory".to_owned(),
            ));
        };
        let (history, queries) = match &mut reply {
            Reply::WorkflowTask(task) => ship(cell, task),
            Reply::WorkflowTaskCompleted(completed) => match &mut completed.workflow_task {
                Some(task) => ship(cell, task),
                None => (None, Vec::new()),
            },
            _ => (None, Vec::new()),
        };
        Ok(StepAnswer {
            key: cell.key.clone(),
            reply,
            history,
            queries,
        })
    }

    /// Takes the results of queries out of a completion; gives the one that somebody waits for.
    fn take_query_result(
        &mut self,
        run_id: Uuid,
        input: &mut Input,
    ) -> Option<WorkflowQueryResult> {
        let Input::Workflow(workflow::Input::WorkflowTaskCompleted(completed)) = input else {
            return None;
        };
        let mut results = std::mem::take(&mut completed.request.query_results);
        let waiting = self.cache.get_mut(run_id)?.waiting.as_ref()?;
        let query = waiting.query.as_ref()?;
        results.remove(&query.id)
    }

    /// Tells the one who asked, if somebody did.
    pub(super) fn answer_query(&mut self, run_id: Uuid, commit: CommitId, answer: QueryAnswer) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        let Some(query) = cell
            .waiting
            .as_mut()
            .and_then(|waiting| waiting.query.take())
        else {
            return;
        };
        self.hold(commit, Release::Query(query.answer, Ok(answer)));
    }

    /// Deletes a run; an open one is terminated first. That it is to go is recorded if it cannot go at once.
    pub(super) fn delete(
        &mut self,
        namespace: &Arc<Namespace>,
        run_id: Uuid,
        answer: AnswerTo<()>,
    ) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        let mut outcome = Ok(());
        let state = &cell.state;
        if state.is_open() || (state.has_messages() && !state.is_deleting()) {
            let (done, commit) = self.handle(namespace, run_id, Input::Delete);
            outcome = done.map(drop);
            self.after_step(run_id, commit);
        } else {
            self.remove_if_silent(run_id);
        }
        let commit = self.last_commit(run_id);
        self.hold(commit, Release::Delete(answer, outcome));
    }

    /// Deletes a closed run, if nobody has to be told any more that it closed.
    pub(super) fn remove_if_silent(&mut self, run_id: Uuid) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        if cell.state.is_open() || cell.state.has_messages() {
            return;
        }
        let mut write = Write::new(cell.key.clone());
        write.delete = true;
        let commit = self.pipeline.write(write);
        Counters::add(&self.counters.deletions, 1);
        let Some(cell) = self.cache.make_void(run_id, Void::Deleted(commit)) else {
            return;
        };
        let gone = missing(cell.key.kind, &cell.key.workflow_id, Some(run_id));
        let gone = CallError::Rejected(gone);
        let Some(waiting) = cell.waiting else { return };
        for (_, look) in waiting.readers {
            self.hold(commit, Release::Look(look, Err(gone.clone())));
        }
        if let Some(query) = waiting.query {
            self.hold(commit, Release::Query(query.answer, Err(gone)));
        }
    }

    /// The commit that what was seen of a run rests on. That of a deleted run is the one that deletes it.
    pub(super) fn last_commit(&mut self, run_id: Uuid) -> CommitId {
        match self.cache.get_mut(run_id) {
            Some(cell) => cell.last_commit,
            None => self.cache.void(run_id).map_or(0, Void::commit),
        }
    }

    /// A deadline has come up.
    pub(super) fn due(&mut self, at: Timestamp, run_id: Uuid, now: Timestamp) {
        /// A run whose deadline does not go away is looked at no more often than this.
        const AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(10);
        // One that has left memory is remembered elsewhere.
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        if cell.armed != Some(at) {
            return;
        }
        cell.armed = None;
        let id = cell.key.namespace;
        let Some(namespace) = self.namespace(id) else {
            return;
        };
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        if cell
            .deadline(namespace.retention)
            .is_some_and(|at| at <= now)
        {
            if cell.state.is_open() || !cell.is_expired(namespace.retention, now) {
                self.step_alone(&namespace, run_id, Input::Deadline);
            } else {
                self.remove_if_silent(run_id);
            }
            self.arm(run_id, Some(now.after(AGAIN_AFTER)));
        } else {
            self.rearm(run_id);
        }
    }

    /// Brings the heap up to date with a run's next deadline.
    pub(super) fn rearm(&mut self, run_id: Uuid) {
        self.arm(run_id, None);
    }

    fn arm(&mut self, run_id: Uuid, not_before: Option<Timestamp>) {
        let Some(cell) = self.cache.get_mut(run_id) else {
            return;
        };
        let mut deadline = cell.state.next_deadline();
        if !cell.state.is_open() {
            let id = cell.key.namespace;
            let namespace = self.outside.namespaces.namespace_by_id(id);
            let expires = namespace.and_then(|n| cell.expires_at(n.retention));
            deadline = [deadline, expires].into_iter().flatten().min();
        }
        let Some(deadline) = deadline else { return };
        let at = not_before.map_or(deadline, |not_before| deadline.max(not_before));
        // An earlier entry looks at the run in time for this one, too.
        if cell.armed.is_none_or(|armed| at < armed) {
            cell.armed = Some(at);
            self.deadlines.arm(at, run_id);
        }
    }
}

/// What a workflow task takes along.
fn ship(cell: &mut Cell, task: &mut WorkflowTask) -> Shipment {
    let history = TaskHistoryPlan::new(cell, task);
    let queries = match cell
        .waiting
        .as_mut()
        .and_then(|waiting| waiting.query.as_mut())
    {
        Some(query) if !query.answer.is_closed() => vec![(query.id.clone(), query.query.clone())],
        _ => Vec::new(),
    };
    (Some(history), queries)
}

/// What the next write of a run says.
fn write_of(
    cell: &mut Cell,
    namespace: &Namespace,
    record: Record,
    first_event_id: i64,
    row_changed: bool,
    continued: bool,
    now: Timestamp,
) -> Write {
    let bytes = record.encode();
    let mut write = Write::new(cell.key.clone());
    cell.recorded(
        cell.state.seq(),
        first_event_id,
        events::of_record(&bytes, record.history()),
        bytes.clone(),
    );
    write.record = Some(NewRecord {
        seq: cell.state.seq(),
        bytes,
    });
    if row_changed {
        write.row = Some(row(&cell.state, namespace, cell.current && !continued));
    }
    write.wake_at = cell.wake_to_write(namespace.retention, now);
    if let Some(wake) = write.wake_at {
        cell.stored_wake = wake;
    }
    if cell.snapshot_due()
        && let Some(bytes) = cell.state.snapshot()
    {
        cell.snapshotted(bytes.len());
        write.snapshot = Some(Snapshot {
            seq: cell.state.seq(),
            bytes,
        });
    }
    write
}

/// Stands for a defect of the engine.
#[cfg(test)]
fn panic_if_asked(input: &Input) {
    if let Input::Workflow(workflow::Input::Signal(request)) = input {
        assert!(request.signal_name != "panic", "as asked");
    }
}
