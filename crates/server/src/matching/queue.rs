//! One task queue: the pure matcher, those who wait at it, and what is under way to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::matching::{Matcher, Poller, RateLimit, TaskMeta};
use engine::workflow::transition::Priority;
use hashbrown::HashMap;
use proto::temporal::api::taskqueue::v1::{PollerScalingDecision, TaskQueueConfig};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::waiting::{Generation, Place, TaskId, WaitingTasks};
use super::{Poll, QueueDescription, Task};
use crate::shard::Clock;
use crate::sync::{Mutex, lock};
use crate::task_queues::rate_of;

/// See the module.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    clock: Arc<dyn Clock>,
    tasks: Arc<WaitingTasks>,
    sticky: bool,
}

struct Inner {
    matcher: Matcher<Offer, u64>,
    waiting: HashMap<u64, Waiter>,
    next_waiter: u64,
    /// When a timer will look again, as a rate limit lets the next task go.
    timed_ns: Option<i64>,
    /// It left the map: nobody will poll it again.
    unloaded: bool,
}

/// A poll that waits.
struct Waiter {
    sender: oneshot::Sender<Delivery>,
    worker_instance_key: String,
}

/// A task, and what decides its place.
pub(super) struct Offer {
    pub(super) task: Task,
    pub(super) priority: Priority,
    pub(super) created_at_ns: i64,
}

impl Offer {
    /// How the task is known, and which attempt with which options it is. A query that nobody waits for is
    /// not known.
    pub(super) fn id(&self) -> Option<(TaskId, Generation)> {
        match &self.task {
            Task::Execution(task) => {
                let id = (task.key.run_id, task.scheduled_event_id);
                Some((id, (task.attempt, task.stamp, task.directive.clone())))
            }
            Task::Query(query) => Some(((query.upgrade()?.id, 0), (0, 0, None))),
            Task::Nexus(task) => Some(((task.upgrade()?.id, 0), (0, 0, None))),
        }
    }
}

/// A task on its way to a worker. Dropped without a word, it goes back to where it stood, so that a worker
/// that goes away loses nothing.
pub struct Delivery {
    offer: Option<Offer>,
    queue: Arc<Queue>,
}

impl Delivery {
    /// The task; `None` never, except after it was accepted.
    pub fn task(&self) -> Option<&Task> {
        self.offer.as_ref().map(|offer| &offer.task)
    }

    /// The worker has it.
    pub fn accept(mut self) {
        self.offer = None;
    }

    /// It was gone when it was claimed.
    pub fn gone(mut self) {
        self.offer = None;
        lock(&self.queue.inner).matcher.refund();
    }

    /// By how many its worker should change its pollers, after having waited so long.
    pub fn scaling_hint(&self, waited: Duration) -> Option<PollerScalingDecision> {
        let now_ns = self.queue.clock.now().0;
        let hint = lock(&self.queue.inner).matcher.scaling_hint(waited, now_ns);
        (hint != 0).then_some(PollerScalingDecision {
            poll_request_delta_suggestion: hint,
        })
    }

    /// Tasks that wait behind it.
    pub fn backlog_count(&self) -> usize {
        lock(&self.queue.inner).matcher.backlog_count()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(offer) = self.offer.take() {
            let now_ns = self.queue.clock.now().0;
            self.queue.put(offer, true, now_ns);
        }
    }
}

impl Queue {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        tasks: Arc<WaitingTasks>,
        sticky: bool,
        limit: RateLimit,
        now_ns: i64,
    ) -> Arc<Self> {
        let inner = Inner {
            matcher: Matcher::sharing(limit, now_ns),
            waiting: HashMap::new(),
            next_waiter: 0,
            timed_ns: None,
            unloaded: false,
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
            clock,
            tasks,
            sticky,
        })
    }

    /// A task is ready.
    pub(super) fn offer(self: &Arc<Self>, offer: Offer, now_ns: i64) {
        self.put(offer, false, now_ns);
    }

    fn put(self: &Arc<Self>, offer: Offer, returned: bool, now_ns: i64) {
        // Whoever asked it has hung up.
        let Some((id, generation)) = offer.id() else {
            return;
        };
        let priority = offer.priority.clone();
        let meta = TaskMeta {
            priority_key: priority.key,
            fairness_key: &priority.fairness_key,
            fairness_weight: priority.fairness_weight,
            created_at_ns: offer.created_at_ns,
            front: matches!(offer.task, Task::Query(_)),
            returned,
        };
        let mut inner = lock(&self.inner);
        let offered = inner.matcher.place(offer, meta, now_ns);
        let leaves = |(_, paired): &(u64, Offer)| paired.id().is_some_and(|paired| paired.0 == id);
        if let Some(ticket) = offered.ticket
            && !offered.pair.as_ref().is_some_and(leaves)
        {
            let queue = Arc::downgrade(self);
            let place = Place {
                generation,
                queue,
                ticket,
            };
            self.tasks.insert(id, place);
        }
        let undeliverable = offered
            .pair
            .and_then(|(waiter, offer)| inner.deliver(self, waiter, offer));
        self.time_release(&mut inner, now_ns);
        drop(inner);
        // Its poller has just gone: dropped outside of the lock, it comes back here for the next one.
        drop(undeliverable);
    }

    /// Takes a task away that nobody wants any more.
    pub(super) fn withdraw(&self, place: &Place) {
        lock(&self.inner).matcher.remove(&place.ticket);
    }

    /// Waits for a task, unless the worker has left. Nothing is lost when the future is dropped.
    pub(super) async fn poll(
        self: &Arc<Self>,
        poll: &Poll,
        has_left: &(dyn Fn() -> bool + Sync),
        now_ns: i64,
    ) -> Option<Delivery> {
        let (mut receiver, waiting) = {
            let mut inner = lock(&self.inner);
            // Under the lock: a worker that leaves is noted first and its polls are ended then, so none slips between.
            if inner.unloaded || has_left() {
                return None;
            }
            let waiter = inner.next_waiter;
            inner.next_waiter += 1;
            let poller = Poller {
                identity: &poll.identity,
                max_tasks_per_second: poll.max_tasks_per_second,
                deployment_options: poll.deployment_options.as_ref(),
                version_capabilities: poll.version_capabilities.as_ref(),
            };
            if let Some(offer) = inner.matcher.poll(waiter, poller, now_ns) {
                return Some(self.delivery(offer));
            }
            let (sender, receiver) = oneshot::channel();
            let worker_instance_key = poll.worker_instance_key.clone();
            inner.waiting.insert(
                waiter,
                Waiter {
                    sender,
                    worker_instance_key,
                },
            );
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
    pub(super) fn unload(self: &Arc<Self>) -> Vec<Offer> {
        let mut inner = lock(&self.inner);
        inner.unloaded = true;
        inner.dismiss();
        let offers = inner.matcher.drain_tasks();
        for offer in &offers {
            self.left(offer);
        }
        offers
    }

    /// Ends the polls of one worker.
    pub(super) fn dismiss_worker(&self, worker_instance_key: &str) {
        let mut inner = lock(&self.inner);
        let of_worker = inner
            .waiting
            .iter()
            .filter(|(_, waiter)| waiter.worker_instance_key == worker_instance_key);
        let waiters: Vec<u64> = of_worker.map(|(waiter, _)| *waiter).collect();
        for waiter in waiters {
            inner.forget(waiter);
        }
    }

    /// Takes all tasks that wait if any of them is to go elsewhere.
    pub(super) fn take_if_any(self: &Arc<Self>, goes: &dyn Fn(&Task) -> bool) -> Vec<Offer> {
        let mut inner = lock(&self.inner);
        let offers = inner.matcher.drain_if_any(|offer| goes(&offer.task));
        for offer in &offers {
            self.left(offer);
        }
        offers
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

    /// Takes over what UpdateTaskQueueConfig set.
    pub(super) fn configure(self: &Arc<Self>, config: &TaskQueueConfig, now_ns: i64) {
        {
            let matcher = &mut lock(&self.inner).matcher;
            matcher.set_rate_limit(rate_of(config.queue_rate_limit.as_ref()), now_ns);
            let of_keys = config.fairness_keys_rate_limit_default.as_ref();
            matcher.set_fairness_key_rate_limit(rate_of(of_keys), now_ns);
            let weights: BTreeMap<_, _> = config.fairness_weight_overrides.clone();
            matcher.set_fairness_weights(weights);
        }
        self.release(now_ns);
    }

    /// It is no longer in the queue.
    fn left(self: &Arc<Self>, offer: &Offer) {
        if let Some((id, _)) = offer.id() {
            self.tasks.left(id, self);
        }
    }

    fn delivery(self: &Arc<Self>, offer: Offer) -> Delivery {
        self.left(&offer);
        Delivery {
            offer: Some(offer),
            queue: Arc::clone(self),
        }
    }

    /// Takes over the rate limit that a worker asks for. Whether that lets tasks go sooner from other parts of the
    /// queue, too.
    pub(super) fn raises_limit(&self, rate: Option<f64>, now_ns: i64) -> bool {
        lock(&self.inner).matcher.set_worker_rate(rate, now_ns)
    }

    /// Hands out everything that a rate limit lets go now.
    pub(super) fn release(self: &Arc<Self>, now_ns: i64) {
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
        let Some(at_ns) = inner.matcher.next_release_ns() else {
            return;
        };
        // A limit that was raised lets it go before the timer of the one before.
        if inner.timed_ns.is_some_and(|timed_ns| timed_ns <= at_ns) {
            return;
        }
        inner.timed_ns = Some(at_ns);
        let wait = Duration::from_nanos(u64::try_from(at_ns.saturating_sub(now_ns)).unwrap_or(0));
        let queue = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            lock(&queue.inner)
                .timed_ns
                .take_if(|timed_ns| *timed_ns == at_ns);
            queue.release(queue.clock.now().0);
        });
    }
}

impl Inner {
    /// Sends a task to a poller; gives it back when the poller has gone.
    fn deliver(&mut self, queue: &Arc<Queue>, waiter: u64, offer: Offer) -> Option<Delivery> {
        let delivery = queue.delivery(offer);
        match self.waiting.remove(&waiter) {
            Some(waiter) => waiter.sender.send(delivery).err(),
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
