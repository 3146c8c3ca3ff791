//! Callbacks in a snapshot.

use std::sync::Arc;

use prost::Message;
use proto::temporal::api::common::v1::Callback as WireCallback;
use proto::temporal::api::update::v1::Outcome;

use crate::nexus::stored::AskingFields;
pub(super) use crate::nexus::stored::NexusOperationEntry;
use crate::time::Timestamp;
use crate::workflow::state::callback::{Callback, Phase};

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
    #[prost(string, optional, tag = "7")]
    update: Option<String>,
    #[prost(message, optional, tag = "8")]
    outcome: Option<Outcome>,
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
            update: callback.update.as_deref().map(str::to_owned),
            outcome: callback.outcome.as_deref().cloned(),
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
            update: self.update.map(Into::into),
            outcome: self.outcome.map(Arc::new),
        };
        Some((self.index, callback))
    }
}
