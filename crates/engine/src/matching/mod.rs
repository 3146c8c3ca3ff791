//! **Matching decided**: which ready task goes to which waiting poller, for one Task Queue of one
//! kind. Pure: it is told the time, calls nobody and keeps nothing durable.
//!
//! May depend on: `proto`, for what a worker says about its deployment.
//!
//! Tasks leave by priority, then fairly by weight between fairness keys, then first in, first out;
//! they go to the poller that has waited longest. Both wait at the same time only while a rate
//! limit holds them apart; a poller that asks just when it lets go is served at once. What a task
//! and a poller are is the caller's matter: small references, not payloads.
//!
//! Rules: behaviour sections 3.4 (sticky and idle times), 10.5 (statistics, rate limits).

mod backlog;
mod limiter;
mod meter;
mod pollers;
mod scaling;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use self::backlog::{Backlog, KeyPace, Place};
use self::limiter::Pace;
use self::meter::Meter;
use self::pollers::{Pollers, Waiters};

pub use self::limiter::RateLimit;
pub use self::pollers::{Poller, PollerInfo};

/// Priorities go from 1, the most urgent, to this.
pub const PRIORITY_MAX: i32 = 5;
/// The priority of tasks that name none.
pub const PRIORITY_DEFAULT: i32 = 3;
/// A queue that nobody used for so long may be unloaded.
pub const IDLE_AFTER: Duration = Duration::from_secs(5 * 60);
/// A poller is listed for so long after its last sign of life.
pub const POLLER_TTL: Duration = Duration::from_secs(5 * 60);
/// A sticky queue without a poller for so long is dead: its tasks go to the normal queue.
pub const STICKY_POLLER_WITHIN: Duration = Duration::from_secs(10);
/// A query on a queue without a poller for so long is refused.
pub const QUERY_POLLER_WITHIN: Duration = Duration::from_secs(20);

/// What decides a task's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskMeta<'a> {
    /// 1 to [`PRIORITY_MAX`]; 0 is [`PRIORITY_DEFAULT`], others are brought into the range.
    pub priority_key: i32,
    /// Tasks with the same key stand in line behind one another, other keys get their turns.
    pub fairness_key: &'a str,
    /// The key's share of turns relative to others; 0 and less is 1.
    pub fairness_weight: f32,
    /// When the task became ready, nanoseconds since the epoch: its age is counted from here.
    pub created_at_ns: i64,
    /// A query: before all others, exempt from rate limits, and no part of the backlog.
    pub front: bool,
    /// It had left for a poller that is gone: it goes back to the head of its line, and what it took of
    /// the rate limit is given back.
    pub returned: bool,
}

/// Where a task waits, to take it away from there.
#[derive(Clone, Debug)]
pub struct Ticket(Spot);

#[derive(Clone, Debug)]
enum Spot {
    Front(i64),
    Backlog(Place),
}

/// What became of a task that was offered.
#[derive(Debug)]
pub struct Offered<W, T> {
    /// The poller and the task that now belong together, if any: this task, or one that a rate limit
    /// had held back.
    pub pair: Option<(W, T)>,
    /// Where the task waits, if it does.
    pub ticket: Option<Ticket>,
}

impl Default for TaskMeta<'_> {
    fn default() -> Self {
        Self {
            priority_key: PRIORITY_DEFAULT,
            fairness_key: "",
            fairness_weight: 1.0,
            created_at_ns: 0,
            front: false,
            returned: false,
        }
    }
}

/// Where the rate limit in force comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitSource {
    /// Nobody set one.
    System,
    /// A worker's `max_tasks_per_second`.
    Worker,
    /// UpdateTaskQueueConfig; it goes before a worker's.
    Api,
}

/// What DescribeTaskQueue tells about a queue, or about one priority of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Tasks that wait.
    pub backlog_count: usize,
    /// How long the one at the head of its line has waited that has waited longest.
    pub backlog_age: Duration,
    /// Tasks that came, by second, over the last 30 seconds.
    pub add_rate: f32,
    /// Tasks that left for a poller, by second, over the last 30 seconds.
    pub dispatch_rate: f32,
    /// Whether a rate limit has held a task back in the last 30 seconds.
    pub rate_limiting_active: bool,
}

/// One Task Queue of one kind. `T` is a task, `W` a waiting poller.
///
/// Every operation costs O(log n) in the tasks, keys and pollers that it holds.
#[derive(Debug)]
pub struct Matcher<T, W> {
    front: BTreeMap<i64, T>,
    /// Numbers for the ends of `front`: its head, its end.
    front_seqs: (i64, i64),
    backlog: Backlog<T>,
    waiters: Waiters<W>,
    pollers: Pollers,
    limiter: RateLimit,
    key_pace: KeyPace,
    /// By priority; there from a priority's first task on.
    meters: BTreeMap<i32, Rates>,
    limited_at_ns: Option<i64>,
    used_at_ns: i64,
    scaled_at_ns: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Rates {
    added: Meter,
    dispatched: Meter,
}

impl<T, W: Clone + Ord> Matcher<T, W> {
    /// An empty queue.
    pub fn new(now_ns: i64) -> Self {
        Self::sharing(RateLimit::default(), now_ns)
    }

    /// An empty part of a queue, which has one rate limit for all of its parts.
    pub fn sharing(limiter: RateLimit, now_ns: i64) -> Self {
        let mut matcher = Self {
            front: BTreeMap::new(),
            front_seqs: (0, 0),
            backlog: Backlog::default(),
            waiters: Waiters::default(),
            pollers: Pollers::default(),
            limiter,
            key_pace: KeyPace::default(),
            meters: BTreeMap::new(),
            limited_at_ns: None,
            used_at_ns: now_ns,
            scaled_at_ns: None,
        };
        matcher.rates(PRIORITY_DEFAULT, now_ns);
        matcher
    }

    /// A task is ready. Gives back the poller and the task that now belong together, if any: this
    /// task, or one that a rate limit had held back. Otherwise the task waits.
    pub fn offer(&mut self, task: T, meta: TaskMeta<'_>, now_ns: i64) -> Option<(W, T)> {
        self.place(task, meta, now_ns).pair
    }

    /// As [`Matcher::offer`], for a task that may have to be taken away again.
    pub fn place(&mut self, task: T, meta: TaskMeta<'_>, now_ns: i64) -> Offered<W, T> {
        self.used_at_ns = now_ns;
        if meta.front {
            if let Some(waiter) = self.waiters.pop() {
                return Offered {
                    pair: Some((waiter, task)),
                    ticket: None,
                };
            }
            let (head, end) = &mut self.front_seqs;
            let seq = if meta.returned {
                *head -= 1;
                *head
            } else {
                *end += 1;
                *end
            };
            self.front.insert(seq, task);
            return Offered {
                pair: None,
                ticket: Some(Ticket(Spot::Front(seq))),
            };
        }
        let priority = clamp_priority(meta.priority_key);
        let rates = self.rates(priority, now_ns);
        if meta.returned {
            self.limiter.refund();
        } else {
            rates.added.add(now_ns);
        }
        let place = self.backlog.push(priority, task, meta);
        Offered {
            pair: self.release(now_ns),
            ticket: Some(Ticket(Spot::Backlog(place))),
        }
    }

    /// Takes one task away, if it still waits.
    pub fn remove(&mut self, ticket: &Ticket) -> Option<T> {
        match &ticket.0 {
            Spot::Front(seq) => self.front.remove(seq),
            Spot::Backlog(place) => self.backlog.remove(place),
        }
    }

    /// A poller asks for a task. Gives it one at once, or lets it wait until [`Matcher::offer`] or
    /// [`Matcher::release`] names it, or [`Matcher::cancel`] takes it away.
    pub fn poll(&mut self, waiter: W, poller: Poller<'_>, now_ns: i64) -> Option<T> {
        self.used_at_ns = now_ns;
        self.pollers.touch(poller, now_ns);
        self.limiter
            .set_worker_rate(poller.max_tasks_per_second, now_ns);
        if let Some(task) = self.take(now_ns) {
            return Some(task);
        }
        self.waiters.push(waiter, poller.identity);
        None
    }

    /// A poller no longer waits: its time is up, or it is gone. False when it was not waiting.
    pub fn cancel(&mut self, waiter: &W) -> bool {
        self.waiters.remove(waiter)
    }

    /// The next pair that may go now, with tasks that a rate limit had held back. To be called
    /// until it gives none, at [`Matcher::next_release_ns`] and after a rate limit has changed.
    pub fn release(&mut self, now_ns: i64) -> Option<(W, T)> {
        if self.waiters.is_empty() {
            return None;
        }
        let task = self.take(now_ns)?;
        let (waiter, identity) = self.waiters.pop_named()?;
        self.pollers.seen(&identity, now_ns);
        Some((waiter, task))
    }

    /// When to call [`Matcher::release`] again, if a rate limit is all that holds a waiting poller
    /// and a waiting task apart; none otherwise, also when the limit is zero. It may then still
    /// have nothing to give, but never has anything earlier.
    pub fn next_release_ns(&self) -> Option<i64> {
        if self.waiters.is_empty() || self.backlog.is_empty() {
            return None;
        }
        let key_ns = self.backlog.ready_ns()?;
        let ready_ns = key_ns.max(self.limiter.ready_ns());
        (ready_ns < limiter::NEVER_NS).then_some(ready_ns)
    }

    /// A task that was given out was gone when claimed: it does not count against the rate limit.
    pub fn refund(&mut self) {
        self.limiter.refund();
    }

    /// Sets the rate limit of UpdateTaskQueueConfig, in tasks a second; 0 stops the queue, none
    /// leaves the limit to the workers.
    pub fn set_rate_limit(&mut self, rate: Option<f64>, now_ns: i64) {
        self.limiter.set_api_rate(rate, now_ns);
    }

    /// Sets the rate limit that a worker asks for. Whether other parts of the queue may now give out tasks sooner.
    pub fn set_worker_rate(&mut self, rate: Option<f64>, now_ns: i64) -> bool {
        self.limiter.set_worker_rate(rate, now_ns) && self.limiter.has_parts()
    }

    /// The rate limit in force, and who set it.
    pub fn rate_limit(&self) -> (Option<f64>, RateLimitSource) {
        match (self.limiter.api_rate(), self.limiter.worker_rate()) {
            (Some(rate), _) => (Some(rate), RateLimitSource::Api),
            (None, Some(rate)) => (Some(rate), RateLimitSource::Worker),
            (None, None) => (None, RateLimitSource::System),
        }
    }

    /// Sets the rate limit of each fairness key, in tasks a second for a weight of 1.
    pub fn set_fairness_key_rate_limit(&mut self, rate: Option<f64>, now_ns: i64) {
        self.key_pace.pace = Pace::new(rate);
        self.backlog.clip(self.key_pace.pace, now_ns);
    }

    /// Sets the weights that go before those of the tasks, by fairness key.
    pub fn set_fairness_weights(&mut self, weights: BTreeMap<String, f32>) {
        self.key_pace.weights = weights;
    }

    /// Statistics of the whole queue.
    pub fn stats(&self, now_ns: i64) -> Stats {
        let mut all = Stats::default();
        for stats in self.stats_by_priority(now_ns).into_values() {
            all.backlog_count += stats.backlog_count;
            all.backlog_age = all.backlog_age.max(stats.backlog_age);
            all.add_rate += stats.add_rate;
            all.dispatch_rate += stats.dispatch_rate;
            all.rate_limiting_active |= stats.rate_limiting_active;
        }
        all
    }

    /// Statistics by priority: of the default one, and of those that ever had a task.
    pub fn stats_by_priority(&self, now_ns: i64) -> BTreeMap<i32, Stats> {
        let window_ns = meter::WINDOW_NS;
        let limited = self
            .limited_at_ns
            .is_some_and(|at| now_ns.saturating_sub(at) <= window_ns);
        let stats = |(priority, rates): (&i32, &Rates)| {
            let level = self.backlog.level(*priority);
            let age_ns = level
                .oldest_ns()
                .map_or(0, |oldest| now_ns.saturating_sub(oldest));
            let stats = Stats {
                backlog_count: level.len(),
                backlog_age: Duration::from_nanos(u64::try_from(age_ns).unwrap_or(0)),
                add_rate: rates.added.rate(now_ns),
                dispatch_rate: rates.dispatched.rate(now_ns),
                rate_limiting_active: limited,
            };
            (*priority, stats)
        };
        self.meters.iter().map(stats).collect()
    }

    /// Tasks that wait, queries left out.
    pub fn backlog_count(&self) -> usize {
        self.backlog.len()
    }

    /// Pollers that wait.
    pub fn waiter_count(&self) -> usize {
        self.waiters.len()
    }

    /// The pollers of the last [`POLLER_TTL`], by identity.
    pub fn pollers(&self, now_ns: i64) -> Vec<PollerInfo> {
        self.pollers.list(now_ns)
    }

    /// Whether a poller waits, or one has asked or been served `within` the last so long.
    pub fn recent_poller(&self, within: Duration, now_ns: i64) -> bool {
        !self.waiters.is_empty() || self.pollers.any_within(within, now_ns)
    }

    /// Whether nothing waits here and nobody has come for [`IDLE_AFTER`].
    pub fn is_idle(&self, now_ns: i64) -> bool {
        let unused_ns = now_ns.saturating_sub(self.used_at_ns);
        self.waiters.is_empty()
            && self.front.is_empty()
            && self.backlog.is_empty()
            && unused_ns >= nanos(IDLE_AFTER)
    }

    /// Takes all tasks away, in the order in which they would have left: for a sticky queue whose
    /// worker is gone, or a queue that moves to another node. Rate limits do not count.
    pub fn drain_tasks(&mut self) -> Vec<T> {
        let front = std::mem::take(&mut self.front);
        let mut tasks: Vec<T> = front.into_values().collect();
        tasks.extend(self.backlog.drain());
        tasks
    }

    /// Takes away the tasks that are to go elsewhere, in the order in which they would have left.
    /// All are taken when one is: those that stay are to be offered again by the caller.
    pub fn drain_if_any(&mut self, goes: impl Fn(&T) -> bool) -> Vec<T> {
        if !self.front.values().any(&goes) && !self.backlog.iter().any(goes) {
            return Vec::new();
        }
        self.drain_tasks()
    }

    /// Takes all waiting pollers away, first come first: for a queue that moves to another node.
    pub fn drain_waiters(&mut self) -> Vec<W> {
        std::iter::from_fn(|| self.waiters.pop()).collect()
    }

    /// The next task that may leave now.
    fn take(&mut self, now_ns: i64) -> Option<T> {
        if let Some((_, task)) = self.front.pop_first() {
            return Some(task);
        }
        if self.backlog.is_empty() {
            return None;
        }
        if !self.limiter.is_ready(now_ns) {
            self.limited_at_ns = Some(now_ns);
            return None;
        }
        let Some((priority, task)) = self.backlog.pop(&self.key_pace, now_ns) else {
            self.limited_at_ns = Some(now_ns);
            return None;
        };
        self.limiter.consume(now_ns);
        self.rates(priority, now_ns).dispatched.add(now_ns);
        Some(task)
    }

    fn rates(&mut self, priority: i32, now_ns: i64) -> &mut Rates {
        let meter = Meter::new(now_ns);
        self.meters.entry(priority).or_insert(Rates {
            added: meter,
            dispatched: meter,
        })
    }
}

fn clamp_priority(key: i32) -> i32 {
    if key == 0 {
        PRIORITY_DEFAULT
    } else {
        key.clamp(1, PRIORITY_MAX)
    }
}

/// A span as nanoseconds; those used here are minutes at most.
fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}
