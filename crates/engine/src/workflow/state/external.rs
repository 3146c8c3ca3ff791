//! Signals and cancel requests on their way to other workflows.

use std::sync::Arc;

use proto::temporal::api::history::v1::{
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
    SignalExternalWorkflowExecutionInitiatedEventAttributes,
};

use crate::time::Timestamp;

/// A signal on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalSignal {
    /// The attributes of the initiated event.
    pub initiated: Arc<SignalExternalWorkflowExecutionInitiatedEventAttributes>,
    /// The receiver recognises a repeat by it.
    pub request_id: Arc<str>,
}

/// A cancel request on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalCancel {
    /// The attributes of the initiated event.
    pub initiated: Arc<RequestCancelExternalWorkflowExecutionInitiatedEventAttributes>,
}

impl super::table::Entry for ExternalSignal {
    fn due(&self) -> Option<Timestamp> {
        None
    }
    fn ready(&self) -> bool {
        false
    }
}

impl super::table::Entry for ExternalCancel {
    fn due(&self) -> Option<Timestamp> {
        None
    }
    fn ready(&self) -> bool {
        false
    }
}
