//! What a schedule says to workflows, and what it hears of them.

use proto::temporal::api::common::v1::{SearchAttributes, WorkflowExecution};
use proto::temporal::api::enums::v1::{WorkflowExecutionStatus as Status, WorkflowIdReusePolicy};
use proto::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;

use super::record::{ChangeKind, Closed, Paused, Refused, Start, Started};
use super::state::{AskedStart, Queued, State};
use super::{advance, step::Step};
use crate::execution::Kind;
use crate::retry;
use crate::search_attributes::value::Value;
use crate::time::Timestamp;
use crate::workflow::input::{ActionClosed, Peer, PeerAnswer, StartScheduled, StopAction, Watcher};
use crate::workflow::transition::Send;

/// Bytes of a failure's message that a pause's note quotes.
const QUOTED_MAX: usize = 800;

/// What waits for an answer, to be sent again.
pub fn ready(state: &State) -> Vec<Send> {
    sends_after(state, 0)
}

/// The messages queued after this one.
pub(super) fn sends_after(state: &State, seq: u64) -> Vec<Send> {
    let queued = state.core.outbox.iter();
    let queued = queued.filter(|queued| queued.seq > seq);
    queued.filter_map(|queued| send(state, queued)).collect()
}

fn send(state: &State, queued: &Queued) -> Option<Send> {
    let (workflow_id, message) = match &queued.stop {
        Some(execution) => (
            execution.workflow_id.clone(),
            stop(state, queued, execution),
        ),
        None => {
            let mut asked = state.core.asked.iter();
            let asked = asked.find(|asked| asked.start.number == queued.number)?;
            let request = start_request(state, asked)?;
            (
                request.workflow_id.clone(),
                Peer::StartScheduled(Box::new(StartScheduled {
                    watcher: watcher(state, queued.number),
                    request: Box::new(request),
                })),
            )
        }
    };
    Some(Send {
        seq: queued.seq,
        namespace_id: state.namespace_id,
        kind: Kind::Workflow,
        workflow_id,
        run_id: None,
        message,
    })
}

fn stop(state: &State, queued: &Queued, execution: &WorkflowExecution) -> Peer {
    let how = if queued.terminate {
        "terminated"
    } else {
        "cancelled"
    };
    Peer::StopAction(Box::new(StopAction {
        first_execution_run_id: execution.run_id.clone(),
        reason: format!("{how} by schedule overlap policy"),
        identity: identity(state),
        request_id: format!("{}:{}", state.run_id, queued.seq),
        terminate: queued.terminate,
    }))
}

/// Who hears of an action's end.
fn watcher(state: &State, number: u64) -> Watcher {
    Watcher {
        workflow_id: state.workflow_id.to_string(),
        run_id: state.run_id.into_bytes().to_vec().into(),
        number,
    }
}

fn identity(state: &State) -> String {
    let core = &state.core;
    format!("temporal-scheduler-{}-{}", core.namespace, core.schedule_id)
}

/// The second in which a start is due, as its workflow's id and search attribute show it.
fn nominal_second(start: &Start) -> Timestamp {
    Timestamp(start.nominal_time - start.nominal_time.rem_euclid(1_000_000_000))
}

/// The id of an action's workflow.
pub(super) fn workflow_id(base: &str, start: &Start) -> String {
    let time = jiff::Timestamp::from_second(start.nominal_time.div_euclid(1_000_000_000));
    format!("{base}-{}", time.unwrap_or_default())
}

fn start_request(state: &State, asked: &AskedStart) -> Option<StartWorkflowExecutionRequest> {
    let action = state.action()?.clone();
    let start = &asked.start;
    // A time is one action, whatever becomes of it; one that somebody asks for is taken again.
    let reuse = if start.manual {
        WorkflowIdReusePolicy::AllowDuplicate
    } else {
        WorkflowIdReusePolicy::RejectDuplicate
    };
    // Actions that run beside each other do not follow one another.
    let (result, failure) = if asked.allow_all {
        (None, None)
    } else {
        (
            state.core.last_completion_result.clone(),
            state.core.continued_failure.clone(),
        )
    };
    let mut search_attributes = action.search_attributes.unwrap_or_default();
    add_search_attributes(&mut search_attributes, state, start);
    let nominal = jiff::Timestamp::from_nanosecond(start.nominal_time.into());
    Some(StartWorkflowExecutionRequest {
        namespace: state.core.namespace.clone(),
        workflow_id: workflow_id(&action.workflow_id, start),
        workflow_type: action.workflow_type,
        task_queue: action.task_queue,
        input: action.input,
        workflow_execution_timeout: action.workflow_execution_timeout,
        workflow_run_timeout: action.workflow_run_timeout,
        workflow_task_timeout: action.workflow_task_timeout,
        identity: identity(state),
        // The same whenever it is sent.
        request_id: format!(
            "{}:{}:{}",
            state.run_id,
            nominal.unwrap_or_default(),
            start.number
        ),
        workflow_id_reuse_policy: reuse as i32,
        retry_policy: action.retry_policy.as_ref().map(retry::with_defaults),
        memo: action.memo,
        search_attributes: Some(search_attributes),
        header: action.header,
        last_completion_result: result,
        continued_failure: failure,
        user_metadata: action.user_metadata,
        priority: action.priority,
        versioning_override: action.versioning_override,
        ..StartWorkflowExecutionRequest::default()
    })
}

fn add_search_attributes(attributes: &mut SearchAttributes, state: &State, start: &Start) {
    let time = Value::Datetime(nominal_second(start).0).to_payload();
    let id = Value::Keyword(state.core.schedule_id.clone()).to_payload();
    let fields = &mut attributes.indexed_fields;
    fields.insert("TemporalScheduledStartTime".to_owned(), time);
    fields.insert("TemporalScheduledById".to_owned(), id);
}

/// The answer to a message has come.
pub(super) fn answered(step: &mut Step<'_>, seq: u64, answer: PeerAnswer) {
    let mut outbox = step.state.core.outbox.iter();
    // An answer that comes twice finds its message gone.
    let Some(queued) = outbox.find(|queued| queued.seq == seq).cloned() else {
        return;
    };
    step.change(ChangeKind::Acknowledged(seq));
    if queued.stop.is_none() {
        match answer {
            PeerAnswer::ChildStarted(run_id) => started(step, queued.number, run_id.to_string()),
            PeerAnswer::ChildAlreadyExists => refused(step, queued.number, true),
            _ => refused(step, queued.number, false),
        }
    }
    advance::advance(step);
}

fn started(step: &mut Step<'_>, number: u64, run_id: String) {
    let mut asked = step.state.core.asked.iter();
    // Its end may have been told before.
    let Some(asked) = asked.find(|asked| asked.start.number == number) else {
        return;
    };
    let base = step.state.action().map_or("", |action| &action.workflow_id);
    let workflow_id = workflow_id(base, &asked.start);
    step.change(ChangeKind::Started(Started {
        number,
        run_id,
        workflow_id,
    }));
}

fn refused(step: &mut Step<'_>, number: u64, overlaps: bool) {
    step.change(ChangeKind::Refused(Refused { number, overlaps }));
}

/// The chain of an action has closed.
pub(super) fn closed(step: &mut Step<'_>, closed: ActionClosed) {
    let number = closed.number;
    // The end may overtake the answer to the start, which says nothing more then.
    let mut asked = step.state.core.asked.iter();
    if asked.any(|asked| asked.start.number == number) {
        started(step, number, closed.first_execution_run_id);
    }
    let core = &step.state.core;
    let mut running = core.running.iter();
    let follows = running.any(|running| running.number == number);
    let mut recent = core.recent.iter();
    let shown = recent.any(|recent| {
        recent.number == number && recent.result.start_workflow_status == Status::Running as i32
    });
    if !follows && !shown {
        return;
    }
    let mut workflows = core.recent.iter().filter(|recent| recent.number == number);
    let execution = workflows
        .next()
        .and_then(|r| r.result.start_workflow_result.clone());
    let workflow_id = execution.map_or_else(String::new, |execution| execution.workflow_id);
    let message = closed
        .failure
        .as_ref()
        .map_or("", |failure| &failure.message);
    let notes = match Status::try_from(closed.status) {
        Ok(Status::Failed) => Some(format!(
            "paused due to workflow failure: {workflow_id}: {}",
            quoted(message)
        )),
        Ok(Status::TimedOut) => Some(format!("paused due to workflow timeout: {workflow_id}")),
        _ => None,
    };
    step.change(ChangeKind::Closed(Box::new(Closed {
        number,
        status: closed.status,
        result: closed.result.filter(|_| follows),
        failure: closed.failure.filter(|_| follows),
    })));
    if let Some(notes) = notes
        && step.state.is_open()
        && step.state.pauses_on_failure()
        && !step.state.paused()
    {
        // What was due before the pause is due.
        advance::pass_time(step);
        step.change(ChangeKind::Paused(Paused {
            paused: true,
            notes,
        }));
    }
    advance::advance(step);
}

/// The beginning of a text, cut between letters.
fn quoted(text: &str) -> &str {
    let mut end = text.len().min(QUOTED_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
