//! DeleteWorkflowExecution: an open run is terminated first. It goes when everybody who must know that it closed has been
//! told; that it is to go is recorded, so that a server that starts afresh goes on with it.

use crate::rejection::Rejection;
use crate::workflow::client::terminate;
use crate::workflow::record::ChangeKind;
use crate::workflow::step::{SERVER_IDENTITY, Step};
use crate::workflow::transition::{Reply, Transition};

pub(crate) fn delete(mut step: Step<'_>) -> Result<Transition, Rejection> {
    if !step.state.core.deleting {
        step.change(ChangeKind::Deleting(true));
    }
    if step.state.is_open() {
        let reason = "Delete workflow execution".to_owned();
        terminate::record(
            &mut step,
            reason,
            None,
            SERVER_IDENTITY.to_owned(),
            Vec::new(),
        );
    }
    step.done(Reply::Done)
}
