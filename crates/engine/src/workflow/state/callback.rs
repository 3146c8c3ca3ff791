//! Completion callbacks: who is to hear how this execution's chain ends, or one of its updates (behaviour,
//! section 6.7).

use std::sync::Arc;

use proto::temporal::api::common::v1::Callback as Wire;
use proto::temporal::api::common::v1::callback::{Nexus, Variant};
use proto::temporal::api::update::v1::Outcome;

use super::nexus_operation::Asking;
use crate::nexus::callback::SYSTEM_URL;
use crate::time::Timestamp;

/// A callback.
#[derive(Clone, Debug, PartialEq)]
pub struct Callback {
    /// As it was given.
    pub callback: Arc<Wire>,
    /// The request that brought it.
    pub request_id: Arc<str>,
    /// When it came.
    pub registration_time: Timestamp,
    /// How far it is.
    pub phase: Phase,
    /// Its deliveries.
    pub asking: Asking,
    /// The update whose end it waits for; `None` for the end of the chain.
    pub update: Option<Arc<str>>,
    /// How that update ended, once it has.
    pub outcome: Option<Arc<Outcome>>,
}

/// How far a callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// What it waits for has not ended.
    Standby,
    /// It is being delivered.
    Pending,
    /// It was taken.
    Succeeded,
    /// It was refused for good.
    Failed,
}

impl Callback {
    /// Its address and headers.
    pub fn nexus(&self) -> Option<&Nexus> {
        match &self.callback.variant {
            Some(Variant::Nexus(nexus)) => Some(nexus),
            Some(Variant::Internal(_) | Variant::NexusHandler(_)) | None => None,
        }
    }

    /// It goes to another execution of this server.
    pub fn is_internal(&self) -> bool {
        self.nexus().is_some_and(|nexus| nexus.url == SYSTEM_URL)
    }

    /// It goes elsewhere, and has not been taken.
    pub fn is_to_be_called(&self) -> bool {
        self.phase == Phase::Pending && !self.is_internal()
    }
}

impl super::table::Entry for Callback {
    fn due(&self) -> Option<Timestamp> {
        if self.is_to_be_called() {
            self.asking.wanted()
        } else {
            None
        }
    }

    fn ready(&self) -> bool {
        self.is_to_be_called() && self.asking.under_way
    }
}
