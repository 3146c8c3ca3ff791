//! StartActivityExecution: what the id's current run means for a new one (behaviour, section 10.4).

use bytes::Bytes;
use proto::temporal::api::enums::v1::{
    ActivityIdConflictPolicy as Conflict, ActivityIdReusePolicy as Reuse,
};
use proto::temporal::api::workflowservice::v1::StartActivityExecutionRequest;
use uuid::Uuid;

use super::callback;
use super::record::{Attached, Change, ChangeKind, Created, Record};
use super::state::{State, Status};
use super::step::{Step, Transition, ready};
use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
use crate::workflow::transition::{Effect, Reply};

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

/// Starts an activity, or finds that the current one will do, or is in the way.
///
/// # Errors
/// When the id policies forbid it; nothing has changed then.
pub fn start(
    current: Option<&mut State>,
    request: StartActivityExecutionRequest,
    now: &mut Now,
    env: Env<'_>,
) -> Result<StartOutcome, Rejection> {
    let Some(state) = current else {
        return Ok(open(request, now, env));
    };
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
    let refusal = Rejection::ActivityAlreadyStarted {
        start_request_id: state.start().request_id.clone(),
        run_id: state.run_id,
    };
    if !state.is_open() {
        let reuse = Reuse::try_from(request.id_reuse_policy).unwrap_or_default();
        return match (reuse, state.status()) {
            (Reuse::RejectDuplicate, _) | (Reuse::AllowDuplicateFailedOnly, Status::Completed) => {
                Err(refusal)
            }
            _ => Ok(open(request, now, env)),
        };
    }
    if request.id_conflict_policy != Conflict::UseExisting as i32 {
        return Err(refusal);
    }
    let options = request.on_conflict_options.unwrap_or_default();
    let callbacks = if options.attach_completion_callbacks {
        request.completion_callbacks
    } else {
        Vec::new()
    };
    let links = if options.attach_links {
        request.links
    } else {
        Vec::new()
    };
    if callbacks.is_empty() && links.is_empty() {
        return Ok(found);
    }
    callback::check_room(state, callbacks.len(), env.limits.callbacks_max)?;
    let mut step = Step::begin(state, now, env);
    step.change(ChangeKind::Attached(Attached {
        request_id: request.request_id,
        links,
        callbacks,
    }));
    Ok(StartOutcome {
        current: Some(step.done(Reply::Done)),
        ..found
    })
}

/// Whether a request was taken before.
fn is_known(state: &State, request_id: &str) -> bool {
    let mut attached = state.core.attached.iter();
    state.start().request_id == request_id
        || attached.any(|attached| attached.request_id == request_id)
}

fn open(mut request: StartActivityExecutionRequest, now: &mut Now, env: Env<'_>) -> StartOutcome {
    let run_id = now.run_id();
    let activity_id: std::sync::Arc<str> = request.activity_id.as_str().into();
    // What is kept elsewhere, or was only for this moment.
    request.activity_id.clear();
    request.namespace.clear();
    request.id_reuse_policy = 0;
    request.id_conflict_policy = 0;
    request.on_conflict_options = None;
    let created = Created {
        namespace_id: Bytes::copy_from_slice(env.namespace.id.as_bytes()),
        namespace: env.namespace.name.to_string(),
        request: Some(request),
    };
    let time = now.time;
    let mut state = State::create(activity_id, run_id, &created, time.0);
    let record = Record {
        changes: vec![Change {
            kind: Some(ChangeKind::Created(Box::new(created))),
        }],
        time: time.0,
    };
    state.count(&record);
    let effects = ready(&mut state, time);
    StartOutcome {
        current: None,
        new_run: Some(Box::new(NewRun {
            state,
            record,
            effects,
        })),
        reply: StartReply {
            run_id,
            started: true,
        },
    }
}
