//! What the official Rust SDK offers, tried on a running server: one file for each capability. `tests/sdk/rust/run` runs it.
//!
//! A test plays on a task queue of its own, with workflow ids made from the queue's name, so that the tests run at the
//! same time and again and again on one server. They wait for conditions, and none of them measures time.

#![cfg(test)]

mod scene;

mod activities;
mod children;
mod closing;
mod continue_as_new;
mod local_activities;
mod metadata;
mod priorities;
mod queries;
mod reset;
mod restart;
mod schedules;
mod signals;
mod standalone_activities;
mod time_skipping;
mod timers;
mod updates;
mod versioning;
mod visibility;
