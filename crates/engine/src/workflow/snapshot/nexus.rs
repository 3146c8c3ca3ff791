//! Nexus operations and callbacks in a snapshot.

use std::sync::Arc;

use prost::Message;
use proto::temporal::api::common::v1::Callback as WireCallback;
use proto::temporal::api::failure::v1::Failure;
use proto::temporal::api::history::v1::NexusOperationScheduledEventAttributes;

use crate::time::Timestamp;
use crate::workflow::state::callback::{Callback, Phase};
use crate::workflow::state::nexus_operation::{Asking, Cancellation, NexusOperation};

#[derive(Clone, PartialEq, Message)]
struct AskingFields {
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
    fn of(asking: &Asking) -> Self {
        Self {
            attempt: asking.attempt,
            due: asking.due.0,
            last_complete_time: asking.last_complete_time.map(|at| at.0),
            last_failure: asking.last_failure.as_deref().cloned(),
        }
    }

    fn into_asking(self) -> Asking {
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
pub(super) struct NexusOperationEntry {
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
    pub(super) fn of((id, operation): (&i64, &NexusOperation)) -> Self {
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

    pub(super) fn into_operation(self) -> Option<(i64, NexusOperation)> {
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

/// See [`Callback`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct CallbackEntry {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(message, optional, tag = "2")]
    callback: Option<WireCallback>,
    #[prost(string, tag = "3")]
    request_id: String,
    #[prost(sfixed64, tag = "4")]
    registration_time: i64,
    /// 0 to 3, in the order of [`Phase`].
    #[prost(int32, tag = "5")]
    phase: i32,
    #[prost(message, optional, tag = "6")]
    asking: Option<AskingFields>,
}

impl CallbackEntry {
    pub(super) fn of((index, callback): (&u64, &Callback)) -> Self {
        Self {
            index: *index,
            callback: Some(WireCallback::clone(&callback.callback)),
            request_id: callback.request_id.to_string(),
            registration_time: callback.registration_time.0,
            phase: match callback.phase {
                Phase::Standby => 0,
                Phase::Pending => 1,
                Phase::Succeeded => 2,
                Phase::Failed => 3,
            },
            asking: Some(AskingFields::of(&callback.asking)),
        }
    }

    pub(super) fn into_callback(self) -> Option<(u64, Callback)> {
        let callback = Callback {
            callback: Arc::new(self.callback?),
            request_id: self.request_id.into(),
            registration_time: Timestamp(self.registration_time),
            phase: match self.phase {
                0 => Phase::Standby,
                1 => Phase::Pending,
                2 => Phase::Succeeded,
                3 => Phase::Failed,
                _ => return None,
            },
            asking: self.asking?.into_asking(),
        };
        Some((self.index, callback))
    }
}
