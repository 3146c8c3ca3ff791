//! What can be done to any execution that exists.

use std::sync::Arc;

use bytes::Bytes;
use proto::temporal::api::history::v1::HistoryEvent;
use uuid::Uuid;

use super::{Effect, IndexRow, JournalError, Kind, Peer, PeerAnswer, Reply, Transition};
use crate::ids::{EventId, Now};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::input::{CallbackAnswer, NexusAnswer, NexusCompletion};
use crate::{Env, Namespace, activity, nexus_operation, schedule, workflow};

/// The state of an execution, of whatever kind.
#[expect(
    clippy::large_enum_variant,
    reason = "one lies in a cell of its own, and most are the large one"
)]
#[derive(Clone, Debug)]
pub enum Execution {
    /// A run of a workflow.
    Workflow(workflow::State),
    /// A standalone activity.
    Activity(activity::State),
    /// A schedule.
    Schedule(Box<schedule::State>),
    /// A standalone Nexus operation.
    NexusOperation(Box<nexus_operation::State>),
}

/// Everything that can happen to an existing execution.
#[derive(Clone, Debug)]
pub enum Input {
    /// For a run of a workflow.
    Workflow(workflow::Input),
    /// For a standalone activity.
    Activity(activity::Input),
    /// For a schedule.
    Schedule(schedule::Input),
    /// For a standalone Nexus operation.
    NexusOperation(nexus_operation::Input),
    /// Time has passed: whatever is due, fires. Harmless when nothing is.
    Deadline,
    /// A message from another execution.
    Peer(Peer),
    /// The answer to a message that this execution sent.
    PeerAnswer(u64, PeerAnswer),
    /// It is to be deleted, and is open or has somebody to tell: it must close first.
    Delete,
}

impl From<workflow::Input> for Input {
    fn from(input: workflow::Input) -> Self {
        Self::Workflow(input)
    }
}

impl From<activity::Input> for Input {
    fn from(input: activity::Input) -> Self {
        Self::Activity(input)
    }
}

impl From<nexus_operation::Input> for Input {
    fn from(input: nexus_operation::Input) -> Self {
        Self::NexusOperation(input)
    }
}

/// A handler's answer to a request about a Nexus operation, for whoever asked.
pub fn nexus_answered(
    kind: Kind,
    (id, attempt, cancel): (EventId, i32, bool),
    answer: Box<NexusAnswer>,
) -> Input {
    match (kind, cancel) {
        (Kind::NexusOperation, false) => {
            nexus_operation::Input::StartAnswered(attempt, answer).into()
        }
        (Kind::NexusOperation, true) => {
            nexus_operation::Input::CancelAnswered(attempt, answer).into()
        }
        (_, false) => workflow::Input::NexusStartAnswered(id, attempt, answer).into(),
        (_, true) => workflow::Input::NexusCancelAnswered(id, attempt, answer).into(),
    }
}

/// What became of a completion callback to an address elsewhere, for whoever sent it.
pub fn callback_answered(kind: Kind, index: u64, attempt: i32, answer: CallbackAnswer) -> Input {
    match kind {
        Kind::Activity => activity::Input::CallbackAnswered(index, attempt, answer).into(),
        _ => workflow::Input::CallbackAnswered(index, attempt, answer).into(),
    }
}

/// The result of a Nexus operation, for whoever waits for it.
pub fn completed(kind: Kind, completion: Box<NexusCompletion>) -> Input {
    match kind {
        Kind::NexusOperation => nexus_operation::Input::Completed(completion).into(),
        _ => workflow::Input::NexusOperationCompleted(completion).into(),
    }
}

impl From<schedule::Input> for Input {
    fn from(input: schedule::Input) -> Self {
        Self::Schedule(input)
    }
}

impl Input {
    /// Which kind it is for; `None` when it is for any.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Workflow(_) => Some(Kind::Workflow),
            Self::Activity(_) => Some(Kind::Activity),
            Self::Schedule(_) => Some(Kind::Schedule),
            Self::NexusOperation(_) => Some(Kind::NexusOperation),
            Self::Deadline | Self::Peer(_) | Self::PeerAnswer(..) | Self::Delete => None,
        }
    }

    /// Whether it is a poller's claim, which is for nobody once the poller is gone.
    pub fn is_claim(&self) -> bool {
        match self {
            Self::Workflow(input) => matches!(
                input,
                workflow::Input::StartWorkflowTask(_) | workflow::Input::StartActivityTask(_)
            ),
            Self::Activity(input) => matches!(input, activity::Input::StartActivityTask(_)),
            Self::Schedule(_)
            | Self::NexusOperation(_)
            | Self::Deadline
            | Self::Peer(_)
            | Self::PeerAnswer(..)
            | Self::Delete => false,
        }
    }
}

/// Memory of a state with nothing pending: what was measured of a small workflow, structures and what they
/// point to.
const WORKFLOW_BYTES: usize = 6 << 10;
/// Memory of a standalone activity, or Nexus operation, besides its payloads.
const ACTIVITY_BYTES: usize = 4 << 10;
/// What one pending thing weighs besides its payloads.
const PENDING_BYTES: usize = 512;

impl Execution {
    /// One step. The state changes only when this succeeds.
    ///
    /// # Errors
    /// A rule said no; the state is as it was.
    pub fn handle(
        &mut self,
        input: Input,
        now: &mut Now,
        env: Env<'_>,
    ) -> Result<Transition, Rejection> {
        match self {
            Self::Workflow(state) => {
                let input = match input {
                    Input::Workflow(input) => input,
                    Input::Deadline => workflow::Input::Deadline,
                    Input::Peer(message) => workflow::Input::Peer(message),
                    Input::PeerAnswer(seq, answer) => workflow::Input::PeerAnswer(seq, answer),
                    Input::Delete => workflow::Input::Delete,
                    Input::Activity(_) | Input::Schedule(_) | Input::NexusOperation(_) => {
                        return Err(of_another_kind());
                    }
                };
                workflow::handle(state, input, now, env).map(Transition::from)
            }
            Self::Activity(state) => {
                let input = match input {
                    Input::Activity(input) => input,
                    Input::Deadline => activity::Input::Deadline,
                    Input::Delete => activity::Input::Delete,
                    Input::PeerAnswer(seq, answer) => activity::Input::PeerAnswer(seq, answer),
                    // No message is meant for it.
                    Input::Peer(_)
                    | Input::Workflow(_)
                    | Input::Schedule(_)
                    | Input::NexusOperation(_) => {
                        return Err(of_another_kind());
                    }
                };
                activity::handle(state, input, now, env).map(Transition::from)
            }
            Self::Schedule(state) => {
                let (input, is_message) = match input {
                    Input::Schedule(input) => (input, false),
                    Input::Deadline => (schedule::Input::Deadline, false),
                    Input::Delete => (schedule::Input::Delete, false),
                    Input::PeerAnswer(seq, answer) => {
                        (schedule::Input::PeerAnswer(seq, answer), false)
                    }
                    Input::Peer(Peer::ActionClosed(closed)) => {
                        (schedule::Input::ActionClosed(closed), true)
                    }
                    Input::Peer(_)
                    | Input::Workflow(_)
                    | Input::Activity(_)
                    | Input::NexusOperation(_) => {
                        return Err(of_another_kind());
                    }
                };
                let mut transition =
                    schedule::handle(state, input, now, env).map(Transition::from)?;
                if is_message {
                    transition.reply = Ok(Reply::PeerAnswer(PeerAnswer::Taken));
                }
                Ok(transition)
            }
            Self::NexusOperation(state) => {
                let (input, is_message) = match input {
                    Input::NexusOperation(input) => (input, false),
                    Input::Deadline => (nexus_operation::Input::Deadline, false),
                    Input::Delete => (nexus_operation::Input::Delete, false),
                    Input::Peer(Peer::NexusOperationCompleted(completion)) => {
                        (nexus_operation::Input::Completed(completion), true)
                    }
                    // It sends no messages, and no other is meant for it.
                    Input::Peer(_)
                    | Input::PeerAnswer(..)
                    | Input::Workflow(_)
                    | Input::Activity(_)
                    | Input::Schedule(_) => return Err(of_another_kind()),
                };
                let mut transition =
                    nexus_operation::handle(state, input, now, env).map(Transition::from)?;
                if is_message {
                    transition.reply = Ok(Reply::PeerAnswer(PeerAnswer::Taken));
                }
                Ok(transition)
            }
        }
    }

    /// Reads an execution back from its journal, from a snapshot on if there is one.
    ///
    /// # Errors
    /// When the journal is damaged or of a kind that this version does not know, or the snapshot is of another
    /// version: then the caller loads without it.
    pub fn load(
        kind: u8,
        id: Arc<str>,
        run_id: Uuid,
        snapshot: Option<Bytes>,
        records: impl IntoIterator<Item = Bytes>,
    ) -> Result<Self, JournalError> {
        match Kind::of(kind).ok_or(JournalError::Kind { run_id, kind })? {
            Kind::Workflow => workflow::load(id, run_id, snapshot, records).map(Self::Workflow),
            Kind::Activity => activity::load(id, run_id, snapshot, records).map(Self::Activity),
            Kind::Schedule => schedule::load(id, run_id, snapshot, records)
                .map(|state| Self::Schedule(Box::new(state))),
            Kind::NexusOperation => nexus_operation::load(id, run_id, snapshot, records)
                .map(|state| Self::NexusOperation(Box::new(state))),
        }
    }

    /// Everything durable of it as bytes, for kinds whose journals grow long.
    pub fn snapshot(&self) -> Option<Bytes> {
        match self {
            Self::Workflow(state) => workflow::snapshot(state),
            Self::Activity(state) => activity::snapshot(state),
            Self::Schedule(state) => Some(schedule::snapshot(state)),
            Self::NexusOperation(state) => nexus_operation::snapshot(state),
        }
    }

    /// What a freshly loaded execution owes the world: tasks to offer, messages to send.
    pub fn ready(&mut self, now: Timestamp) -> Vec<Effect> {
        match self {
            Self::Workflow(state) => workflow::ready(state, now),
            Self::Activity(state) => activity::ready(state, now),
            Self::Schedule(state) => {
                let sends = schedule::ready(state).into_iter();
                sends.map(Effect::Send).collect()
            }
            // A request that a restart forgot is due.
            Self::NexusOperation(_) => Vec::new(),
        }
    }

    /// Its index row.
    pub fn row(&self, namespace: &Namespace) -> IndexRow {
        match self {
            Self::Workflow(state) => workflow::row(state, namespace),
            Self::Activity(state) => activity::row(state, namespace),
            Self::Schedule(state) => schedule::row(state, namespace),
            Self::NexusOperation(state) => nexus_operation::row(state, namespace),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Workflow(_) => Kind::Workflow,
            Self::Activity(_) => Kind::Activity,
            Self::Schedule(_) => Kind::Schedule,
            Self::NexusOperation(_) => Kind::NexusOperation,
        }
    }

    /// Its id: a workflow id, or what takes its place.
    pub fn id(&self) -> &Arc<str> {
        match self {
            Self::Workflow(state) => &state.workflow_id,
            Self::Activity(state) => &state.activity_id,
            Self::Schedule(state) => &state.workflow_id,
            Self::NexusOperation(state) => &state.operation_id,
        }
    }

    /// Its run.
    pub fn run_id(&self) -> Uuid {
        match self {
            Self::Workflow(state) => state.run_id,
            Self::Activity(state) => state.run_id,
            Self::Schedule(state) => state.run_id,
            Self::NexusOperation(state) => state.run_id,
        }
    }

    /// Its namespace's id.
    pub fn namespace_id(&self) -> Uuid {
        match self {
            Self::Workflow(state) => state.namespace_id,
            Self::Activity(state) => state.namespace_id,
            Self::Schedule(state) => state.namespace_id,
            Self::NexusOperation(state) => state.namespace_id,
        }
    }

    /// Records in its journal.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Workflow(state) => state.core.seq,
            Self::Activity(state) => state.core.seq,
            Self::Schedule(state) => state.core.seq,
            Self::NexusOperation(state) => state.core.seq,
        }
    }

    /// The id that its next history event gets; 1 for kinds without a history.
    pub fn next_event_id(&self) -> EventId {
        match self {
            Self::Workflow(state) => state.core.next_event_id,
            Self::Activity(_) => 1,
            Self::Schedule(_) => 1,
            Self::NexusOperation(_) => 1,
        }
    }

    /// The last event's id that readers see: stored ones, and the start of a workflow task that will be stored
    /// with its completion.
    pub fn last_visible_event_id(&self) -> EventId {
        match self {
            Self::Workflow(state) => {
                let stored = state.last_event_id();
                match state.started_workflow_task() {
                    Some((task, started)) if !task.is_unwritten() => started.event_id.max(stored),
                    _ => stored,
                }
            }
            Self::Activity(_) => 0,
            Self::Schedule(_) => 0,
            Self::NexusOperation(_) => 0,
        }
    }

    /// Whether it can still change.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Workflow(state) => state.is_open(),
            Self::Activity(state) => state.is_open(),
            Self::Schedule(state) => state.is_open(),
            Self::NexusOperation(state) => state.is_open(),
        }
    }

    /// When it closed by the clock, if it did.
    pub fn close_time(&self) -> Option<Timestamp> {
        match self {
            Self::Workflow(state) => state.close_time().map(|at| state.clock_time(at)),
            Self::Activity(state) => state.close_time(),
            Self::Schedule(state) => state.ended_time(),
            Self::NexusOperation(state) => state.close_time(),
        }
    }

    /// When it must be looked at next. `None` when only the outside can move it.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Workflow(state) => state.next_deadline(),
            Self::Activity(state) => state.next_deadline(),
            Self::Schedule(state) => state.next_deadline(),
            Self::NexusOperation(state) => state.next_deadline(),
        }
    }

    /// When a server that starts afresh must load it: at once if something waits for a worker or for delivery,
    /// else at the next deadline.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self {
            Self::Workflow(state) => state.wake_at(),
            Self::Activity(state) => state.wake_at(),
            Self::Schedule(state) => state.wake_at(),
            Self::NexusOperation(state) => state.wake_at(),
        }
    }

    /// How many are at work for it or should be: workers, or who takes its messages. If nobody, only time or the
    /// outside moves it on.
    pub fn at_work(&self, now: Timestamp) -> usize {
        match self {
            Self::Workflow(state) => state.at_work(now),
            Self::Activity(state) => state.is_at_work(now).into(),
            Self::Schedule(state) => (!state.is_silent()).into(),
            Self::NexusOperation(state) => state.is_under_way().into(),
        }
    }

    /// Whether messages of it were not answered yet.
    pub fn has_messages(&self) -> bool {
        match self {
            Self::Workflow(state) => !state.outbox.is_empty(),
            Self::Activity(state) => state.has_messages(),
            Self::NexusOperation(_) => false,
            Self::Schedule(state) => !state.is_silent(),
        }
    }

    /// Whether it goes as soon as it is closed and has told everybody who must know. An ended schedule stays known.
    pub fn is_deleting(&self) -> bool {
        match self {
            Self::Workflow(state) => state.core.deleting,
            Self::Activity(state) => state.core.deleting,
            Self::NexusOperation(state) => state.core.deleting,
            Self::Schedule(_) => false,
        }
    }

    /// Whether forgetting it would lose what its journal does not know: a workflow task that a worker has, a
    /// sticky queue's timeout, updates that are not accepted yet, a request to a Nexus handler, a callback.
    pub fn is_volatile(&self) -> bool {
        match self {
            Self::Workflow(state) => {
                let task = state.core.workflow_task.as_ref();
                !state.volatile.admitted.is_empty()
                    || task.is_some_and(|task| {
                        task.started.is_some() || task.sticky_offered.is_some() || task.speculative
                    })
                    || state.nexus_operations.any_ready()
                    || state.callbacks.any_ready()
            }
            Self::Activity(state) => !state.calling.is_empty(),
            Self::Schedule(_) => false,
            Self::NexusOperation(state) => state.is_under_way(),
        }
    }

    /// Whether matching holds tasks of it.
    pub fn has_offers(&self) -> bool {
        match self {
            Self::Workflow(state) => {
                state.is_open()
                    && (state.core.workflow_task.is_some()
                        || state
                            .activities
                            .iter()
                            .any(|(_, activity)| activity.offered))
            }
            Self::Activity(state) => state.offered,
            Self::Schedule(_) | Self::NexusOperation(_) => false,
        }
    }

    /// A rough estimate of the memory that it takes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Workflow(state) => workflow_weight(state),
            Self::Activity(state) => ACTIVITY_BYTES + 2 * prost::Message::encoded_len(&state.core),
            Self::Schedule(state) => state.weight(),
            Self::NexusOperation(state) => {
                let scheduled = prost::Message::encoded_len(&*state.operation.scheduled);
                ACTIVITY_BYTES + 2 * (prost::Message::encoded_len(&state.core) + scheduled)
            }
        }
    }

    /// Equality of everything durable: what a fold of the journal must reproduce.
    pub fn same_durable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Workflow(one), Self::Workflow(other)) => one.same_durable(other),
            (Self::Activity(one), Self::Activity(other)) => one.same_durable(other),
            (Self::Schedule(one), Self::Schedule(other)) => one.same_durable(other),
            (Self::NexusOperation(one), Self::NexusOperation(other)) => one.same_durable(other),
            _ => false,
        }
    }

    /// The workflow's state, if it is one.
    pub fn workflow(&self) -> Option<&workflow::State> {
        match self {
            Self::Workflow(state) => Some(state),
            Self::Activity(_) | Self::Schedule(_) | Self::NexusOperation(_) => None,
        }
    }

    /// The schedule's state, if it is one.
    pub fn schedule(&self) -> Option<&schedule::State> {
        match self {
            Self::Schedule(state) => Some(state),
            Self::Workflow(_) | Self::Activity(_) | Self::NexusOperation(_) => None,
        }
    }

    /// The standalone activity's state, if it is one.
    pub fn activity(&self) -> Option<&activity::State> {
        match self {
            Self::Activity(state) => Some(state),
            Self::Workflow(_) | Self::Schedule(_) | Self::NexusOperation(_) => None,
        }
    }

    /// The standalone Nexus operation's state, if it is one.
    pub fn nexus_operation(&self) -> Option<&nexus_operation::State> {
        match self {
            Self::NexusOperation(state) => Some(state),
            Self::Workflow(_) | Self::Activity(_) | Self::Schedule(_) => None,
        }
    }

    /// Whether it still waits for a handler's answer about this Nexus operation.
    pub fn awaits_nexus_answer(&self, id: EventId) -> bool {
        match self {
            Self::Workflow(state) => {
                let operation = state.nexus_operations.get(&id);
                operation.is_some_and(|operation| operation.is_under_way())
            }
            Self::NexusOperation(state) => state.is_under_way(),
            Self::Activity(_) | Self::Schedule(_) => false,
        }
    }
}

/// An id leads to executions of its kind only, so this cannot come about.
pub(super) fn of_another_kind() -> Rejection {
    Rejection::Internal("the execution is of another kind".to_owned())
}

/// Payloads of pending things are about as large as the events that brought them.
fn workflow_weight(state: &workflow::State) -> usize {
    let pending = state.activities.len() * 2
        + state.timers.len()
        + state.children.len()
        + state.external_signals.len()
        + state.external_cancels.len()
        + state.nexus_operations.len() * 2
        + state.callbacks.len()
        + state.outbox.len()
        + state.request_ids.len()
        + state.updates.len();
    let admitted: usize = state.volatile.admitted.iter().map(|u| u.size).sum();
    // An id and a number.
    let completed_updates = state.completed_updates.len() * 128;
    let events = state.last_event_id().max(1);
    let event_bytes = usize::try_from(state.core.history_size / events).unwrap_or(0);
    let close = state
        .core
        .close
        .as_ref()
        .map_or(0, |_| size_of::<HistoryEvent>());
    WORKFLOW_BYTES
        + close
        + (pending + 1) * (PENDING_BYTES + event_bytes)
        + state.core.buffered_size
        + admitted
        + completed_updates
        + state.workflow_id.len()
}
