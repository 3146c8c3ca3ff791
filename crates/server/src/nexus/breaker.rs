//! A circuit breaker for each destination: one that does not answer is left alone for a while, so that it can
//! recover, and so that those who wait for it do not crowd out the others.

use std::time::Duration;

use hashbrown::HashMap;
use tokio::time::Instant;
use uuid::Uuid;

use crate::sync::{Mutex, lock};

/// More failures than this in a row open it.
const FAILURES_MAX: u32 = 5;
/// So long it stays open before one request may try.
const OPEN_FOR: Duration = Duration::from_secs(60);
/// Breakers of destinations that answer are forgotten above so many.
const KNOWN_MAX: usize = 4096;

/// Whose request, and where to: an endpoint's name or an address.
pub(super) type Destination = (Uuid, String);

/// All breakers.
#[derive(Debug, Default)]
pub struct Breakers {
    known: Mutex<HashMap<Destination, Breaker>>,
}

#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    /// Open; from then on one request may try.
    retry_at: Option<Instant>,
}

impl Breakers {
    /// Whether requests are held back.
    pub fn is_open(&self, namespace: Uuid, destination: &str) -> bool {
        let known = lock(&self.known);
        let breaker = known.get(&(namespace, destination.to_owned()));
        breaker.is_some_and(|breaker| breaker.retry_at.is_some())
    }

    /// Waits until a request may be made. Whether it had to wait.
    pub(super) async fn admitted(&self, destination: &Destination) -> bool {
        let mut waited = false;
        while let Some(until) = self.held_until(destination, Instant::now()) {
            waited = true;
            tokio::time::sleep_until(until).await;
        }
        waited
    }

    /// Until when a request is held back. One that may try goes alone: those behind it wait for another turn.
    fn held_until(&self, destination: &Destination, now: Instant) -> Option<Instant> {
        let mut known = lock(&self.known);
        let retry_at = known.get_mut(destination)?.retry_at.as_mut()?;
        if *retry_at > now {
            return Some(*retry_at);
        }
        *retry_at = now + OPEN_FOR;
        None
    }

    /// How a request went.
    pub(super) fn went(&self, destination: &Destination, answered: bool) {
        self.went_at(destination, answered, Instant::now());
    }

    fn went_at(&self, destination: &Destination, answered: bool, now: Instant) {
        let mut known = lock(&self.known);
        if answered {
            if let Some(breaker) = known.get_mut(destination) {
                *breaker = Breaker::default();
            }
            return;
        }
        if known.len() >= KNOWN_MAX {
            known.retain(|_, breaker| breaker.retry_at.is_some());
        }
        let breaker = known.entry(destination.clone()).or_default();
        breaker.failures = breaker.failures.saturating_add(1);
        if breaker.failures > FAILURES_MAX {
            breaker.retry_at = Some(now + OPEN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_many_failures_and_lets_one_try() {
        let breakers = Breakers::default();
        let to = (Uuid::nil(), "ep".to_owned());
        let now = Instant::now();
        for _ in 0..FAILURES_MAX {
            breakers.went_at(&to, false, now);
        }
        assert_eq!(breakers.held_until(&to, now), None);
        breakers.went_at(&to, false, now);
        assert!(breakers.is_open(Uuid::nil(), "ep"));
        assert!(!breakers.is_open(Uuid::nil(), "other"));
        let later = now + OPEN_FOR;
        assert_eq!(breakers.held_until(&to, now), Some(later));
        assert_eq!(breakers.held_until(&to, later), None);
        // The next waits for what becomes of the first.
        assert_eq!(breakers.held_until(&to, later), Some(later + OPEN_FOR));
        breakers.went_at(&to, true, later);
        assert!(!breakers.is_open(Uuid::nil(), "ep"));
        assert_eq!(breakers.held_until(&to, later), None);
    }
}
