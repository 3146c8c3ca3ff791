//! ResetWorkflowExecution (behaviour, section 6.5): a run that begins with another one's events up to a workflow
//! task, which fails, and goes on from there.
//!
//! The new run's journal begins with the copied events, in the records of the old one; what the fold of them
//! leaves pending is what the new run has to do again. Reading the old journal is the caller's: this is pure.

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::enums::v1::{
    EventType, ResetReapplyExcludeType as Exclude, ResetReapplyType,
    WorkflowTaskFailedCause as Cause,
};
use proto::temporal::api::failure::v1::failure::FailureInfo;
use proto::temporal::api::failure::v1::{Failure, ResetWorkflowFailureInfo};
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::history::v1::{
    History, HistoryEvent, WorkflowTaskFailedEventAttributes, WorkflowTaskStartedEventAttributes,
};
use proto::temporal::api::workflow::v1::PostResetOperation;
use proto::temporal::api::workflow::v1::post_reset_operation::Variant;
use proto::temporal::api::workflowservice::v1::ResetWorkflowExecutionRequest;
use uuid::Uuid;

use super::activity_selection::offer_if_ready;
use super::reset_reapply::{Excluded, reapply};
use super::{terminate, update_workflow_options};
use crate::Env;
use crate::ids::{EventId, Now};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::workflow::input::ResetMark;
use crate::workflow::record::{Change, ChangeKind, Created, Origin, Record, ResetFrom};
use crate::workflow::state::State;
use crate::workflow::state::outbox::OutboxEntry;
use crate::workflow::step::{Extras, SERVER_IDENTITY, Step};
use crate::workflow::transition::{NewRun, Reply, Transition};

/// Who terminates a run to make room for its reset (behaviour, section 6.5).
const RESETTER: &str = "history-resetter";
/// The claim of a workflow task that nobody claimed.
const NO_REQUEST: &str = "emptyUuid";

/// What a reset needs besides the state of the run.
#[derive(Clone, Debug)]
pub struct ResetInput {
    /// The request, validated.
    pub request: Box<ResetWorkflowExecutionRequest>,
    /// The journal of the run that is reset.
    pub base: Vec<Record>,
    /// The events of the runs that continued it as new, in order: encoded `History` messages.
    pub successors: Vec<Bytes>,
    /// What waits in the buffer of the last of them, if that one is open and will be terminated.
    pub waiting: Vec<HistoryEvent>,
}

/// Opens the new run. The caller tells the others with a [`ResetMark`].
///
/// # Errors
/// When the run cannot be reset to this point; or its journal does not decode.
pub fn reset(
    base: &State,
    input: ResetInput,
    now: &mut Now,
    env: Env<'_>,
) -> Result<NewRun, Rejection> {
    let ResetInput {
        request,
        base: records,
        successors,
        waiting,
    } = input;
    let finish = request.workflow_task_finish_event_id;
    if finish <= 1 || finish > last_visible(base) {
        return Err(Rejection::invalid(
            "Workflow task finish ID must be > 1 && <= workflow last event ID.",
        ));
    }
    check_post_operations(&request.post_reset_operations)?;
    let excluded = excluded(&request)?;
    let run_id = now.run_id();
    let cut = |time| copy(&records, finish - 1, created(base, run_id, &request, time));
    let mut copy = cut(now.time)?;
    let mut state = fold(base, run_id, &copy.copied)?;
    if !state.ahead().is_zero() {
        // The new run begins in its own time, which its first events tell.
        copy = cut(state.own_time(now.time))?;
        state = fold(base, run_id, &copy.copied)?;
    }
    let Copy {
        copied,
        tail,
        task_started,
    } = copy;
    if state.core.workflow_task.is_none() {
        return Err(Rejection::invalid(format!(
            "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: {finish}"
        )));
    }
    let mut step = Step::begin(&mut state, now, env);
    step.send_all_messages();
    fail_task(&mut step, task_started, &request.reason, base.run_id);
    take_over_pending(&mut step);
    if !excluded.everything {
        let of_base = successors.is_empty();
        let (own_waiting, later_waiting) = if of_base {
            (waiting, Vec::new())
        } else {
            (Vec::new(), waiting)
        };
        reapply(
            &mut step,
            tail.into_iter().chain(own_waiting),
            true,
            &excluded,
        );
        for history in successors {
            reapply(&mut step, decode(&history)?.into_iter(), false, &excluded);
        }
        reapply(&mut step, later_waiting.into_iter(), false, &excluded);
    }
    carry_out_post_operations(&mut step, request.post_reset_operations)?;
    step.ensure_workflow_task();
    let pending: Vec<EventId> = step.state.activities.iter().map(|(id, _)| *id).collect();
    for id in pending {
        offer_if_ready(&mut step, id);
    }
    let (record, effects) = step.into_new_run_parts();
    Ok(NewRun {
        state,
        copied,
        record,
        effects,
    })
}

/// What a reset does to a run that was there.
pub(crate) fn mark(mut step: Step<'_>, mark: ResetMark) -> Result<Transition, Rejection> {
    if let Some(run_id) = mark.reset_to {
        let run_id = Bytes::copy_from_slice(run_id.as_bytes());
        step.change(ChangeKind::ResetTo(run_id));
    }
    if let Some(reason) = mark.terminate
        && step.state.is_open()
    {
        // Its chain goes on. A run of another chain ends for good, and tells those who must know.
        if mark.chain == step.state.first_execution_run_id() {
            step.change(ChangeKind::EndedByReset(true));
        }
        terminate::record(&mut step, reason, None, RESETTER.to_owned(), Vec::new());
    }
    step.done(Reply::Done)
}

/// The last event that clients see: a first attempt's start counts, though it is not stored yet.
fn last_visible(state: &State) -> EventId {
    match state.started_workflow_task() {
        Some((task, started)) if !task.is_unwritten() => started.event_id,
        _ => state.last_event_id(),
    }
}

fn excluded(request: &ResetWorkflowExecutionRequest) -> Result<Excluded, Rejection> {
    let kind = request.reset_reapply_type;
    let Ok(older) = ResetReapplyType::try_from(kind) else {
        let message = format!("unknown reset reapply type: {kind}");
        return Err(Rejection::Internal(message));
    };
    let types = &request.reset_reapply_exclude_types;
    let named = |kind: Exclude| types.contains(&(kind as i32));
    let signals = named(Exclude::Signal) || older == ResetReapplyType::None;
    let updates = named(Exclude::Update)
        || matches!(older, ResetReapplyType::None | ResetReapplyType::Signal);
    let nexus = named(Exclude::Nexus);
    let everything = signals && updates && nexus && named(Exclude::CancelRequest);
    Ok(Excluded {
        signals,
        updates,
        nexus,
        everything,
    })
}

fn created(
    base: &State,
    run_id: Uuid,
    request: &ResetWorkflowExecutionRequest,
    time: Timestamp,
) -> Created {
    let up_to = request.workflow_task_finish_event_id - 1;
    let start = &base.core.start;
    let before = start.reset.as_ref();
    let mut origins: Vec<Origin> = before.map_or_else(Vec::new, |reset| reset.origins.clone());
    origins.retain(|origin| origin.up_to < up_to);
    origins.push(Origin {
        up_to,
        run_id: base.origin_of(up_to),
    });
    // Messages that runs before the base took; its own are among the events.
    let inherited = base
        .request_ids
        .iter()
        .filter(|(id, seen)| seen.event_id == 0 && id.contains(':'));
    Created {
        namespace_id: Bytes::copy_from_slice(base.namespace_id.as_bytes()),
        run_id: Bytes::copy_from_slice(run_id.as_bytes()),
        request_id: start.request_id.to_string(),
        awaits_parent: false,
        namespace: start.namespace.to_string(),
        taken_messages: inherited.map(|(id, _)| id.to_string()).collect(),
        reset: Some(ResetFrom {
            time: time.0,
            request_id: request.request_id.clone(),
            origins,
        }),
        watcher: start.watcher.clone(),
    }
}

/// A journal cut in two.
struct Copy {
    /// The records of the new run.
    copied: Vec<Record>,
    /// The events behind the cut.
    tail: Vec<HistoryEvent>,
    /// The last copied event is the start of a workflow task.
    task_started: bool,
}

/// Cuts a journal behind an event. The cut is where a record ends, or behind the start of a workflow task, which
/// has a record of its own where tasks are written when they start.
fn copy(records: &[Record], up_to: EventId, created: Created) -> Result<Copy, Rejection> {
    let mut copied = Vec::new();
    let mut tail = Vec::new();
    let mut task_started = false;
    let mut at_boundary = false;
    for record in records {
        let mut events = decode(&record.history)?;
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            continue;
        };
        if first.event_id > up_to {
            tail.extend(events);
            continue;
        }
        let whole = last.event_id <= up_to;
        let history = if whole {
            record.history.clone()
        } else {
            let count = usize::try_from(up_to - first.event_id + 1).unwrap_or(0);
            tail.extend(events.split_off(count));
            History {
                events: events.clone(),
            }
            .encode_to_vec()
            .into()
        };
        let last = events.last();
        let reached = last.is_some_and(|last| last.event_id == up_to);
        task_started = last.is_some_and(|last| last.event_type() == EventType::WorkflowTaskStarted);
        at_boundary = reached && (whole || task_started);
        copied.push(Record {
            history,
            changes: Vec::new(),
            time: record.time,
        });
    }
    if !at_boundary {
        return Err(Rejection::invalid(format!(
            "StateRebuilder unable to Rebuild mutable state to event ID: {up_to}, version: 0, this event must be at the boundary"
        )));
    }
    if let Some(first) = copied.first_mut() {
        first.changes.push(Change {
            position: 0,
            kind: Some(ChangeKind::Created(created)),
        });
    }
    Ok(Copy {
        copied,
        tail,
        task_started,
    })
}

fn decode(history: &Bytes) -> Result<Vec<HistoryEvent>, Rejection> {
    History::decode(history.clone())
        .map(|history| history.events)
        .map_err(|error| Rejection::Internal(format!("a record does not decode: {error}")))
}

/// The state that the copied records lead to: the same fold as when they are read back.
fn fold(base: &State, run_id: Uuid, copied: &[Record]) -> Result<State, Rejection> {
    let records = copied.iter().map(Record::encode);
    crate::workflow::load(base.workflow_id.clone(), run_id, None, records)
        .map_err(|error| Rejection::Internal(error.to_string()))
}

/// The workflow task that the new run begins with fails: the worker begins again from there.
fn fail_task(step: &mut Step<'_>, task_started: bool, reason: &str, base_run_id: Uuid) {
    let Some(task) = &step.state.core.workflow_task else {
        return;
    };
    let scheduled_event_id = task.scheduled_event_id;
    let started_event_id = if task_started {
        step.state.last_event_id()
    } else {
        let history_size_bytes = step.state.core.history_size;
        step.write(Attributes::WorkflowTaskStartedEventAttributes(
            WorkflowTaskStartedEventAttributes {
                scheduled_event_id,
                identity: SERVER_IDENTITY.to_owned(),
                request_id: NO_REQUEST.to_owned(),
                history_size_bytes,
                ..WorkflowTaskStartedEventAttributes::default()
            },
        ))
    };
    let new_run_id = step.state.run_id.to_string();
    step.write_with(
        Attributes::WorkflowTaskFailedEventAttributes(WorkflowTaskFailedEventAttributes {
            scheduled_event_id,
            started_event_id,
            cause: Cause::ResetWorkflow as i32,
            failure: Some(Failure {
                message: reason.to_owned(),
                failure_info: Some(FailureInfo::ResetWorkflowFailureInfo(
                    ResetWorkflowFailureInfo::default(),
                )),
                ..Failure::default()
            }),
            identity: SERVER_IDENTITY.to_owned(),
            base_run_id: base_run_id.to_string(),
            new_run_id,
            ..WorkflowTaskFailedEventAttributes::default()
        }),
        Extras::default(),
    );
}

/// Activities that were pending begin their time now. Of the messages that the copied events caused, those are
/// sent again whose answers are not among them: their receivers recognise them.
fn take_over_pending(step: &mut Step<'_>) {
    if !step.state.activities.is_empty() {
        step.change(ChangeKind::ActivitiesRescheduled(true));
    }
    let state = &*step.state;
    let unanswered = |entry: &OutboxEntry| match entry {
        OutboxEntry::StartChild(id) => {
            let child = state.children.get(id);
            child.is_some_and(|child| child.started.is_none())
        }
        OutboxEntry::Signal(id) => state.external_signals.contains(id),
        OutboxEntry::RequestCancel(id) => state.external_cancels.contains(id),
        _ => false,
    };
    let answered = state.outbox.iter().filter(|(_, entry)| !unanswered(entry));
    let answered: Vec<u64> = answered.map(|(seq, _)| *seq).collect();
    for seq in answered {
        step.change(ChangeKind::Acknowledged(seq));
    }
}

fn check_post_operations(operations: &[PostResetOperation]) -> Result<(), Rejection> {
    for operation in operations {
        let kind = match &operation.variant {
            Some(Variant::UpdateWorkflowOptions(_)) => continue,
            Some(Variant::SignalWorkflow(_)) => "*workflow.PostResetOperation_SignalWorkflow_",
            None => "<nil>",
        };
        let message = format!("unsupported post reset operation: {kind}");
        return Err(Rejection::invalid(message));
    }
    Ok(())
}

fn carry_out_post_operations(
    step: &mut Step<'_>,
    operations: Vec<PostResetOperation>,
) -> Result<(), Rejection> {
    for operation in operations {
        if let Some(Variant::UpdateWorkflowOptions(update)) = operation.variant {
            let given = update.workflow_execution_options.unwrap_or_default();
            let paths = update
                .update_mask
                .map(|mask| mask.paths)
                .unwrap_or_default();
            update_workflow_options::apply(step, &given, &paths, "")?;
        }
    }
    Ok(())
}
