//! Nexus operations as snapshots keep them.

use std::sync::Arc;

use prost::Message;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::NexusOperationScheduledEventAttributes;

use super::operation::{Asking, Cancellation, NexusOperation};
use crate::time::Timestamp;

/// See [`Asking`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AskingFields {
    #[prost(int32, tag = "1")]
    attempt: i32,
    #[prost(sfixed64, tag = "2")]
    due: i64,
    #[prost(sfixed64, optional, tag = "3")]
    last_complete_time: Option<i64>,
    #[prost(message, optional, tag = "4")]
    last_failure: Option<Failure>,
}

impl AskingFields {
    pub(crate) fn of(asking: &Asking) -> Self {
        Self {
            attempt: asking.attempt,
            due: asking.due.0,
            last_complete_time: asking.last_complete_time.map(|at| at.0),
            last_failure: asking.last_failure.as_deref().cloned(),
        }
    }

    pub(crate) fn into_asking(self) -> Asking {
        Asking {
            attempt: self.attempt,
            due: Timestamp(self.due),
            last_complete_time: self.last_complete_time.map(Timestamp),
            last_failure: self.last_failure.map(Arc::new),
            under_way: false,
        }
    }
}

/// See [`NexusOperation`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NexusOperationEntry {
    #[prost(int64, tag = "1")]
    scheduled_event_id: i64,
    #[prost(message, optional, tag = "2")]
    scheduled: Option<NexusOperationScheduledEventAttributes>,
    #[prost(sfixed64, tag = "3")]
    scheduled_time: i64,
    #[prost(message, optional, tag = "4")]
    start: Option<AskingFields>,
    #[prost(sfixed64, optional, tag = "5")]
    started: Option<i64>,
    #[prost(string, tag = "6")]
    operation_token: String,
    #[prost(message, optional, tag = "7")]
    cancellation: Option<CancellationFields>,
    #[prost(bool, tag = "8")]
    closing: bool,
}

#[derive(Clone, PartialEq, Message)]
struct CancellationFields {
    #[prost(int64, tag = "1")]
    requested_event_id: i64,
    #[prost(sfixed64, optional, tag = "2")]
    requested_time: Option<i64>,
    #[prost(message, optional, tag = "3")]
    asking: Option<AskingFields>,
    #[prost(bool, optional, tag = "4")]
    taken: Option<bool>,
}

impl NexusOperationEntry {
    pub(crate) fn of((id, operation): (&i64, &NexusOperation)) -> Self {
        let cancellation = operation.cancellation.as_ref();
        Self {
            scheduled_event_id: *id,
            scheduled: Some(NexusOperationScheduledEventAttributes::clone(
                &operation.scheduled,
            )),
            scheduled_time: operation.scheduled_time.0,
            start: Some(AskingFields::of(&operation.start)),
            started: operation.started.map(|at| at.0),
            operation_token: operation.operation_token.to_string(),
            cancellation: cancellation.map(|cancellation| CancellationFields {
                requested_event_id: cancellation.requested_event_id,
                requested_time: cancellation.requested_time.map(|at| at.0),
                asking: Some(AskingFields::of(&cancellation.asking)),
                taken: cancellation.taken,
            }),
            closing: operation.closing,
        }
    }

    pub(crate) fn into_operation(self) -> Option<(i64, NexusOperation)> {
        let cancellation = match self.cancellation {
            Some(fields) => Some(Cancellation {
                requested_event_id: fields.requested_event_id,
                requested_time: fields.requested_time.map(Timestamp),
                asking: fields.asking?.into_asking(),
                taken: fields.taken,
            }),
            None => None,
        };
        let operation = NexusOperation {
            scheduled: Arc::new(self.scheduled?),
            scheduled_time: Timestamp(self.scheduled_time),
            start: self.start?.into_asking(),
            started: self.started.map(Timestamp),
            operation_token: self.operation_token.into(),
            cancellation,
            closing: self.closing,
        };
        Some((self.scheduled_event_id, operation))
    }
}
