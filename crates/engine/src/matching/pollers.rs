//! Who waits for a task now, and who has lately.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::temporal::api::common::v1::WorkerVersionCapabilities;
use proto::temporal::api::deployment::v1::WorkerDeploymentOptions;

use super::{POLLER_TTL, nanos};

/// What is shown as the rate of a poller that set none.
const RATE_DEFAULT: f64 = 100_000.0;

/// Lists of pollers are swept this often at most.
const SWEEP_NS: i64 = 60_000_000_000;

/// What a poll says about its poller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Poller<'a> {
    /// The worker's name for itself.
    pub identity: &'a str,
    /// The rate limit that it asks for the whole queue, in tasks a second.
    pub max_tasks_per_second: Option<f64>,
    /// Its deployment, if it is versioned.
    pub deployment_options: Option<&'a WorkerDeploymentOptions>,
    /// What it says of its build in the older way.
    pub version_capabilities: Option<&'a WorkerVersionCapabilities>,
}

/// A poller as DescribeTaskQueue lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct PollerInfo {
    /// The worker's name for itself.
    pub identity: String,
    /// When it last asked for, or was given, a task; nanoseconds since the epoch.
    pub last_access_ns: i64,
    /// The rate limit that it asked for, or 100,000.
    pub rate_per_second: f64,
    /// Its deployment, if it is versioned.
    pub deployment_options: Option<WorkerDeploymentOptions>,
    /// What it says of its build in the older way.
    pub version_capabilities: Option<WorkerVersionCapabilities>,
}

/// The pollers of late.
#[derive(Debug, Default)]
pub(super) struct Pollers {
    by_identity: BTreeMap<String, PollerInfo>,
    last_access_ns: Option<i64>,
    swept_at_ns: i64,
}

impl Pollers {
    /// A poller has asked.
    pub(super) fn touch(&mut self, poller: Poller<'_>, now_ns: i64) {
        self.last_access_ns = Some(now_ns);
        let rate_per_second = poller.max_tasks_per_second.unwrap_or(RATE_DEFAULT);
        if let Some(known) = self.by_identity.get_mut(poller.identity) {
            known.last_access_ns = now_ns;
            known.rate_per_second = rate_per_second;
            if known.version_capabilities.as_ref() != poller.version_capabilities {
                known.version_capabilities = poller.version_capabilities.cloned();
            }
            if known.deployment_options.as_ref() != poller.deployment_options {
                known.deployment_options = poller.deployment_options.cloned();
            }
            return;
        }
        self.sweep(now_ns);
        let info = PollerInfo {
            identity: poller.identity.to_owned(),
            last_access_ns: now_ns,
            rate_per_second,
            deployment_options: poller.deployment_options.cloned(),
            version_capabilities: poller.version_capabilities.cloned(),
        };
        self.by_identity.insert(info.identity.clone(), info);
    }

    /// A poller that has waited was served.
    pub(super) fn seen(&mut self, identity: &str, now_ns: i64) {
        self.last_access_ns = Some(now_ns);
        if let Some(known) = self.by_identity.get_mut(identity) {
            known.last_access_ns = now_ns;
        }
    }

    pub(super) fn list(&self, now_ns: i64) -> Vec<PollerInfo> {
        let recent = |info: &&PollerInfo| is_recent(info, now_ns);
        self.by_identity.values().filter(recent).cloned().collect()
    }

    pub(super) fn any_within(&self, within: Duration, now_ns: i64) -> bool {
        self.last_access_ns
            .is_some_and(|last| now_ns.saturating_sub(last) <= nanos(within))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_identity.len()
    }

    fn sweep(&mut self, now_ns: i64) {
        if now_ns.saturating_sub(self.swept_at_ns) >= SWEEP_NS {
            self.swept_at_ns = now_ns;
            self.by_identity.retain(|_, info| is_recent(info, now_ns));
        }
    }
}

fn is_recent(info: &PollerInfo, now_ns: i64) -> bool {
    now_ns.saturating_sub(info.last_access_ns) < nanos(POLLER_TTL)
}

/// The pollers that wait, first come first.
#[derive(Debug)]
pub(super) struct Waiters<W> {
    by_turn: BTreeMap<u64, (W, String)>,
    turns: BTreeMap<W, u64>,
    next_turn: u64,
}

impl<W> Default for Waiters<W> {
    fn default() -> Self {
        Self {
            by_turn: BTreeMap::new(),
            turns: BTreeMap::new(),
            next_turn: 0,
        }
    }
}

impl<W: Clone + Ord> Waiters<W> {
    /// Lets a poller wait. One that waits already goes to the end.
    pub(super) fn push(&mut self, waiter: W, identity: &str) {
        let turn = self.next_turn;
        self.next_turn += 1;
        if let Some(previous) = self.turns.insert(waiter.clone(), turn) {
            self.by_turn.remove(&previous);
        }
        self.by_turn.insert(turn, (waiter, identity.to_owned()));
    }

    pub(super) fn pop(&mut self) -> Option<W> {
        self.pop_named().map(|(waiter, _)| waiter)
    }

    /// The first one, and its identity.
    pub(super) fn pop_named(&mut self) -> Option<(W, String)> {
        let (_, (waiter, identity)) = self.by_turn.pop_first()?;
        self.turns.remove(&waiter);
        Some((waiter, identity))
    }

    pub(super) fn remove(&mut self, waiter: &W) -> bool {
        let turn = self.turns.remove(waiter);
        turn.is_some_and(|turn| self.by_turn.remove(&turn).is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_turn.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.by_turn.len()
    }
}
