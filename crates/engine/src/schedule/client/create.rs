//! CreateSchedule.

use std::sync::Arc;

use bytes::Bytes;
use proto::temporal::api::workflowservice::v1::CreateScheduleRequest;
use uuid::Uuid;

use super::patch;
use crate::Env;
use crate::ids::Now;
use crate::rejection::Rejection;
use crate::schedule::record::{self, ChangeKind, Record};
use crate::schedule::state::{Core, State};
use crate::schedule::step::Step;
use crate::schedule::{self, Transition, advance};
use crate::workflow::transition::Send;

/// What came of a creation.
#[derive(Debug)]
pub enum Created {
    /// A schedule that did not exist before.
    New(Box<NewSchedule>),
    /// This request created the schedule that there is.
    Already(Uuid),
}

/// A schedule that did not exist before.
#[derive(Debug)]
pub struct NewSchedule {
    /// Its state, the first record applied.
    pub state: State,
    /// Its first record.
    pub record: Record,
    /// To send once durable.
    pub sends: Vec<Send>,
}

/// Creates a schedule, unless one of this id lives. The request was validated, and its spec is canonical.
///
/// # Errors
/// When the id is taken.
pub fn create(
    current: Option<&State>,
    request: CreateScheduleRequest,
    now: &mut Now,
    env: Env<'_>,
) -> Result<Created, Rejection> {
    let schedule_id = request.schedule_id;
    if let Some(current) = current.filter(|current| current.is_open()) {
        if current.core.request_id == request.request_id {
            return Ok(Created::Already(current.run_id));
        }
        return Err(Rejection::ScheduleExists { schedule_id });
    }
    let run_id = now.run_id();
    let workflow_id: Arc<str> = schedule::workflow_id(&schedule_id).into();
    let created = record::Created {
        namespace_id: Bytes::copy_from_slice(env.namespace.id.as_bytes()),
        run_id: Bytes::copy_from_slice(run_id.as_bytes()),
        request_id: request.request_id,
        namespace: env.namespace.name.to_string(),
        schedule: request.schedule,
        memo: request.memo,
        search_attributes: request.search_attributes,
        schedule_id,
    };
    let core = Core {
        namespace_id: created.namespace_id.clone(),
        run_id: created.run_id.clone(),
        ..Core::default()
    };
    let mut state = State::of(workflow_id, core);
    let mut step = Step::begin(&mut state, now.time);
    step.change(ChangeKind::Created(Box::new(created)));
    if let Some(patch) = request.initial_patch {
        patch::apply(&mut step, patch);
    }
    advance::advance(&mut step);
    let Transition { record, sends } = step.finish();
    let record = record.unwrap_or_default();
    Ok(Created::New(Box::new(NewSchedule {
        state,
        record,
        sends,
    })))
}
