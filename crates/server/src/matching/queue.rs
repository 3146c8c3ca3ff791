//! One task queue: the pure matcher, those who wait at it, and what is under way to them.

use std::sync::Arc;
use std::time::Duration;

use engine::matching::{Matcher, Poller, TaskMeta};
use hashbrown::HashMap;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::{Poll, QueueDescription, Task};
use crate::shard::Clock;
use crate::sync::{Mutex, lock};

/// See the module.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    clock: Arc<dyn Clock>,
    sticky: bool,
}

struct Inner {
    matcher: Matcher<Task, u64>,
    waiting: HashMap<u64, oneshot::Sender<Delivery>>,
    next_waiter: u64,
    /// A timer will look again when a rate limit lets the next task go.
    timed: bool,
    /// It left the map: nobody will poll it again.
    unloaded: bool,
}

/// A task on its way to a worker. Dropped without a word, it goes back to the front of its queue, so that a
/// worker that goes away loses nothing.
pub struct Delivery {
    task: Option<Task>,
    queue: Arc<Queue>,
}

impl Delivery {
    /// The task; `None` never, except after it was accepted.
    pub fn task(&self) -> Option<&Task> {
        self.task.as_ref()
    }

    /// The worker has it.
    pub fn accept(mut self) {
        self.task = None;
    }

    /// It was gone when it was claimed.
    pub fn gone(mut self) {
        self.task = None;
        lock(&self.queue.inner).matcher.refund();
    }

    /// Tasks that wait behind it.
    pub fn backlog_count(&self) -> usize {
        lock(&self.queue.inner).matcher.backlog_count()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            let now_ns = self.queue.clock.now().0;
            let meta = TaskMeta {
                created_at_ns: now_ns,
                front: true,
                ..TaskMeta::default()
            };
            self.queue.offer(task, meta, now_ns);
        }
    }
}

impl Queue {
    pub(super) fn new(clock: Arc<dyn Clock>, sticky: bool, now_ns: i64) -> Arc<Self> {
        let inner = Inner {
            matcher: Matcher::new(now_ns),
            waiting: HashMap::new(),
            next_waiter: 0,
            timed: false,
            unloaded: false,
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
            clock,
            sticky,
        })
    }

    /// A task is ready.
    pub(super) fn offer(self: &Arc<Self>, task: Task, meta: TaskMeta<'_>, now_ns: i64) {
        let mut inner = lock(&self.inner);
        let pair = inner.matcher.offer(task, meta, now_ns);
        let undeliverable = pair.and_then(|(waiter, task)| inner.deliver(self, waiter, task));
        self.time_release(&mut inner, now_ns);
        drop(inner);
        // Its poller has just gone: dropped outside of the lock, it comes back here for the next one.
        drop(undeliverable);
    }

    /// Waits for a task. Nothing is lost when the future is dropped.
    pub(super) async fn poll(self: &Arc<Self>, poll: &Poll, now_ns: i64) -> Option<Delivery> {
        let (mut receiver, waiting) = {
            let mut inner = lock(&self.inner);
            if inner.unloaded {
                return None;
            }
            let waiter = inner.next_waiter;
            inner.next_waiter += 1;
            let poller = Poller {
                identity: &poll.identity,
                max_tasks_per_second: poll.max_tasks_per_second,
                deployment_options: poll.deployment_options.as_ref(),
            };
            if let Some(task) = inner.matcher.poll(waiter, poller, now_ns) {
                return Some(Delivery {
                    task: Some(task),
                    queue: Arc::clone(self),
                });
            }
            let (sender, receiver) = oneshot::channel();
            inner.waiting.insert(waiter, sender);
            self.time_release(&mut inner, now_ns);
            (
                receiver,
                Waiting {
                    queue: self,
                    waiter,
                },
            )
        };
        match timeout_at(poll.until, &mut receiver).await {
            // An error: the queue was unloaded, or the node stops.
            Ok(delivered) => delivered.ok(),
            Err(_) => {
                lock(&self.inner).forget(waiting.waiter);
                // It may have come at the last moment.
                receiver.try_recv().ok()
            }
        }
    }

    pub(super) fn recent_poller(&self, within: Duration, now_ns: i64) -> bool {
        lock(&self.inner).matcher.recent_poller(within, now_ns)
    }

    /// Nothing and nobody waits here. A sticky queue that nobody polls holds nothing that anybody misses: its
    /// tasks have timed out and are on their normal queues.
    pub(super) fn is_idle(&self, now_ns: i64) -> bool {
        let inner = lock(&self.inner);
        inner.matcher.is_idle(now_ns)
            || (self.sticky
                && inner.waiting.is_empty()
                && !inner
                    .matcher
                    .recent_poller(engine::matching::IDLE_AFTER, now_ns))
    }

    /// Ends its polls and gives back what waits.
    pub(super) fn unload(&self) -> Vec<Task> {
        let mut inner = lock(&self.inner);
        inner.unloaded = true;
        inner.dismiss();
        inner.matcher.drain_tasks()
    }

    /// Ends its polls.
    pub(super) fn dismiss_pollers(&self) {
        let mut inner = lock(&self.inner);
        inner.unloaded = true;
        inner.dismiss();
    }

    pub(super) fn describe(&self, now_ns: i64) -> QueueDescription {
        let inner = lock(&self.inner);
        let (rate, source) = inner.matcher.rate_limit();
        QueueDescription {
            pollers: inner.matcher.pollers(now_ns),
            stats: inner.matcher.stats(now_ns),
            stats_by_priority: inner.matcher.stats_by_priority(now_ns),
            rate_limit: rate.map(|rate| (rate, source)),
        }
    }

    pub(super) fn set_rate_limits(
        self: &Arc<Self>,
        rate: Option<f64>,
        fairness_key_rate: Option<f64>,
        now_ns: i64,
    ) {
        {
            let mut inner = lock(&self.inner);
            inner.matcher.set_rate_limit(rate, now_ns);
            inner
                .matcher
                .set_fairness_key_rate_limit(fairness_key_rate, now_ns);
        }
        self.release(now_ns);
    }

    /// Hands out everything that a rate limit lets go now.
    fn release(self: &Arc<Self>, now_ns: i64) {
        let mut undeliverable = Vec::new();
        let mut inner = lock(&self.inner);
        while let Some((waiter, task)) = inner.matcher.release(now_ns) {
            undeliverable.extend(inner.deliver(self, waiter, task));
        }
        self.time_release(&mut inner, now_ns);
        drop(inner);
        drop(undeliverable);
    }

    /// Sets a timer for the next task that a rate limit holds back, if one does.
    fn time_release(self: &Arc<Self>, inner: &mut Inner, now_ns: i64) {
        if inner.timed {
            return;
        }
        let Some(at_ns) = inner.matcher.next_release_ns() else {
            return;
        };
        inner.timed = true;
        let wait = Duration::from_nanos(u64::try_from(at_ns.saturating_sub(now_ns)).unwrap_or(0));
        let queue = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            lock(&queue.inner).timed = false;
            queue.release(queue.clock.now().0);
        });
    }
}

impl Inner {
    /// Sends a task to a poller; gives it back when the poller has gone.
    fn deliver(&mut self, queue: &Arc<Queue>, waiter: u64, task: Task) -> Option<Delivery> {
        let delivery = Delivery {
            task: Some(task),
            queue: Arc::clone(queue),
        };
        match self.waiting.remove(&waiter) {
            Some(sender) => sender.send(delivery).err(),
            None => Some(delivery),
        }
    }

    fn forget(&mut self, waiter: u64) {
        self.matcher.cancel(&waiter);
        self.waiting.remove(&waiter);
    }

    fn dismiss(&mut self) {
        self.matcher.drain_waiters();
        self.waiting.clear();
    }
}

/// A poller's place; left when it goes away.
struct Waiting<'a> {
    queue: &'a Arc<Queue>,
    waiter: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.queue.inner).forget(self.waiter);
    }
}
