//! Starting executions: the door for ids that may not have a run yet.

use std::borrow::Cow;

use proto::temporal::api::workflowservice::v1::{
    CreateScheduleRequest, StartActivityExecutionRequest,
};
use uuid::Uuid;

use super::door::of_another_kind;
use super::{Execution, Kind, Peer, PeerAnswer, Record, Transition};
use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
use crate::workflow::transition::Effect;
use crate::{activity, nexus_operation, schedule, workflow};

/// A request for an execution.
#[derive(Clone, Debug)]
pub enum StartInput {
    /// For a run of a workflow.
    Workflow(workflow::StartInput),
    /// StartActivityExecution, validated.
    Activity(Box<StartActivityExecutionRequest>),
    /// CreateSchedule, validated.
    Schedule(Box<CreateScheduleRequest>),
    /// StartNexusOperationExecution, validated.
    NexusOperation(Box<nexus_operation::Start>),
}

/// An execution that did not exist before, its first record applied.
#[derive(Debug)]
pub enum NewRun {
    /// A run of a workflow.
    Workflow(Box<workflow::transition::NewRun>),
    /// A standalone activity.
    Activity(Box<activity::NewRun>),
    /// A schedule.
    Schedule(Box<schedule::NewSchedule>),
    /// A standalone Nexus operation.
    NexusOperation(Box<nexus_operation::NewRun>),
}

/// What came of a start. Everything in it is committed together.
#[derive(Debug)]
pub struct StartOutcome {
    /// A step of the current run.
    pub current: Option<Transition>,
    /// The run that was opened.
    pub new_run: Option<NewRun>,
    /// To the caller.
    pub reply: StartReply,
}

/// The answer to a start.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an eager workflow task rides along; the answer is boxed where it waits"
)]
pub enum StartReply {
    /// Of a workflow.
    Workflow(workflow::StartReply),
    /// Of a standalone activity.
    Activity(activity::StartReply),
    /// Of a schedule: this life of it.
    Schedule(Uuid),
    /// Of a standalone Nexus operation.
    NexusOperation(nexus_operation::StartReply),
}

impl StartInput {
    /// What kind is to be started.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Workflow(_) => Kind::Workflow,
            Self::Activity(_) => Kind::Activity,
            Self::Schedule(_) => Kind::Schedule,
            Self::NexusOperation(_) => Kind::NexusOperation,
        }
    }

    /// The id that is to have a run.
    pub fn id(&self) -> Cow<'_, str> {
        match self {
            Self::Workflow(input) => input.workflow_id().into(),
            Self::Activity(request) => request.activity_id.as_str().into(),
            Self::Schedule(request) => schedule::workflow_id(&request.schedule_id).into(),
            Self::NexusOperation(start) => start.request.operation_id.as_str().into(),
        }
    }
}

impl StartReply {
    /// The run: new, or the one in its place.
    pub fn run_id(&self) -> Uuid {
        match self {
            Self::Workflow(reply) => reply.run_id,
            Self::Activity(reply) => reply.run_id,
            Self::Schedule(run_id) => *run_id,
            Self::NexusOperation(reply) => reply.run_id,
        }
    }
}

impl NewRun {
    /// The run's id.
    pub fn run_id(&self) -> Uuid {
        match self {
            Self::Workflow(run) => run.state.run_id,
            Self::Activity(run) => run.state.run_id,
            Self::Schedule(new) => new.state.run_id,
            Self::NexusOperation(run) => run.state.run_id,
        }
    }

    /// What it has from another run, whose events it begins with: records before its first own one.
    pub fn take_copied(&mut self) -> Vec<Record> {
        match self {
            Self::Workflow(run) => {
                let copied = std::mem::take(&mut run.copied);
                copied.into_iter().map(Record::Workflow).collect()
            }
            Self::Activity(_) | Self::Schedule(_) | Self::NexusOperation(_) => Vec::new(),
        }
    }

    /// Its state, its first record, and what to carry out once that is durable.
    pub fn into_parts(self) -> (Execution, Record, Vec<Effect>) {
        match self {
            Self::Workflow(run) => {
                let run = *run;
                (
                    Execution::Workflow(run.state),
                    Record::Workflow(run.record),
                    run.effects,
                )
            }
            Self::Activity(run) => {
                let run = *run;
                (
                    Execution::Activity(run.state),
                    Record::Activity(run.record),
                    run.effects,
                )
            }
            Self::Schedule(new) => {
                let new = *new;
                (
                    Execution::Schedule(Box::new(new.state)),
                    Record::Schedule(new.record),
                    new.sends.into_iter().map(Effect::Send).collect(),
                )
            }
            Self::NexusOperation(run) => {
                let run = *run;
                (
                    Execution::NexusOperation(Box::new(run.state)),
                    Record::NexusOperation(run.record),
                    run.effects,
                )
            }
        }
    }
}

/// Starts an execution, or finds that the current run of the id will do, or is in the way.
///
/// # Errors
/// When the id policies forbid it, or the current run is of another kind; nothing has changed then.
pub fn start(
    current: Option<&mut Execution>,
    input: StartInput,
    now: &mut Now,
    env: Env<'_>,
) -> Result<StartOutcome, Rejection> {
    match input {
        StartInput::Workflow(input) => {
            let current = match current {
                None => None,
                Some(Execution::Workflow(state)) => Some(state),
                Some(_) => return Err(of_another_kind()),
            };
            let outcome = workflow::start(current, input, now, env)?;
            Ok(StartOutcome {
                current: outcome.current.map(Transition::from),
                new_run: outcome.new_run.map(NewRun::Workflow),
                reply: StartReply::Workflow(outcome.reply),
            })
        }
        StartInput::Activity(request) => {
            let current = match current {
                None => None,
                Some(Execution::Activity(state)) => Some(state),
                Some(_) => return Err(of_another_kind()),
            };
            let outcome = activity::start(current, *request, now, env)?;
            Ok(StartOutcome {
                current: outcome.current.map(Transition::from),
                new_run: outcome.new_run.map(NewRun::Activity),
                reply: StartReply::Activity(outcome.reply),
            })
        }
        StartInput::Schedule(request) => {
            let current = match current {
                Some(Execution::Schedule(state)) => Some(&**state),
                Some(_) => return Err(of_another_kind()),
                None => None,
            };
            let (run_id, new_run) = match schedule::create(current, *request, now, env)? {
                schedule::Created::New(new) => (new.state.run_id, Some(NewRun::Schedule(new))),
                schedule::Created::Already(run_id) => (run_id, None),
            };
            Ok(StartOutcome {
                current: None,
                new_run,
                reply: StartReply::Schedule(run_id),
            })
        }
        StartInput::NexusOperation(request) => {
            let current = match current {
                None => None,
                Some(Execution::NexusOperation(state)) => Some(&mut **state),
                Some(_) => return Err(of_another_kind()),
            };
            let outcome = nexus_operation::start(current, *request, now, env)?;
            Ok(StartOutcome {
                current: outcome.current.map(Transition::from),
                new_run: outcome.new_run.map(NewRun::NexusOperation),
                reply: StartReply::NexusOperation(outcome.reply),
            })
        }
    }
}

/// A message that starts its receiver, as a start; any other comes back.
///
/// # Errors
/// The message itself, when it is one for an existing execution.
pub fn start_message(message: Peer) -> Result<StartInput, Peer> {
    match message {
        Peer::StartChild(child) => Ok(StartInput::Workflow(workflow::StartInput::Child(child))),
        Peer::StartScheduled(action) => Ok(StartInput::Workflow(workflow::StartInput::Scheduled(
            action,
        ))),
        message => Err(message),
    }
}

/// What the sender of such a message hears. `None` when nothing was decided: it is sent again.
pub fn start_answer(outcome: Result<Uuid, &Rejection>) -> Option<PeerAnswer> {
    match outcome {
        Ok(run_id) => Some(PeerAnswer::ChildStarted(run_id)),
        Err(Rejection::Internal(_)) => None,
        Err(Rejection::AlreadyStarted { .. }) => Some(PeerAnswer::ChildAlreadyExists),
        Err(Rejection::InvalidArgument(_) | Rejection::FailedPrecondition(_)) => {
            Some(PeerAnswer::OverrideRefused)
        }
        Err(_) => Some(PeerAnswer::NotFound),
    }
}
