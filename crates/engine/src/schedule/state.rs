//! A schedule's state: a fold of its journal. What can be derived is derived anew after each step.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::common::v1::{Memo, Payloads, SearchAttributes, WorkflowExecution};
use proto::temporal::api::enums::v1::{ScheduleOverlapPolicy as Overlap, WorkflowExecutionStatus};
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::schedule::v1::{
    Schedule, ScheduleActionResult, SchedulePolicies, ScheduleSpec, ScheduleState,
};
use proto::temporal::api::workflow::v1::NewWorkflowExecutionInfo;
use uuid::Uuid;

use super::advance::BACKFILL_BUFFER_MAX;
use super::record::{Backfill, ChangeKind, Record, Start};
use super::spec::{Next, Spec, SpecError};
use crate::time::{Timestamp, duration};

/// The conflict token of a schedule that nobody has changed.
pub const INITIAL_CONFLICT_TOKEN: i64 = 1;

/// A schedule without more to do is kept for so long.
const IDLE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// So many actions are shown.
pub(super) const RECENT_MAX: usize = 10;

/// Excluded times that one look for the next time passes over.
pub(super) const EXCLUDED_MAX: usize = 20_000;

const CATCHUP_DEFAULT: Duration = Duration::from_secs(365 * 24 * 3600);
const CATCHUP_MIN: Duration = Duration::from_secs(10);

/// How long a backfill waits between two portions.
const BACKFILL_PAUSE: Duration = Duration::from_secs(1);

/// The state of one schedule.
#[derive(Clone, Debug)]
pub struct State {
    /// The id under which lists know it.
    pub workflow_id: Arc<str>,
    /// This life of the schedule: one that is created again after its end has another.
    pub run_id: Uuid,
    /// Its namespace.
    pub namespace_id: Uuid,
    /// Everything durable.
    pub core: Core,
    /// From the schedule's spec.
    spec: Arc<Result<Spec, SpecError>>,
    /// The next time of its own accord, paused or not.
    next: Next,
}

/// Everything durable. It is its own snapshot.
#[derive(Clone, PartialEq, Message)]
pub struct Core {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) namespace_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) run_id: Bytes,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
    #[prost(string, tag = "4")]
    pub(super) schedule_id: String,
    /// The request that created it.
    #[prost(string, tag = "5")]
    pub(super) request_id: String,
    /// With its defaults filled in.
    #[prost(message, optional, tag = "6")]
    pub(super) schedule: Option<Schedule>,
    #[prost(message, optional, tag = "7")]
    pub(super) memo: Option<Memo>,
    #[prost(message, optional, tag = "8")]
    pub(super) search_attributes: Option<SearchAttributes>,
    /// Nanoseconds since the epoch, as all times here.
    #[prost(sfixed64, tag = "9")]
    pub(super) create_time: i64,
    /// 0 before the first update.
    #[prost(sfixed64, tag = "10")]
    pub(super) update_time: i64,
    /// All times up to here have been looked at.
    #[prost(sfixed64, tag = "11")]
    pub(super) processed_to: i64,
    #[prost(int64, tag = "12")]
    pub(super) conflict_token: i64,
    #[prost(int64, tag = "13")]
    pub(super) action_count: i64,
    #[prost(int64, tag = "14")]
    pub(super) missed_catchup_window: i64,
    #[prost(int64, tag = "15")]
    pub(super) overlap_skipped: i64,
    #[prost(int64, tag = "16")]
    pub(super) buffer_dropped: i64,
    /// Starts that wait for their turn.
    #[prost(message, repeated, tag = "17")]
    pub(super) buffer: Vec<Start>,
    /// Starts that were asked for and not answered.
    #[prost(message, repeated, tag = "18")]
    pub(super) asked: Vec<AskedStart>,
    /// Actions that run and that others may not overlap.
    #[prost(message, repeated, tag = "19")]
    pub(super) running: Vec<Running>,
    /// The last actions.
    #[prost(message, repeated, tag = "20")]
    pub(super) recent: Vec<Recent>,
    /// Backfills under way.
    #[prost(message, repeated, tag = "21")]
    pub(super) backfills: Vec<Backfill>,
    /// What the last action completed with.
    #[prost(message, optional, tag = "22")]
    pub(super) last_completion_result: Option<Payloads>,
    /// What the last action failed with, unless one has completed since.
    #[prost(message, optional, tag = "23")]
    pub(super) continued_failure: Option<Failure>,
    /// Messages not yet answered.
    #[prost(message, repeated, tag = "24")]
    pub(super) outbox: Vec<Queued>,
    /// The number of the last start or backfill.
    #[prost(uint64, tag = "25")]
    pub(super) last_number: u64,
    /// The number of the last message.
    #[prost(uint64, tag = "26")]
    pub(super) last_message: u64,
    /// Records in the journal.
    #[prost(uint64, tag = "27")]
    pub seq: u64,
    /// The last requests taken.
    #[prost(string, repeated, tag = "28")]
    pub(super) request_ids: Vec<String>,
    /// When it ended; 0 while it lives.
    #[prost(sfixed64, tag = "29")]
    pub(super) ended_time: i64,
    /// It ended because a client deleted it.
    #[prost(bool, tag = "30")]
    pub(super) deleted: bool,
    /// When a backfill made progress.
    #[prost(sfixed64, tag = "31")]
    pub(super) backfilled_at: i64,
}

/// A start that was asked for and not answered.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct AskedStart {
    #[prost(message, required, tag = "1")]
    pub(super) start: Start,
    #[prost(bool, tag = "2")]
    pub(super) allow_all: bool,
}

/// An action that runs.
#[derive(Clone, PartialEq, Message)]
pub struct Running {
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    #[prost(message, required, tag = "2")]
    pub(super) execution: WorkflowExecution,
    #[prost(bool, tag = "3")]
    pub(super) cancelled: bool,
    #[prost(bool, tag = "4")]
    pub(super) terminated: bool,
}

/// An action of late.
#[derive(Clone, PartialEq, Message)]
pub struct Recent {
    #[prost(uint64, tag = "1")]
    pub(super) number: u64,
    #[prost(message, required, tag = "2")]
    pub(super) result: ScheduleActionResult,
}

/// A message that was not answered.
#[derive(Clone, PartialEq, Message)]
pub struct Queued {
    #[prost(uint64, tag = "1")]
    pub(super) seq: u64,
    /// The start that is asked for, or the action that is to end.
    #[prost(uint64, tag = "2")]
    pub(super) number: u64,
    /// The action that is to end; none for a start.
    #[prost(message, optional, tag = "3")]
    pub(super) stop: Option<WorkflowExecution>,
    #[prost(bool, tag = "4")]
    pub(super) terminate: bool,
}

impl State {
    /// A schedule as its first record makes it, before that is applied.
    pub(super) fn create(workflow_id: Arc<str>, record: &Record) -> Option<Self> {
        let kind = record.changes.first()?.kind.as_ref()?;
        let ChangeKind::Created(created) = kind else {
            return None;
        };
        let core = Core {
            namespace_id: created.namespace_id.clone(),
            run_id: created.run_id.clone(),
            ..Core::default()
        };
        Some(Self::of(workflow_id, core))
    }

    pub(super) fn of(workflow_id: Arc<str>, core: Core) -> Self {
        let mut state = Self {
            workflow_id,
            run_id: Uuid::from_slice(&core.run_id).unwrap_or(Uuid::nil()),
            namespace_id: Uuid::from_slice(&core.namespace_id).unwrap_or(Uuid::nil()),
            core,
            spec: Arc::new(Spec::compile(&ScheduleSpec::default())),
            next: Next::Never,
        };
        state.compile();
        state.derive();
        state
    }

    /// It has not ended.
    pub fn is_open(&self) -> bool {
        self.core.ended_time == 0
    }

    /// When it ended.
    pub fn ended_time(&self) -> Option<Timestamp> {
        (!self.is_open()).then_some(Timestamp(self.core.ended_time))
    }

    /// Nothing that it sent waits for an answer.
    pub fn is_silent(&self) -> bool {
        self.core.outbox.is_empty()
    }

    /// The client's own id for it.
    pub fn schedule_id(&self) -> &str {
        &self.core.schedule_id
    }

    /// Equality of everything durable.
    pub fn same_durable(&self, other: &Self) -> bool {
        self.workflow_id == other.workflow_id && self.core == other.core
    }

    /// What an ended schedule's status looks like in lists.
    pub(super) fn status(&self) -> WorkflowExecutionStatus {
        if self.is_open() {
            WorkflowExecutionStatus::Running
        } else if self.core.deleted {
            WorkflowExecutionStatus::Terminated
        } else {
            WorkflowExecutionStatus::Completed
        }
    }

    /// When it must be looked at next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if !self.is_open() {
            return None;
        }
        let own = match self.next {
            _ if !self.may_act(false) => None,
            Next::Never => None,
            Next::At { actual, .. } => Some(actual),
            Next::NotUntil(searched) => Some(searched),
        };
        [own, self.backfills_at(), self.idle_until()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When a server that starts afresh must load it.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.is_silent() {
            self.next_deadline()
        } else {
            Some(Timestamp::MIN)
        }
    }

    /// A rough estimate of the memory that it takes.
    pub fn weight(&self) -> usize {
        /// Structures, and the compiled spec.
        const BYTES: usize = 2 << 10;
        BYTES + 2 * self.core.encoded_len()
    }

    /// When backfills go on: they come in portions.
    pub(super) fn backfills_at(&self) -> Option<Timestamp> {
        let core = &self.core;
        let may = !core.backfills.is_empty() && core.buffer.len() < BACKFILL_BUFFER_MAX;
        may.then(|| Timestamp(core.backfilled_at).after(BACKFILL_PAUSE))
    }

    /// When a schedule without more to do has been kept for long enough.
    pub(super) fn idle_until(&self) -> Option<Timestamp> {
        let core = &self.core;
        let busy = self.paused()
            || !core.backfills.is_empty()
            || !core.asked.is_empty()
            || !core.buffer.is_empty()
            || !core.running.is_empty();
        if busy || (self.next != Next::Never && self.may_act(false)) {
            return None;
        }
        let acted = core.recent.last();
        let acted = acted.and_then(|recent| recent.result.actual_time.as_ref());
        let acted = acted.map_or(0, |time| Timestamp::from_proto(time).0);
        let last = acted.max(core.create_time).max(core.update_time);
        Some(Timestamp(last).after(IDLE_MAX))
    }

    /// What is derived from the rest: after every step and every load.
    pub(super) fn derive(&mut self) {
        self.next = self.next_after(Timestamp(self.core.processed_to));
    }

    /// Whether its own next time has come, or a look for it can go on.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        match self.next {
            Next::Never => false,
            Next::At { actual, .. } => actual <= now,
            Next::NotUntil(searched) => searched <= now,
        }
    }

    /// The next time of its own accord.
    pub(super) fn next(&self) -> Next {
        self.next
    }

    pub(super) fn next_after(&self, after: Timestamp) -> Next {
        match &*self.spec {
            Ok(spec) => spec.next(&self.jitter_seed(), after, EXCLUDED_MAX),
            Err(_) => Next::Never,
        }
    }

    /// Why the spec cannot be used; none was stored in that way, but rules change.
    pub(super) fn spec_error(&self) -> Option<&SpecError> {
        self.spec.as_ref().as_ref().err()
    }

    fn jitter_seed(&self) -> String {
        format!("{}-{}", self.namespace_id, self.core.schedule_id)
    }

    pub(super) fn compile(&mut self) {
        let spec = self.schedule().and_then(|schedule| schedule.spec.as_ref());
        self.spec = Arc::new(Spec::compile(spec.unwrap_or(&ScheduleSpec::default())));
    }

    pub(super) fn schedule(&self) -> Option<&Schedule> {
        self.core.schedule.as_ref()
    }

    /// What it starts.
    pub(super) fn action(&self) -> Option<&NewWorkflowExecutionInfo> {
        use proto::temporal::api::schedule::v1::schedule_action::Action;
        let Action::StartWorkflow(start) = self.schedule()?.action.as_ref()?.action.as_ref()?;
        Some(start)
    }

    fn policies(&self) -> Option<&SchedulePolicies> {
        self.schedule()?.policies.as_ref()
    }

    pub(super) fn pauses_on_failure(&self) -> bool {
        self.policies()
            .is_some_and(|policies| policies.pause_on_failure)
    }

    pub(super) fn catchup_window(&self) -> Duration {
        catchup_window(self.policies())
    }

    /// The policy of a start.
    pub(super) fn overlap_policy(&self, own: i32) -> Overlap {
        match Overlap::try_from(own) {
            Ok(Overlap::Unspecified) | Err(_) => overlap_policy(self.policies()),
            Ok(policy) => policy,
        }
    }

    pub(super) fn schedule_state(&self) -> Option<&ScheduleState> {
        self.schedule()?.state.as_ref()
    }

    pub(super) fn paused(&self) -> bool {
        self.schedule_state().is_some_and(|state| state.paused)
    }

    /// Whether an action may be taken now.
    pub(super) fn may_act(&self, manual: bool) -> bool {
        let state = self.schedule_state();
        manual
            || state.is_none_or(|state| {
                !state.paused && (!state.limited_actions || state.remaining_actions > 0)
            })
    }
}

/// What an action means while another runs.
pub(super) fn overlap_policy(policies: Option<&SchedulePolicies>) -> Overlap {
    let policy = policies.map_or(0, |policies| policies.overlap_policy);
    match Overlap::try_from(policy) {
        Ok(Overlap::Unspecified) | Err(_) => Overlap::Skip,
        Ok(policy) => policy,
    }
}

/// How late an action may be.
pub(super) fn catchup_window(policies: Option<&SchedulePolicies>) -> Duration {
    match policies.and_then(|policies| policies.catchup_window.as_ref()) {
        None => CATCHUP_DEFAULT,
        Some(window) => duration(Some(window)).max(CATCHUP_MIN),
    }
}
