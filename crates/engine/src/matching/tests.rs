use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proto::temporal::api::deployment::v1::WorkerDeploymentOptions;

use super::*;

const SECOND: i64 = 1_000_000_000;

type Queue = Matcher<u32, &'static str>;

fn queue() -> Queue {
    Matcher::new(0)
}

fn worker(identity: &str) -> Poller<'_> {
    Poller {
        identity,
        ..Poller::default()
    }
}

fn prioritized(priority_key: i32) -> TaskMeta<'static> {
    TaskMeta {
        priority_key,
        ..TaskMeta::default()
    }
}

fn keyed(fairness_key: &str, fairness_weight: f32) -> TaskMeta<'_> {
    TaskMeta {
        fairness_key,
        fairness_weight,
        ..TaskMeta::default()
    }
}

/// Takes tasks one by one until there is none; the last poller is not left waiting.
fn drain(queue: &mut Queue, now_ns: i64) -> Vec<u32> {
    let tasks = std::iter::from_fn(|| queue.poll("drain", worker("drain"), now_ns)).collect();
    queue.cancel(&"drain");
    tasks
}

#[test]
fn a_task_meets_the_poller_that_waits_longest() {
    let mut queue = queue();
    assert_eq!(queue.poll("a", worker("a"), 0), None);
    assert_eq!(queue.poll("b", worker("b"), 0), None);
    assert_eq!(queue.waiter_count(), 2);
    assert_eq!(queue.offer(1, TaskMeta::default(), 1), Some(("a", 1)));
    assert_eq!(queue.offer(2, TaskMeta::default(), 1), Some(("b", 2)));
    assert_eq!(queue.offer(3, TaskMeta::default(), 1), None);
    assert_eq!(queue.backlog_count(), 1);
    assert_eq!(queue.poll("c", worker("c"), 2), Some(3));
    assert_eq!(queue.backlog_count(), 0);
}

#[test]
fn a_poller_that_gave_up_gets_nothing() {
    let mut queue = queue();
    queue.poll("a", worker("a"), 0);
    queue.poll("b", worker("b"), 0);
    assert!(queue.cancel(&"a"));
    assert!(!queue.cancel(&"a"));
    assert_eq!(queue.offer(1, TaskMeta::default(), 0), Some(("b", 1)));
    assert_eq!(queue.offer(2, TaskMeta::default(), 0), None);
}

#[test]
fn a_poller_that_asks_again_waits_once() {
    let mut queue = queue();
    for waiter in ["a", "b", "a"] {
        queue.poll(waiter, worker(waiter), 0);
    }
    assert_eq!(queue.waiter_count(), 2);
    assert_eq!(queue.offer(1, TaskMeta::default(), 0), Some(("b", 1)));
    assert_eq!(queue.drain_waiters(), ["a"]);
}

#[test]
fn tasks_leave_by_priority_then_in_order() {
    let mut queue = queue();
    // 0 is the default, 3; what is out of range is brought into it.
    for (task, priority) in [
        (1, 5),
        (2, 3),
        (3, 0),
        (4, 1),
        (5, -7),
        (6, 99),
        (7, 2),
        (8, 4),
    ] {
        queue.offer(task, prioritized(priority), 0);
    }
    assert_eq!(drain(&mut queue, 0), [4, 5, 7, 2, 3, 8, 1, 6]);
}

#[test]
fn queries_go_first_and_are_no_backlog() {
    let mut queue = queue();
    let front = TaskMeta {
        front: true,
        ..TaskMeta::default()
    };
    queue.set_rate_limit(Some(0.0), 0);
    queue.offer(1, prioritized(1), 0);
    queue.offer(2, front, 0);
    queue.offer(3, front, 0);
    assert_eq!(queue.backlog_count(), 1);
    assert_eq!(queue.stats(0).backlog_count, 1);
    assert_eq!(
        queue.poll("a", worker("a"), 0),
        Some(2),
        "rate limits do not hold"
    );
    assert_eq!(queue.poll("a", worker("a"), 0), Some(3));
    assert_eq!(queue.poll("a", worker("a"), 0), None);
    assert_eq!(queue.offer(4, front, 0), Some(("a", 4)));
}

#[test]
fn fairness_keys_take_turns() {
    let mut queue = queue();
    for task in 0..6 {
        queue.offer(task, keyed("large", 1.0), 0);
    }
    queue.offer(10, keyed("a", 1.0), 0);
    queue.offer(11, keyed("a", 1.0), 0);
    queue.offer(20, keyed("b", 1.0), 0);
    assert_eq!(drain(&mut queue, 0), [0, 10, 20, 1, 11, 2, 3, 4, 5]);
}

#[test]
fn fairness_weights_share_the_turns() {
    let mut queue = queue();
    for task in 0..100 {
        queue.offer(task, keyed("light", 1.0), 0);
        queue.offer(1000 + task, keyed("heavy", 3.0), 0);
    }
    let first: Vec<u32> = drain(&mut queue, 0).into_iter().take(80).collect();
    let heavy = first.iter().filter(|task| **task >= 1000).count();
    assert!(
        (59..=61).contains(&heavy),
        "three in four of 80, was {heavy}"
    );

    let mut queue: Queue = Matcher::new(0);
    queue.set_fairness_weights(BTreeMap::from([("light".to_owned(), 3.0)]));
    for task in 0..100 {
        queue.offer(task, keyed("light", 0.5), 0);
        queue.offer(1000 + task, keyed("heavy", 1.0), 0);
    }
    let first: Vec<u32> = drain(&mut queue, 0).into_iter().take(80).collect();
    let light = first.iter().filter(|task| **task < 1000).count();
    assert!(
        (59..=61).contains(&light),
        "an override goes before, was {light}"
    );
}

#[test]
fn who_comes_one_by_one_gains_nothing() {
    let mut queue = queue();
    for task in 0..10 {
        queue.offer(task, keyed("steady", 1.0), 0);
    }
    let mut order = vec![];
    queue.offer(100, keyed("single", 1.0), 0);
    for next in 101..110 {
        let task = queue.poll("a", worker("a"), 0).unwrap();
        order.push(task);
        // As soon as its task has gone, the next one is there.
        if task >= 100 {
            queue.offer(next, keyed("single", 1.0), 0);
        }
    }
    let steady = order.iter().filter(|task| **task < 100).count();
    assert!((4..=5).contains(&steady), "half of the turns: {order:?}");
}

#[test]
fn an_empty_queue_starts_anew() {
    let mut queue = queue();
    for task in 0..3 {
        queue.offer(task, keyed("slow", 0.001), 0);
    }
    assert_eq!(drain(&mut queue, 0), [0, 1, 2]);
    queue.offer(10, keyed("slow", 0.001), 0);
    queue.offer(11, keyed("other", 1.0), 0);
    assert_eq!(drain(&mut queue, 0), [10, 11], "what was is forgotten");
}

#[test]
fn many_keys_are_forgotten() {
    // With one task waiting all the time, and with none.
    for waiting in [true, false] {
        let mut queue = queue();
        if waiting {
            queue.offer(0, keyed("stays", 1.0), 0);
        }
        let mut most = 0;
        for task in 1..30_000 {
            queue.offer(task, keyed(&format!("key {task}"), 1.0), 0);
            assert!(queue.poll("a", worker("a"), 0).is_some());
            most = most.max(queue.backlog.level(PRIORITY_DEFAULT).line_count());
        }
        assert!(most < 10_000, "{most} lines for one task");
    }
}

#[test]
fn a_rate_limit_holds_tasks_back() {
    let mut queue = queue();
    queue.set_rate_limit(Some(10.0), 0);
    for task in 0..20 {
        queue.offer(task, TaskMeta::default(), 100 * SECOND);
    }
    let now = 100 * SECOND;
    // The burst of one second, and the one that was due.
    assert_eq!(drain(&mut queue, now).len(), 11);
    queue.poll("a", worker("a"), now);
    assert_eq!(queue.next_release_ns(), Some(now + SECOND / 10));
    assert_eq!(queue.release(now + SECOND / 10 - 1), None);
    assert_eq!(queue.release(now + SECOND / 10), Some(("a", 11)));
    assert_eq!(queue.next_release_ns(), None, "nobody waits");
    queue.refund();
    assert_eq!(
        queue.poll("b", worker("b"), now + SECOND / 10),
        Some(12),
        "the token came back"
    );
}

#[test]
fn a_rate_of_zero_stops_and_any_other_resumes() {
    let mut queue = queue();
    queue.set_rate_limit(Some(0.0), 0);
    queue.poll("a", worker("a"), 0);
    assert_eq!(queue.offer(1, TaskMeta::default(), 0), None);
    assert_eq!(queue.next_release_ns(), None);
    assert_eq!(queue.release(i64::MAX / 4), None);
    queue.set_rate_limit(Some(1.0), 5 * SECOND);
    assert_eq!(
        queue.next_release_ns(),
        Some(7 * SECOND),
        "an interval and the burst at most"
    );
    assert_eq!(queue.release(7 * SECOND), Some(("a", 1)));
    queue.set_rate_limit(None, 8 * SECOND);
    queue.offer(2, TaskMeta::default(), 8 * SECOND);
    assert_eq!(queue.poll("a", worker("a"), 8 * SECOND), Some(2));
}

#[test]
fn who_sets_the_rate_limit() {
    let mut queue = queue();
    let limited = |rate| Poller {
        identity: "a",
        max_tasks_per_second: rate,
        ..Poller::default()
    };
    assert_eq!(queue.rate_limit(), (None, RateLimitSource::System));
    queue.poll("a", limited(Some(5.0)), 0);
    assert_eq!(queue.rate_limit(), (Some(5.0), RateLimitSource::Worker));
    queue.set_rate_limit(Some(7.0), 0);
    assert_eq!(queue.rate_limit(), (Some(7.0), RateLimitSource::Api));
    queue.set_rate_limit(None, 0);
    queue.poll("a", limited(None), 0);
    assert_eq!(
        queue.rate_limit(),
        (None, RateLimitSource::System),
        "the last poll counts"
    );
    queue.poll("a", limited(Some(f64::NAN)), 0);
    let matched = queue.offer(1, TaskMeta::default(), 0);
    assert_eq!(matched, Some(("a", 1)), "no number, no limit");
}

#[test]
fn fairness_keys_have_their_own_rate_limit() {
    let mut queue = queue();
    let now = 100 * SECOND;
    queue.set_fairness_key_rate_limit(Some(1.0), 0);
    for task in 0..10 {
        queue.offer(task, keyed("a", 1.0), now);
        queue.offer(100 + task, keyed("b", 3.0), now);
    }
    let got: BTreeSet<u32> = drain(&mut queue, now).into_iter().collect();
    let expected = BTreeSet::from([0, 1, 100, 101, 102, 103]);
    assert_eq!(
        got, expected,
        "a token of the burst each, by weight, and the one that was due"
    );
    // Others are not held up by them.
    queue.offer(200, keyed("c", 1.0), now);
    assert_eq!(queue.poll("w", worker("w"), now), Some(200));
    assert_eq!(queue.poll("w", worker("w"), now), None);
    let due = queue.next_release_ns().unwrap();
    assert!(
        (now + SECOND / 3 - 10..=now + SECOND / 3).contains(&due),
        "{due}"
    );
    assert_eq!(queue.release(due), Some(("w", 104)));
    queue.set_fairness_key_rate_limit(None, now);
    assert_eq!(drain(&mut queue, now).len(), 13);
}

#[test]
fn statistics_by_priority_and_in_all() {
    let mut queue = queue();
    let created = |priority_key, created_at_ns| TaskMeta {
        priority_key,
        created_at_ns,
        ..TaskMeta::default()
    };
    assert_eq!(
        queue.stats_by_priority(0).into_keys().collect::<Vec<_>>(),
        [3]
    );
    queue.offer(1, created(3, 2 * SECOND), 10 * SECOND);
    queue.offer(2, created(3, 4 * SECOND), 10 * SECOND);
    queue.offer(3, created(1, 6 * SECOND), 10 * SECOND);
    let stats = queue.stats_by_priority(10 * SECOND);
    assert_eq!(stats.keys().copied().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(
        (stats[&1].backlog_count, stats[&1].backlog_age.as_secs()),
        (1, 4)
    );
    assert_eq!(
        (stats[&3].backlog_count, stats[&3].backlog_age.as_secs()),
        (2, 8)
    );
    assert_eq!(
        stats[&3].add_rate, 0.2,
        "two in the ten seconds since the start"
    );
    let all = queue.stats(10 * SECOND);
    assert_eq!((all.backlog_count, all.backlog_age.as_secs()), (3, 8));
    drain(&mut queue, 10 * SECOND);
    let all = queue.stats(20 * SECOND);
    assert_eq!((all.backlog_count, all.backlog_age), (0, Duration::ZERO));
    assert!(all.dispatch_rate > 0.0);
    assert!(!all.rate_limiting_active);
}

#[test]
fn rates_are_over_thirty_seconds() {
    let mut queue = queue();
    for second in 0..100 {
        queue.offer(0, TaskMeta::default(), second * SECOND);
        queue.offer(0, TaskMeta::default(), second * SECOND);
    }
    let rate = |second: i64| queue.stats(second * SECOND).add_rate;
    assert!((1.9..2.2).contains(&rate(100)), "{}", rate(100));
    assert!((0.9..1.4).contains(&rate(115)), "{}", rate(115));
    assert_eq!(rate(140), 0.0);
    assert_eq!(rate(10_000), 0.0);
    assert_eq!(rate(0), 0.0, "a clock that steps back does no harm");
}

#[test]
fn rate_limiting_shows_for_a_while() {
    let mut queue = queue();
    queue.set_rate_limit(Some(0.0), 0);
    queue.offer(1, TaskMeta::default(), 0);
    queue.poll("a", worker("a"), SECOND);
    assert!(queue.stats(31 * SECOND).rate_limiting_active);
    assert!(!queue.stats(32 * SECOND).rate_limiting_active);
}

#[test]
fn pollers_are_listed_for_five_minutes() {
    let mut queue = queue();
    let options = WorkerDeploymentOptions {
        deployment_name: "dep".to_owned(),
        ..WorkerDeploymentOptions::default()
    };
    queue.poll("a", worker("a"), 0);
    let versioned = Poller {
        identity: "b",
        max_tasks_per_second: Some(5.0),
        deployment_options: Some(&options),
        version_capabilities: None,
    };
    queue.poll("b", versioned, 10 * SECOND);
    let shown = |queue: &Queue, second: i64| -> Vec<(String, i64, f64)> {
        let list = queue.pollers(second * SECOND).into_iter();
        list.map(|p| (p.identity, p.last_access_ns / SECOND, p.rate_per_second))
            .collect()
    };
    let both = [("a".to_owned(), 0, 100_000.0), ("b".to_owned(), 10, 5.0)];
    assert_eq!(shown(&queue, 299), both);
    assert_eq!(
        queue.pollers(0)[1].deployment_options.as_ref(),
        Some(&options)
    );
    assert_eq!(shown(&queue, 300), both[1..]);
    // To be served is a sign of life.
    queue.offer(1, TaskMeta::default(), 305 * SECOND);
    assert_eq!(shown(&queue, 311), [("a".to_owned(), 305, 100_000.0)]);
    // Old ones do not pile up.
    queue.poll("c", worker("c"), 1000 * SECOND);
    assert_eq!(queue.pollers.len(), 1);
}

#[test]
fn recent_pollers_for_sticky_queues_and_queries() {
    let mut queue = queue();
    assert!(!queue.recent_poller(STICKY_POLLER_WITHIN, 0));
    queue.poll("a", worker("a"), 0);
    assert!(
        queue.recent_poller(STICKY_POLLER_WITHIN, 50 * SECOND),
        "it still waits"
    );
    queue.offer(1, TaskMeta::default(), 50 * SECOND);
    assert!(queue.recent_poller(STICKY_POLLER_WITHIN, 60 * SECOND));
    assert!(!queue.recent_poller(STICKY_POLLER_WITHIN, 60 * SECOND + 1));
    assert!(queue.recent_poller(QUERY_POLLER_WITHIN, 70 * SECOND));
    assert!(!queue.recent_poller(QUERY_POLLER_WITHIN, 70 * SECOND + 1));
}

#[test]
fn a_queue_that_nobody_uses_is_idle() {
    let mut queue = queue();
    assert!(!queue.is_idle(299 * SECOND));
    assert!(queue.is_idle(300 * SECOND));
    queue.poll("a", worker("a"), 300 * SECOND);
    assert!(!queue.is_idle(900 * SECOND), "somebody waits");
    queue.cancel(&"a");
    assert!(queue.is_idle(900 * SECOND));
    queue.offer(1, TaskMeta::default(), 900 * SECOND);
    assert!(!queue.is_idle(2000 * SECOND), "something waits");
    assert_eq!(queue.drain_tasks(), [1]);
    assert!(queue.is_idle(2000 * SECOND));
}

#[test]
fn all_can_be_taken_away() {
    let mut queue = queue();
    queue.set_rate_limit(Some(0.0), 0);
    queue.set_fairness_key_rate_limit(Some(0.0), 0);
    queue.offer(1, prioritized(4), 0);
    queue.offer(2, prioritized(2), 0);
    queue.offer(
        3,
        TaskMeta {
            front: true,
            ..TaskMeta::default()
        },
        0,
    );
    queue.offer(4, keyed("k", 1.0), 0);
    queue.offer(5, prioritized(4), 0);
    assert_eq!(queue.drain_tasks(), [3, 2, 4, 1, 5]);
    assert_eq!(queue.backlog_count(), 0);
    queue.poll("a", worker("a"), 0);
    queue.poll("b", worker("b"), 0);
    assert_eq!(queue.drain_waiters(), ["a", "b"]);
    assert_eq!(queue.waiter_count(), 0);
}

/// A generator of numbers for tests: the same ones at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn whatever_happens_each_task_leaves_once_and_nothing_is_stuck() {
    for seed in 0..200 {
        let mut numbers = Numbers(seed);
        let mut queue: Matcher<u64, u64> = Matcher::new(0);
        let (mut now, mut next) = (0, 0);
        let mut left = BTreeSet::new();
        for _ in 0..500 {
            now += numbers.below(SECOND as u64 / 2) as i64;
            let pair = match numbers.below(12) {
                0..=4 => {
                    next += 1;
                    let key = ["", "a", "b"][numbers.below(3) as usize];
                    let priority = numbers.below(6) as i32;
                    queue.offer(
                        next,
                        TaskMeta {
                            priority_key: priority,
                            ..keyed(key, 2.0)
                        },
                        now,
                    )
                }
                5..=8 => {
                    let waiter = numbers.below(20);
                    queue
                        .poll(waiter, Poller::default(), now)
                        .map(|task| (waiter, task))
                }
                9 => {
                    queue.cancel(&numbers.below(20));
                    None
                }
                10 => {
                    let rate = [None, Some(0.5), Some(20.0)][numbers.below(3) as usize];
                    queue.set_rate_limit(rate, now);
                    None
                }
                _ => {
                    let rate = [None, Some(1.0)][numbers.below(2) as usize];
                    queue.set_fairness_key_rate_limit(rate, now);
                    None
                }
            };
            for (_, task) in pair
                .into_iter()
                .chain(std::iter::from_fn(|| queue.release(now)))
            {
                assert!(left.insert(task), "seed {seed}: task {task} left twice");
            }
            // Whoever waits next to a task is told when to ask again, and then gets nearer to it.
            if queue.waiter_count() > 0 && queue.backlog_count() > 0 {
                let due = queue.next_release_ns();
                assert!(
                    due.is_some_and(|due| due > now),
                    "seed {seed}: {due:?} at {now}"
                );
            }
            assert_eq!(
                left.len() + queue.backlog_count(),
                next as usize,
                "seed {seed}"
            );
        }
        // Then the clock goes from one release to the next, and all leave.
        for waiter in 0..next {
            if let Some(task) = queue.poll(1000 + waiter, Poller::default(), now) {
                assert!(left.insert(task));
            }
        }
        while let Some(due) = queue.next_release_ns() {
            for (_, task) in std::iter::from_fn(|| queue.release(due)) {
                assert!(left.insert(task));
            }
        }
        assert_eq!(left.len(), next as usize, "seed {seed}");
    }
}

#[test]
fn a_task_that_waits_can_be_taken_away() {
    let mut queue = queue();
    let ticket = |queue: &mut Queue, task, meta: TaskMeta<'_>| {
        let offered = queue.place(task, meta, 0);
        assert!(offered.pair.is_none());
        offered.ticket.unwrap()
    };
    let front = TaskMeta {
        front: true,
        ..TaskMeta::default()
    };
    let first = ticket(&mut queue, 1, front);
    let second = ticket(&mut queue, 2, front);
    let head = ticket(&mut queue, 3, keyed("a", 1.0));
    let middle = ticket(&mut queue, 4, keyed("a", 1.0));
    ticket(&mut queue, 5, keyed("a", 1.0));
    let only = ticket(&mut queue, 6, keyed("b", 1.0));
    ticket(&mut queue, 7, prioritized(1));
    assert_eq!(queue.remove(&first), Some(1));
    assert_eq!(queue.remove(&first), None, "once");
    for (ticket, task) in [(&middle, 4), (&head, 3), (&only, 6)] {
        assert_eq!(queue.remove(ticket), Some(task));
    }
    assert_eq!(queue.backlog_count(), 2);
    assert_eq!(queue.stats_by_priority(0)[&3].backlog_count, 1);
    assert_eq!(drain(&mut queue, 0), [2, 7, 5]);
    assert_eq!(queue.remove(&second), None, "it has left");
    assert!(queue.is_idle(nanos(IDLE_AFTER)));
}

#[test]
fn the_age_is_that_of_the_oldest_task_that_is_left() {
    let mut queue = queue();
    let at = |created_at_ns| TaskMeta {
        created_at_ns,
        ..TaskMeta::default()
    };
    let oldest = queue.place(1, at(0), 0).ticket.unwrap();
    let next = queue.place(2, at(SECOND), 0).ticket.unwrap();
    queue.place(3, at(2 * SECOND), 0);
    queue.remove(&next);
    assert_eq!(
        queue.stats(10 * SECOND).backlog_age,
        Duration::from_secs(10)
    );
    queue.remove(&oldest);
    assert_eq!(queue.stats(10 * SECOND).backlog_age, Duration::from_secs(8));
}

#[test]
fn a_task_that_comes_back_is_next_again() {
    let mut queue = queue();
    queue.set_rate_limit(Some(1.0), 0);
    let returned = |key| TaskMeta {
        returned: true,
        ..keyed(key, 1.0)
    };
    for (task, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
        queue.offer(task, keyed(key, 1.0), 0);
    }
    assert_eq!(queue.poll("p", worker("p"), 0), Some(1));
    // The token that it took is given back with it.
    queue.offer(1, returned("a"), 0);
    assert_eq!(queue.backlog_count(), 4);
    assert_eq!(queue.poll("p", worker("p"), 0), Some(1));
    queue.set_rate_limit(None, 0);
    assert_eq!(drain(&mut queue, 0), [3, 2, 4]);
    // Also on a line that is empty by then.
    queue.offer(5, keyed("c", 1.0), 0);
    queue.offer(6, returned("a"), 0);
    assert_eq!(drain(&mut queue, 0), [6, 5]);
}

#[test]
fn what_is_left_after_many_removals_keeps_its_order() {
    let mut queue = queue();
    let keys = ["a", "b", "c"];
    let tickets: Vec<_> = (0..300)
        .map(|task| {
            queue
                .place(task, keyed(keys[task as usize % 3], 1.0), 0)
                .ticket
        })
        .collect();
    let mut left = BTreeSet::new();
    for (task, ticket) in (0..300).zip(tickets) {
        if task % 7 == 0 {
            left.insert(task);
        } else {
            assert_eq!(queue.remove(&ticket.unwrap()), Some(task));
        }
    }
    let drained = drain(&mut queue, 0);
    for key in 0..3 {
        let of_key: Vec<_> = drained.iter().filter(|task| *task % 3 == key).collect();
        assert!(of_key.is_sorted());
    }
    assert_eq!(drained.into_iter().collect::<BTreeSet<_>>(), left);
}

#[test]
fn parts_of_a_queue_share_its_rate_limit() {
    let limit = RateLimit::default();
    let mut one = Queue::sharing(limit.clone(), 0);
    let mut other = Queue::sharing(limit, 0);
    one.set_rate_limit(Some(2.0), 0);
    assert_eq!(other.rate_limit(), (Some(2.0), RateLimitSource::Api));
    for task in 0..4 {
        one.offer(task, TaskMeta::default(), 0);
        other.offer(task + 10, TaskMeta::default(), 0);
    }
    let mut left = drain(&mut one, 0).len();
    left += drain(&mut other, 0).len();
    assert_eq!(left, 1, "no more for two parts than for one");
    let later = drain(&mut other, SECOND / 2).len() + drain(&mut one, SECOND / 2).len();
    assert_eq!(later, 1);
}

#[test]
fn a_worker_that_asks_for_more_wakes_the_other_parts() {
    let limit = RateLimit::default();
    let mut one = Queue::sharing(limit.clone(), 0);
    let mut other = Queue::sharing(limit.clone(), 0);
    for task in 0..2 {
        other.offer(task, TaskMeta::default(), 0);
    }
    let slow = |identity| Poller {
        max_tasks_per_second: Some(0.01),
        ..worker(identity)
    };
    assert_eq!(other.poll("p", slow("p"), 0), Some(0));
    assert_eq!(other.poll("p", slow("p"), 0), None);
    let waits_ns = other.next_release_ns().unwrap();
    assert!(waits_ns > 90 * SECOND);
    assert!(one.set_worker_rate(Some(10.0), 0));
    assert!(other.next_release_ns().unwrap() < 2 * SECOND);
    assert!(!one.set_worker_rate(Some(10.0), 0), "as it was");
    assert!(!one.set_worker_rate(Some(0.1), 0), "less");
}
