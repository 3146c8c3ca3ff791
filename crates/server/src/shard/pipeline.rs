//! The commit pipeline: what is written goes out in batches, in order; what was promised for it is held
//! back until it is durable.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use store::{Answer, Batch, Store, StoreError, Write};

use super::cell::CommitId;
use super::release::Release;

/// See the module.
pub(super) struct Pipeline {
    shard: u32,
    epoch: u64,
    /// The number of the batch that is being filled.
    open: CommitId,
    writes: Vec<Write>,
    /// To carry out when the open batch is durable.
    releases: Vec<Release>,
    /// Batches that the store has, oldest first; their numbers are dense and end before `open`.
    flying: VecDeque<Flight>,
}

struct Flight {
    commit: Answer<()>,
    releases: Vec<Release>,
}

impl Pipeline {
    pub(super) fn new(shard: u32) -> Self {
        Self {
            shard,
            epoch: 0,
            open: 1,
            writes: Vec::new(),
            releases: Vec::new(),
            flying: VecDeque::new(),
        }
    }

    /// Writes in the name of a new epoch from now on.
    pub(super) fn set_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// The epoch in whose name it writes; 0 before the first.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last commit that is durable.
    pub(super) fn durable(&self) -> CommitId {
        // Far fewer than 2^64 batches fly.
        self.open - 1 - self.flying.len() as u64
    }

    /// Whether everything is durable and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.writes.is_empty() && self.flying.is_empty()
    }

    /// Puts a write into the open batch; gives the commit that it will be durable with.
    pub(super) fn write(&mut self, write: Write) -> CommitId {
        self.writes.push(write);
        self.open
    }

    /// Holds something back until a commit is durable; gives it back when that is so already.
    pub(super) fn hold(&mut self, until: CommitId, release: Release) -> Option<Release> {
        let durable = self.durable();
        if until <= durable {
            return Some(release);
        }
        if until >= self.open {
            self.releases.push(release);
            return None;
        }
        let index = usize::try_from(until - durable - 1).unwrap_or(usize::MAX);
        match self.flying.get_mut(index) {
            Some(flight) => flight.releases.push(release),
            // Numbers between the durable and the open one are all in flight.
            None => self.releases.push(release),
        }
        None
    }

    /// Sends the open batch off, if there is anything in it.
    pub(super) fn flush(&mut self, store: &dyn Store) {
        if self.writes.is_empty() {
            return;
        }
        let batch = Batch {
            shard: self.shard,
            epoch: self.epoch,
            writes: std::mem::take(&mut self.writes),
        };
        self.flying.push_back(Flight {
            commit: store.commit(batch),
            releases: std::mem::take(&mut self.releases),
        });
        self.open += 1;
    }

    /// Waits for the oldest batch; ready with what it releases.
    pub(super) fn poll_durable(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Vec<Release>, StoreError>> {
        let Some(oldest) = self.flying.front_mut() else {
            return Poll::Pending;
        };
        match oldest.commit.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => {
                let flight = self.flying.pop_front();
                Poll::Ready(Ok(flight.map(|flight| flight.releases).unwrap_or_default()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    /// Drops everything that is not durable, and gives back what was promised for it. What was in flight is
    /// refused by the store or will be: a new epoch must be opened.
    pub(super) fn abort(&mut self) -> Vec<Release> {
        self.writes.clear();
        let mut broken = Vec::new();
        for flight in self.flying.drain(..) {
            broken.extend(flight.releases);
        }
        broken.append(&mut self.releases);
        self.open += 1;
        broken
    }
}
