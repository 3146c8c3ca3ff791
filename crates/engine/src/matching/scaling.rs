//! What a worker is told about how many pollers it needs (behaviour, section 10.5).

use std::time::Duration;

use super::{Matcher, nanos};

/// A poller that waited for so long was not needed.
const IDLE_AFTER: Duration = Duration::from_secs(1);
/// A backlog of this age needs more pollers.
const BACKLOG_AGE: Duration = Duration::from_millis(200);
/// Tasks that come so many times as fast as they go need more pollers.
const ADD_TO_DISPATCH: f32 = 1.2;
/// Between two advices to have more, for one poller; many pollers may hear it more often.
const ADVICE_EVERY: Duration = Duration::from_millis(100);

impl<T, W: Clone + Ord> Matcher<T, W> {
    /// By how many a worker should change its pollers, said with a task for which it waited so long.
    pub fn scaling_hint(&mut self, waited: Duration, now_ns: i64) -> i32 {
        if waited >= IDLE_AFTER {
            return -1;
        }
        let pollers = self.pollers.list(now_ns).len().max(1);
        let every = nanos(ADVICE_EVERY) / i64::try_from(pollers).unwrap_or(i64::MAX);
        let too_soon = |at: i64| now_ns.saturating_sub(at) < every;
        if self.scaled_at_ns.is_some_and(too_soon) {
            return 0;
        }
        let stats = self.stats(now_ns);
        if stats.rate_limiting_active {
            // The limit is what holds tasks back.
            return 0;
        }
        let behind = stats.backlog_count > 0 && stats.backlog_age > BACKLOG_AGE;
        if behind || stats.add_rate > stats.dispatch_rate * ADD_TO_DISPATCH {
            self.scaled_at_ns = Some(now_ns);
            return 1;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Poller, TaskMeta};
    use super::*;

    #[test]
    fn pollers_that_wait_go_and_backlogs_bring_more() {
        let second = 1_000_000_000;
        let mut matcher: Matcher<u32, u32> = Matcher::new(0);
        assert_eq!(matcher.scaling_hint(Duration::from_secs(2), 0), -1);
        assert_eq!(matcher.scaling_hint(Duration::ZERO, 0), 0);
        for task in 0..4 {
            matcher.offer(task, TaskMeta::default(), 0);
        }
        assert_eq!(matcher.poll(1, Poller::default(), second), Some(0));
        assert_eq!(matcher.scaling_hint(Duration::ZERO, second), 1);
        // Not again at once.
        assert_eq!(matcher.scaling_hint(Duration::ZERO, second), 0);
        assert_eq!(
            matcher.scaling_hint(Duration::ZERO, second + second / 10),
            1
        );
    }
}
