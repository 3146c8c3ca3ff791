//! The fold: what each change means for the state. The same code runs when a step records and when a journal
//! is read back.

use std::sync::Arc;

use proto::temporal::api::enums::v1::NexusOperationExecutionStatus as Status;
use uuid::Uuid;

use super::record::{ChangeKind, Closed, Created};
use super::state::{Core, State};
use crate::nexus::operation::NexusOperation;
use crate::time::Timestamp;

impl State {
    /// An operation as its first change says.
    pub(super) fn create(
        operation_id: Arc<str>,
        run_id: Uuid,
        created: &Created,
        time: Timestamp,
    ) -> Self {
        let scheduled = created.scheduled.clone().unwrap_or_default();
        Self {
            operation_id,
            run_id,
            namespace_id: Uuid::from_slice(&created.namespace_id).unwrap_or_default(),
            operation: NexusOperation::new(Arc::new(scheduled), time),
            core: Core {
                start: created.request.clone().map(Box::new),
                namespace: created.namespace.clone(),
                namespace_id: created.namespace_id.clone(),
                status: Status::Running as i32,
                ..Core::default()
            },
        }
    }

    pub(super) fn apply(&mut self, change: &ChangeKind, time: Timestamp) {
        match change {
            // The state was made of it.
            ChangeKind::Created(_) => {}
            ChangeKind::AttemptFailed(failed) => self.operation.apply_attempt_failed(
                failed.cancel,
                failed.failure.clone(),
                Timestamp(failed.ended_time),
                Timestamp(failed.next_time),
            ),
            ChangeKind::Started(started) => {
                self.core.links.extend(started.links.iter().cloned());
                let at = Timestamp(started.time);
                self.operation.apply_started(&started.token, at);
            }
            ChangeKind::CancelRequested(request) => {
                self.core.cancel = Some(request.clone());
                self.core.cancel_time = time.0;
                self.operation.apply_cancel_requested(0, time);
            }
            ChangeKind::CancelEnded(ended) => {
                let failure = ended.failure.clone();
                self.operation.apply_cancel_ended(time, failure);
            }
            ChangeKind::Closed(closed) => self.closed(closed, time),
            ChangeKind::Attached(attached) => self.core.attached.push(attached.clone()),
            ChangeKind::Deleting(_) => self.core.deleting = true,
        }
    }

    fn closed(&mut self, closed: &Closed, time: Timestamp) {
        self.core.attempts = self.attempt(time);
        self.core.status = closed.status;
        self.core.close_time = time.0;
        self.core.result.clone_from(&closed.result);
        self.core.links.extend(closed.links.iter().cloned());
        self.core
            .terminate_request_id
            .clone_from(&closed.request_id);
        if closed.of_attempt && closed.failure.is_some() {
            self.operation.start.ended(time, closed.failure.clone());
        } else {
            self.core.failure.clone_from(&closed.failure);
        }
        self.operation.start.under_way = false;
        if let Some(cancellation) = &mut self.operation.cancellation {
            cancellation.asking.under_way = false;
        }
    }
}
