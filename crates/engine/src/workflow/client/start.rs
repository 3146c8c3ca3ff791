//! StartWorkflowExecution, SignalWithStartWorkflowExecution and the start of a child: what the workflow
//! id's current run means for a new one (behaviour, sections 4.8, 6.1 and 6.2).

use bytes::Bytes;
use proto::temporal::api::common::v1::{Payload, Payloads};
use proto::temporal::api::enums::v1::{
    WorkflowExecutionStatus as Status, WorkflowIdConflictPolicy as Conflict,
    WorkflowIdReusePolicy as Reuse,
};
use proto::temporal::api::history::v1::WorkflowExecutionOptionsUpdatedEventAttributes;
use proto::temporal::api::history::v1::history_event::Attributes;
use proto::temporal::api::workflowservice::v1::{
    SignalWithStartWorkflowExecutionRequest, SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
};
use uuid::Uuid;

use super::{signal, start_new, terminate, update};
use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
use crate::workflow::input::{StartChild, StartScheduled, Watcher};
use crate::workflow::peer;
use crate::workflow::state::update::update_id;
use crate::workflow::state::{FirstTask, State};
use crate::workflow::step::{Extras, SERVER_IDENTITY, Step};
use crate::workflow::transition::{NewRun, Reply, Transition, WorkflowTask};
use crate::workflow::update::{UpdateStage, UpdateWorkflow, update_stage};
use crate::workflow::versioning;
use crate::workflow::worker::workflow_task_started;

/// A request for a run.
#[derive(Clone, Debug)]
pub enum StartInput {
    /// StartWorkflowExecution, validated.
    Start(Box<StartWorkflowExecutionRequest>),
    /// SignalWithStartWorkflowExecution, validated.
    SignalWithStart(Box<SignalWithStartWorkflowExecutionRequest>),
    /// ExecuteMultiOperation: a start and an update, validated.
    UpdateWithStart(Box<StartWorkflowExecutionRequest>, Box<UpdateWorkflow>),
    /// A parent's wish.
    Child(Box<StartChild>),
    /// A schedule's action.
    Scheduled(Box<StartScheduled>),
}

impl StartInput {
    /// The workflow id that is to have a run.
    pub fn workflow_id(&self) -> &str {
        match self {
            Self::Start(request) | Self::UpdateWithStart(request, _) => &request.workflow_id,
            Self::SignalWithStart(request) => &request.workflow_id,
            Self::Child(child) => &child.request.workflow_id,
            Self::Scheduled(action) => &action.request.workflow_id,
        }
    }
}

/// What came of it. Everything in it is committed together.
#[derive(Debug)]
pub struct StartOutcome {
    /// A step of the current run: signalled, or terminated to make room.
    pub current: Option<Transition>,
    /// The run that was opened.
    pub new_run: Option<Box<NewRun>>,
    /// To the caller.
    pub reply: StartReply,
}

/// The answer to a start.
#[derive(Clone, Debug)]
pub struct StartReply {
    /// The run: new, or the one in its place.
    pub run_id: Uuid,
    /// The first run of its chain.
    pub first_execution_run_id: String,
    /// This request, or an earlier delivery of it, started the run.
    pub started: bool,
    /// Of the run.
    pub status: Status,
    /// The request's id, made up when the caller sent none.
    pub request_id: String,
    /// The first workflow task, for the caller to carry out itself.
    pub eager_workflow_task: Option<WorkflowTask>,
    /// How far the update is that came with the start.
    pub update: Option<UpdateStage>,
}

/// The parts of the three requests that they share.
pub(super) struct Wish {
    pub(super) start: StartWorkflowExecutionRequest,
    pub(super) signal: Option<SignalWorkflowExecutionRequest>,
    pub(super) child: Option<Box<StartChild>>,
    pub(super) update: Option<Box<UpdateWorkflow>>,
    /// The schedule whose action it is.
    pub(super) watcher: Option<Watcher>,
    pub(super) conflict: Conflict,
    pub(super) reuse: Reuse,
    /// What the current run has taken from other workflows.
    pub(super) taken_messages: Vec<String>,
}

/// Starts a run, or finds that the current one will do, or is in the way.
///
/// # Errors
/// When the id policies forbid it; nothing has changed then.
pub fn start(
    current: Option<&mut State>,
    input: StartInput,
    now: &mut Now,
    env: Env<'_>,
) -> Result<StartOutcome, Rejection> {
    let mut wish = Wish::from(input);
    if wish.start.request_id.is_empty() {
        wish.start.request_id = now.uuid().to_string();
    }
    if wish.child.is_none() {
        versioning::check_start(&wish.start, env)?;
    }
    let Some(state) = current else {
        wish.check_new(env)?;
        return Ok(start_new::open(wish, None, now, env));
    };
    if wish.update.is_some() && updates_existing(state, &wish) {
        return update_existing(state, wish, now, env);
    }
    if let Some(reply) = seen_before(state, &wish) {
        return Ok(StartOutcome {
            current: None,
            new_run: None,
            reply,
        });
    }
    wish.check_new(env)?;
    if !state.is_open() {
        check_reuse(state, wish.reuse)?;
        wish.taken_messages = peer::taken_messages(state);
        return Ok(start_new::open(wish, None, now, env));
    }
    match wish.conflict {
        Conflict::UseExisting => use_existing(state, wish, now, env),
        Conflict::TerminateExisting => {
            wish.taken_messages = peer::taken_messages(state);
            let run_id = now.run_id();
            let ended = terminate_existing(state, run_id, now, env);
            let mut outcome = start_new::open(wish, Some(run_id), now, env);
            outcome.current = Some(ended);
            Ok(outcome)
        }
        Conflict::Fail | Conflict::Unspecified => Err(already_started(
            state,
            format!(
                "Workflow execution is already running. WorkflowId: {}, RunId: {}.",
                state.workflow_id, state.run_id
            ),
        )),
    }
}

impl From<StartInput> for Wish {
    fn from(input: StartInput) -> Self {
        match input {
            StartInput::Start(request) => Self {
                conflict: conflict(request.workflow_id_conflict_policy, Conflict::Fail),
                reuse: reuse(request.workflow_id_reuse_policy),
                start: *request,
                signal: None,
                taken_messages: Vec::new(),
                child: None,
                update: None,
                watcher: None,
            }
            .with_legacy_policy(),
            StartInput::UpdateWithStart(request, update) => Self {
                update: Some(update),
                ..Self::from(StartInput::Start(request))
            },
            StartInput::SignalWithStart(request) => {
                let signal = SignalWorkflowExecutionRequest {
                    signal_name: request.signal_name.clone(),
                    input: request.signal_input.clone(),
                    identity: request.identity.clone(),
                    request_id: request.request_id.clone(),
                    header: request.header.clone(),
                    links: request.links.clone(),
                    ..SignalWorkflowExecutionRequest::default()
                };
                Self {
                    conflict: conflict(request.workflow_id_conflict_policy, Conflict::UseExisting),
                    reuse: reuse(request.workflow_id_reuse_policy),
                    start: start_part(*request),
                    signal: Some(signal),
                    taken_messages: Vec::new(),
                    child: None,
                    update: None,
                    watcher: None,
                }
                .with_legacy_policy()
            }
            StartInput::Child(child) => Self {
                conflict: Conflict::Fail,
                reuse: reuse(child.request.workflow_id_reuse_policy),
                start: (*child.request).clone(),
                signal: None,
                taken_messages: Vec::new(),
                child: Some(child),
                update: None,
                watcher: None,
            }
            .with_legacy_policy(),
            StartInput::Scheduled(action) => Self {
                conflict: Conflict::Fail,
                reuse: reuse(action.request.workflow_id_reuse_policy),
                start: *action.request,
                signal: None,
                taken_messages: Vec::new(),
                child: None,
                update: None,
                watcher: Some(action.watcher),
            },
        }
    }
}

impl Wish {
    /// The legacy reuse policy says what the conflict policy says now.
    fn with_legacy_policy(mut self) -> Self {
        if self.reuse == Reuse::TerminateIfRunning {
            self.conflict = Conflict::TerminateExisting;
            self.reuse = Reuse::AllowDuplicate;
        }
        self
    }

    /// Whether there may be a new run; it is refused before anything is opened or ended.
    fn check_new(&self, env: Env<'_>) -> Result<(), Rejection> {
        // Not sooner: a parent may ask again for a child that runs, when its version serves the queue no more.
        if self.child.is_some() {
            versioning::check_start(&self.start, env)?;
        }
        self.check_update(env)
    }

    /// Whether a new run can take the update.
    fn check_update(&self, env: Env<'_>) -> Result<(), Rejection> {
        let Some(update) = &self.update else {
            return Ok(());
        };
        update::check_size(0, &update.request, env.limits).map_err(of_update)
    }
}

/// Marks a refusal as one of the update.
fn of_update(rejection: Rejection) -> Rejection {
    Rejection::UpdateWithStart(Box::new(rejection))
}

/// Whether an update that comes with a start goes to the current run: it is known there, or the policy
/// says so (behaviour, section 6.3).
fn updates_existing(state: &State, wish: &Wish) -> bool {
    let known = wish
        .update
        .as_ref()
        .and_then(|update| update_stage(state, update_id(&update.request)));
    let same_start = *state.core.start.request_id == *wish.start.request_id;
    if matches!(known, Some(UpdateStage::CompletedAt(_))) || same_start {
        return true;
    }
    state.is_open() && (known.is_some() || wish.conflict == Conflict::UseExisting)
}

fn update_existing(
    state: &mut State,
    wish: Wish,
    now: &mut Now,
    env: Env<'_>,
) -> Result<StartOutcome, Rejection> {
    let mut reply = reply_for(state, &wish.start.request_id, false);
    let Some(update) = wish.update else {
        return Err(Rejection::Internal("an update is missing".to_owned()));
    };
    let mut step = Step::begin(state, now, env);
    match update::admit(&mut step, *update) {
        Ok(stage) => reply.update = Some(stage),
        Err(rejection) => {
            return step.reject(of_update(rejection)).map(|_| StartOutcome {
                current: None,
                new_run: None,
                reply,
            });
        }
    }
    Ok(StartOutcome {
        current: Some(step.finish(Ok(Reply::Done))),
        new_run: None,
        reply,
    })
}

fn conflict(wire: i32, default: Conflict) -> Conflict {
    match Conflict::try_from(wire) {
        Ok(Conflict::Unspecified) | Err(_) => default,
        Ok(policy) => policy,
    }
}

fn reuse(wire: i32) -> Reuse {
    match Reuse::try_from(wire) {
        Ok(Reuse::Unspecified) | Err(_) => Reuse::AllowDuplicate,
        Ok(policy) => policy,
    }
}

fn start_part(request: SignalWithStartWorkflowExecutionRequest) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        namespace: request.namespace,
        workflow_id: request.workflow_id,
        workflow_type: request.workflow_type,
        task_queue: request.task_queue,
        input: request.input,
        workflow_execution_timeout: request.workflow_execution_timeout,
        workflow_run_timeout: request.workflow_run_timeout,
        workflow_task_timeout: request.workflow_task_timeout,
        identity: request.identity,
        request_id: request.request_id,
        retry_policy: request.retry_policy,
        cron_schedule: request.cron_schedule,
        memo: request.memo,
        search_attributes: request.search_attributes,
        header: request.header,
        workflow_start_delay: request.workflow_start_delay,
        user_metadata: request.user_metadata,
        links: request.links,
        versioning_override: request.versioning_override,
        priority: request.priority,
        time_skipping_config: request.time_skipping_config,
        ..StartWorkflowExecutionRequest::default()
    }
}

/// A request that was taken before is answered as it was then, also when its run has closed.
fn seen_before(state: &State, wish: &Wish) -> Option<StartReply> {
    let child = wish.child.as_ref();
    if child.is_some_and(|child| is_asked_for_by(state, child)) {
        return Some(first_of_chain(state, &wish.start.request_id));
    }
    if wish.watcher.is_some() && state.core.start.watcher == wish.watcher {
        return Some(first_of_chain(state, &wish.start.request_id));
    }
    let request_id = wish.start.request_id.as_str();
    let seen = state.request_ids.get(request_id)?;
    let started = *state.core.start.request_id == *request_id;
    let ends_others = !started && wish.conflict == Conflict::TerminateExisting;
    if wish.signal.is_some() && (!seen.signaled || ends_others) {
        // A start took it, but never a signal, or this one would have ended this run: it is news.
        return None;
    }
    if !started && !seen.attached && wish.signal.is_none() {
        // The id of a signal, of an update or of a Nexus operation says nothing about starts.
        return None;
    }
    let mut reply = reply_for(state, request_id, started);
    if started && wish.start.request_eager_execution {
        reply.eager_workflow_task = workflow_task_started::first_task_again(state);
    }
    Some(reply)
}

/// Whether a run is of the chain that this very message has started: then the message comes again.
fn is_asked_for_by(state: &State, child: &StartChild) -> bool {
    let start = &state.core.start.attributes;
    start.parent_workflow_execution.as_ref() == Some(&child.parent.execution)
        && start.parent_initiated_event_id == child.parent.initiated_event_id
}

/// A parent knows a child, and a schedule an action, by the first run of its chain.
fn first_of_chain(state: &State, request_id: &str) -> StartReply {
    let mut reply = reply_for(state, request_id, true);
    if let Ok(first) = Uuid::parse_str(&reply.first_execution_run_id) {
        reply.run_id = first;
    }
    reply
}

fn reply_for(state: &State, request_id: &str, started: bool) -> StartReply {
    StartReply {
        run_id: state.run_id,
        first_execution_run_id: state.first_execution_run_id().to_owned(),
        started,
        status: state.core.status,
        request_id: request_id.to_owned(),
        eager_workflow_task: None,
        update: None,
    }
}

fn check_reuse(state: &State, reuse: Reuse) -> Result<(), Rejection> {
    let (id, run) = (&state.workflow_id, state.run_id);
    match reuse {
        Reuse::AllowDuplicateFailedOnly
            if matches!(
                state.core.status,
                Status::Completed | Status::ContinuedAsNew
            ) =>
        {
            Err(already_started(
                state,
                format!(
                    "Workflow execution already finished successfully. WorkflowId: {id}, RunId: {run}. \
                     Workflow Id reuse policy: allow duplicate workflow Id if last run failed."
                ),
            ))
        }
        Reuse::RejectDuplicate => Err(already_started(
            state,
            format!(
                "Workflow execution already finished. WorkflowId: {id}, RunId: {run}. \
                 Workflow Id reuse policy: reject duplicate workflow Id."
            ),
        )),
        _ => Ok(()),
    }
}

fn already_started(state: &State, message: String) -> Rejection {
    Rejection::AlreadyStarted {
        message,
        start_request_id: state.core.start.request_id.to_string(),
        run_id: state.run_id,
        first_execution_run_id: state.first_execution_run_id().to_owned(),
    }
}

fn use_existing(
    state: &mut State,
    wish: Wish,
    now: &mut Now,
    env: Env<'_>,
) -> Result<StartOutcome, Rejection> {
    let mut reply = reply_for(state, &wish.start.request_id, false);
    // A paused one runs, too, for whoever wants it to run.
    reply.status = Status::Running;
    let mut step = Step::begin(state, now, env);
    if let Some(request) = wish.signal {
        if let Err(rejection) = signal::admit(&step) {
            return step.reject(rejection).map(|_| StartOutcome {
                current: None,
                new_run: None,
                reply,
            });
        }
        let attributes = signal::attributes(&request, None);
        signal::record(&mut step, attributes, request.links);
        // Unlike a plain signal, this one ends a first task's delay (behaviour, section 4.8).
        if matches!(step.state.core.first_task, FirstTask::Delayed(_)) {
            step.schedule_workflow_task();
        }
    } else if let Some(options) = wish.start.on_conflict_options {
        let attach_links = options.attach_links && !wish.start.links.is_empty();
        let callbacks = if options.attach_completion_callbacks {
            wish.start.completion_callbacks
        } else {
            Vec::new()
        };
        let (known, max) = (step.state.callbacks.len(), env.limits.callbacks_max);
        if !callbacks.is_empty() && known + callbacks.len() > max {
            return step
                .reject(Rejection::FailedPrecondition(format!(
                    "cannot attach more than {max} callbacks to a workflow \
                     ({known} callbacks already attached)"
                )))
                .map(|_| StartOutcome {
                    current: None,
                    new_run: None,
                    reply,
                });
        }
        if options.attach_request_id || attach_links || !callbacks.is_empty() {
            let links = if options.attach_links {
                wish.start.links
            } else {
                Vec::new()
            };
            let attributes = WorkflowExecutionOptionsUpdatedEventAttributes {
                attached_request_id: wish.start.request_id,
                attached_completion_callbacks: callbacks,
                identity: wish.start.identity,
                ..WorkflowExecutionOptionsUpdatedEventAttributes::default()
            };
            step.external(
                Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(attributes),
                Extras {
                    links,
                    ..Extras::default()
                },
            );
        }
    }
    let transition = step.finish(Ok(Reply::Done));
    Ok(StartOutcome {
        current: Some(transition),
        new_run: None,
        reply,
    })
}

/// Ends the current run to make room for another (behaviour, section 6.1).
fn terminate_existing(
    state: &mut State,
    new_run_id: Uuid,
    now: &mut Now,
    env: Env<'_>,
) -> Transition {
    let mut step = Step::begin(state, now, env);
    let details = json_string(&format!("terminated by new runID: {new_run_id}"));
    terminate::record(
        &mut step,
        "TerminateIfRunning WorkflowIdReusePolicy".to_owned(),
        Some(Payloads {
            payloads: vec![details],
        }),
        SERVER_IDENTITY.to_owned(),
        Vec::new(),
    );
    step.finish(Ok(Reply::Done))
}

/// A string as a JSON payload. The texts that the server sends need no escapes.
pub(crate) fn json_string(text: &str) -> Payload {
    let encoding = ("encoding".to_owned(), Bytes::from_static(b"json/plain"));
    Payload {
        metadata: [encoding].into(),
        data: format!("\"{text}\"").into(),
        ..Payload::default()
    }
}
