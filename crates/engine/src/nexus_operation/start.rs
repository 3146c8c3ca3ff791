//! StartNexusOperationExecution: what the id's current run means for a new one.

use std::sync::Arc;

use bytes::Bytes;
use proto::temporal::api::enums::v1::{
    NexusOperationExecutionStatus as Status, NexusOperationIdConflictPolicy as Conflict,
    NexusOperationIdReusePolicy as Reuse,
};
use proto::temporal::api::history::v1::NexusOperationScheduledEventAttributes;
use proto::temporal::api::workflowservice::v1::StartNexusOperationExecutionRequest;
use uuid::Uuid;

use super::ask::start_call;
use super::record::{Attached, Change, ChangeKind, Created, Record};
use super::state::State;
use super::step::{Step, Transition};
use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
use crate::workflow::transition::Effect;

/// A start: the request, validated, and what its endpoint's name stands for.
#[derive(Clone, Debug)]
pub struct Start {
    /// StartNexusOperationExecution.
    pub request: StartNexusOperationExecutionRequest,
    /// The endpoint.
    pub endpoint_id: String,
}

/// What came of a start. Everything in it is committed together.
#[derive(Debug)]
pub struct StartOutcome {
    /// A step of the current run, which something was attached to.
    pub(crate) current: Option<Transition>,
    /// The run that was opened.
    pub(crate) new_run: Option<Box<NewRun>>,
    /// To the caller.
    pub(crate) reply: StartReply,
}

/// A run that did not exist before.
#[derive(Debug)]
pub struct NewRun {
    /// Its state, the first record applied.
    pub(crate) state: State,
    /// Its first record.
    pub(crate) record: Record,
    /// To carry out once durable.
    pub(crate) effects: Vec<Effect>,
}

/// The answer to a start.
#[derive(Clone, Copy, Debug)]
pub struct StartReply {
    /// The run: new, or the one in its place.
    pub run_id: Uuid,
    /// This request started it, now.
    pub started: bool,
}

/// Starts an operation, or finds that the current one will do, or is in the way.
///
/// # Errors
/// When the id policies forbid it; nothing has changed then.
pub fn start(
    current: Option<&mut State>,
    start: Start,
    now: &mut Now,
    env: Env<'_>,
) -> Result<StartOutcome, Rejection> {
    let Some(state) = current else {
        return Ok(open(start, now, env));
    };
    let request = &start.request;
    let found = StartOutcome {
        current: None,
        new_run: None,
        reply: StartReply {
            run_id: state.run_id,
            started: false,
        },
    };
    if is_known(state, &request.request_id) {
        return Ok(found);
    }
    let refusal = Rejection::NexusOperationAlreadyStarted {
        start_request_id: state.start().request_id.clone(),
        run_id: state.run_id,
    };
    if !state.is_open() {
        let reuse = Reuse::try_from(request.id_reuse_policy).unwrap_or_default();
        return match (reuse, state.status()) {
            (Reuse::RejectDuplicate, _) | (Reuse::AllowDuplicateFailedOnly, Status::Completed) => {
                Err(refusal)
            }
            _ => Ok(open(start, now, env)),
        };
    }
    if request.id_conflict_policy != Conflict::UseExisting as i32 {
        return Err(refusal);
    }
    let options = request.on_conflict_options.unwrap_or_default();
    if !options.attach_links || request.links.is_empty() {
        return Ok(found);
    }
    let mut step = Step::begin(state, now, env);
    step.change(ChangeKind::Attached(Attached {
        request_id: start.request.request_id,
        links: start.request.links,
    }));
    Ok(StartOutcome {
        current: Some(step.done()),
        ..found
    })
}

/// Whether a request was taken before.
fn is_known(state: &State, request_id: &str) -> bool {
    let mut attached = state.core.attached.iter();
    state.start().request_id == request_id
        || attached.any(|attached| attached.request_id == request_id)
}

fn open(start: Start, now: &mut Now, env: Env<'_>) -> StartOutcome {
    let run_id = now.run_id();
    let time = now.time;
    let operation_id: Arc<str> = start.request.operation_id.as_str().into();
    let created = created(start, now.uuid(), env);
    let mut state = State::create(operation_id, run_id, &created, time);
    let record = Record {
        changes: vec![Change {
            kind: Some(ChangeKind::Created(Box::new(created))),
        }],
        time: time.0,
    };
    state.count(&record);
    // One that has no time for a request is timed out as soon as time passes.
    let call = start_call(&mut state, time).ok();
    let effects = call.map(|call| Effect::NexusCall(Box::new(call)));
    StartOutcome {
        current: None,
        new_run: Some(Box::new(NewRun {
            state,
            record,
            effects: effects.into_iter().collect(),
        })),
        reply: StartReply {
            run_id,
            started: true,
        },
    }
}

/// The first change: the operation as a workflow would schedule it, and what is left of the request.
fn created(start: Start, request_id: Uuid, env: Env<'_>) -> Created {
    let mut request = start.request;
    let scheduled = NexusOperationScheduledEventAttributes {
        endpoint: std::mem::take(&mut request.endpoint),
        service: std::mem::take(&mut request.service),
        operation: std::mem::take(&mut request.operation),
        input: request.input.take(),
        schedule_to_close_timeout: request.schedule_to_close_timeout.take(),
        nexus_header: std::mem::take(&mut request.nexus_header),
        workflow_task_completed_event_id: 0,
        request_id: request_id.to_string(),
        endpoint_id: start.endpoint_id,
        schedule_to_start_timeout: request.schedule_to_start_timeout.take(),
        start_to_close_timeout: request.start_to_close_timeout.take(),
    };
    // What is kept elsewhere, or was only for this moment.
    request.operation_id.clear();
    request.namespace.clear();
    request.id_reuse_policy = 0;
    request.id_conflict_policy = 0;
    request.on_conflict_options = None;
    Created {
        namespace_id: Bytes::copy_from_slice(env.namespace.id.as_bytes()),
        namespace: env.namespace.name.to_string(),
        request: Some(request),
        scheduled: Some(scheduled),
    }
}
