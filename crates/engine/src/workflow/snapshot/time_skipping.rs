//! A run's own time as a snapshot keeps it.

use prost::Message;
use proto::temporal::api::common::v1::TimeSkippingConfig;

use super::pending::span;
use crate::time::Timestamp;
use crate::workflow::state::time_skipping::{FastForward, TimeSkipping};

/// [`TimeSkipping`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSkippingFields {
    #[prost(message, optional, tag = "1")]
    config: Option<TimeSkippingConfig>,
    #[prost(int64, tag = "2")]
    ahead: i64,
    #[prost(int32, tag = "3")]
    skip_count: i32,
    #[prost(sfixed64, optional, tag = "4")]
    fast_forward_target: Option<i64>,
    #[prost(bool, tag = "5")]
    fast_forward_completed: bool,
    #[prost(uint32, tag = "6")]
    buffered: u32,
}

impl TimeSkippingFields {
    pub(super) fn of(own: &TimeSkipping) -> Self {
        Self {
            config: own.config.clone(),
            ahead: span::to_nanos(own.ahead),
            skip_count: own.skip_count,
            fast_forward_target: own.fast_forward.map(|it| it.target.0),
            fast_forward_completed: own.fast_forward.is_some_and(|it| it.completed),
            buffered: own.buffered,
        }
    }

    pub(super) fn into_time_skipping(self) -> TimeSkipping {
        let completed = self.fast_forward_completed;
        let fast_forward = |target| FastForward {
            target: Timestamp(target),
            completed,
        };
        TimeSkipping {
            config: self.config,
            ahead: span::from_nanos(self.ahead),
            skip_count: self.skip_count,
            fast_forward: self.fast_forward_target.map(fast_forward),
            buffered: self.buffered,
        }
    }
}
