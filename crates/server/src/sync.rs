//! Locks that do not poison: what they guard is whole between any two statements.

pub(crate) use std::sync::Mutex;
use std::sync::{MutexGuard, PoisonError};

/// Takes a lock, whatever happened to a thread that held it before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
