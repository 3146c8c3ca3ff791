//! A run that is a schedule's action: the schedule may want it to end, and is told how its chain ended.

use proto::temporal::api::history::v1::history_event::Attributes as A;
use uuid::Uuid;

use crate::execution::Kind;
use crate::workflow::client::{request_cancel, terminate};
use crate::workflow::input::{ActionClosed, Peer, RequestCancel, StopAction};
use crate::workflow::state::State;
use crate::workflow::step::Step;
use crate::workflow::transition::Send;

/// The schedule's overlap policy wants the chain to end. Another chain of this id is none of its business.
pub(super) fn stop(step: &mut Step<'_>, wish: StopAction) {
    let other = step.state.first_execution_run_id() != wish.first_execution_run_id;
    if other || !step.state.is_open() {
        return;
    }
    if wish.terminate {
        terminate::record(step, wish.reason, None, wish.identity, Vec::new());
    } else if !step.state.core.cancel_requested {
        let request = RequestCancel {
            reason: wish.reason,
            identity: wish.identity,
            request_id: wish.request_id,
            ..RequestCancel::default()
        };
        request_cancel::record(step, request, None);
    }
}

/// To the schedule: how the chain ended.
pub(super) fn closed(state: &State, seq: u64) -> Option<Send> {
    let watcher = state.core.start.watcher.as_ref()?;
    let close = state.core.close.as_deref()?;
    let (result, failure) = match &close.attributes {
        Some(A::WorkflowExecutionCompletedEventAttributes(a)) => (a.result.clone(), None),
        Some(A::WorkflowExecutionFailedEventAttributes(a)) => (None, a.failure.clone()),
        _ => (None, None),
    };
    Some(Send {
        seq,
        namespace_id: state.namespace_id,
        kind: Kind::Schedule,
        workflow_id: watcher.workflow_id.clone(),
        run_id: Uuid::from_slice(&watcher.run_id).ok(),
        message: Peer::ActionClosed(Box::new(ActionClosed {
            number: watcher.number,
            first_execution_run_id: state.first_execution_run_id().to_owned(),
            status: state.core.status as i32,
            result,
            failure,
        })),
    })
}
