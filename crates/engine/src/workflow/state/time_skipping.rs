//! A run's own time: ahead of the clock by what the run has skipped. Every time in its state and in its history
//! is of this time; only what leads to the outside (deadlines, offers) is given in the clock's.

use std::sync::Arc;
use std::time::Duration;

use proto::temporal::api::common::v1::{
    TimeSkippingConfig, TimeSkippingFastForwardInfo, TimeSkippingInfo,
};
use proto::temporal::api::history::v1::{
    WorkflowExecutionOptionsUpdatedEventAttributes, WorkflowExecutionStartedEventAttributes,
    WorkflowExecutionTimeSkippingTransitionedEventAttributes as Transitioned,
};

use super::State;
use crate::time::{Timestamp, duration};

/// What a run that skips time, or has skipped some, knows of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeSkipping {
    /// As asked for; the server turns `enabled` off when a fast-forward is over, or after too many skips.
    pub config: Option<TimeSkippingConfig>,
    /// How far the run's time is ahead of the clock.
    pub ahead: Duration,
    /// Skips since the configuration was last set.
    pub skip_count: i32,
    /// How far to go, if not to the end.
    pub fast_forward: Option<FastForward>,
    /// Changes whose events wait in the buffer: they have taken effect already.
    pub buffered: u32,
}

/// A fast-forward and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastForward {
    /// Where to, in the run's own time.
    pub target: Timestamp,
    /// It was reached.
    pub completed: bool,
}

impl TimeSkipping {
    /// As event 1 says.
    pub(super) fn started(
        a: &WorkflowExecutionStartedEventAttributes,
        time: Timestamp,
    ) -> Option<Arc<Self>> {
        let inherited = a.time_skipping_state_propagation.unwrap_or_default();
        let ahead = duration(inherited.initial_skipped_duration.as_ref());
        if a.time_skipping_config.is_none() && ahead.is_zero() {
            return None;
        }
        let mut own = Self {
            config: a.time_skipping_config.clone(),
            ahead,
            skip_count: inherited.initial_skip_count,
            ..Self::default()
        };
        let target = inherited.fast_forward_target_time;
        own.fast_forward_from(time, target.as_ref().map(Timestamp::from_proto));
        Some(Arc::new(own))
    }

    /// Another configuration, or the same once more: a fast-forward begins anew.
    fn set(&mut self, config: Option<TimeSkippingConfig>, time: Timestamp) {
        self.config = config;
        self.skip_count = 0;
        self.fast_forward_from(time, None);
    }

    fn fast_forward_from(&mut self, time: Timestamp, inherited: Option<Timestamp>) {
        let config = self.config.as_mut();
        let asked = config.and_then(|config| Some((config.fast_forward_config.clone()?, config)));
        let Some((asked, config)) = asked else {
            self.fast_forward = None;
            return;
        };
        let target = inherited.unwrap_or_else(|| time.after(duration(asked.duration.as_ref())));
        // The run before may have come as far.
        let completed = inherited.is_some() && time >= target;
        if completed {
            config.enabled = false;
        }
        self.fast_forward = Some(FastForward { target, completed });
    }

    fn transitioned(&mut self, a: &Transitioned, time: Timestamp) {
        if let Some(target) = &a.target_time {
            self.ahead += Timestamp::from_proto(target).since(time);
        }
        self.skip_count += 1;
        let skip_count = self.skip_count;
        let Some(config) = &mut self.config else {
            return;
        };
        if a.disabled_after_fast_forward
            && let Some(fast_forward) = &mut self.fast_forward
        {
            fast_forward.completed = true;
            config.enabled = false;
        }
        if skip_count >= config.max_session_skip_count {
            config.enabled = false;
        }
    }

    /// Whether the run may skip time.
    pub(crate) fn is_enabled(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.enabled)
    }

    /// Where a fast-forward that is not over leads.
    pub(crate) fn pending_fast_forward(&self) -> Option<Timestamp> {
        let pending = self.fast_forward.filter(|it| !it.completed)?;
        self.is_enabled().then_some(pending.target)
    }

    /// The fast-forward as clients see it.
    pub fn fast_forward_info(&self) -> Option<TimeSkippingFastForwardInfo> {
        let FastForward { target, completed } = self.fast_forward?;
        let config = self.config.as_ref();
        let asked = config.and_then(|config| config.fast_forward_config.clone());
        let asked = asked.unwrap_or_default();
        Some(TimeSkippingFastForwardInfo {
            fast_forward_duration: asked.duration,
            fast_forward_id: asked.id,
            target_time: Some(target.to_proto()),
            has_completed: completed,
        })
    }

    /// All of it as clients see it, at a moment of the run's own time.
    pub(crate) fn info(&self, time: Timestamp) -> TimeSkippingInfo {
        TimeSkippingInfo {
            current_time: Some(time.to_proto()),
            effective_config: self.config.clone(),
            fast_forward_info: self.fast_forward_info(),
            current_session_skip_count: self.skip_count,
        }
    }
}

impl State {
    /// How far the run's time is ahead of the clock.
    pub(crate) fn ahead(&self) -> Duration {
        let own = self.core.time_skipping.as_ref();
        own.map_or(Duration::ZERO, |own| own.ahead)
    }

    /// A moment of the clock in the run's own time.
    pub fn own_time(&self, clock: Timestamp) -> Timestamp {
        clock.after(self.ahead())
    }

    /// When the clock shows what the run's own time will be.
    pub fn clock_time(&self, own: Timestamp) -> Timestamp {
        own.before(self.ahead())
    }

    pub(super) fn time_skipping_transitioned(&mut self, a: &Transitioned, time: Timestamp) {
        if let Some(own) = &mut self.core.time_skipping {
            Arc::make_mut(own).transitioned(a, time);
        }
    }

    /// A change of the run's options: at once when it is buffered, and not once more when it leaves the buffer.
    pub(super) fn time_skipping_updated(
        &mut self,
        a: &WorkflowExecutionOptionsUpdatedEventAttributes,
        time: Timestamp,
        buffered: bool,
    ) {
        if !a.time_skipping_config_updated {
            return;
        }
        let own = self.core.time_skipping.get_or_insert_default();
        let own = Arc::make_mut(own);
        if buffered {
            own.buffered += 1;
        } else if own.buffered > 0 {
            own.buffered -= 1;
            return;
        }
        own.set(a.time_skipping_config.clone(), time);
    }
}
