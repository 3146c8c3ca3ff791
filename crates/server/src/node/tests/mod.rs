//! Stories of one node: what a frontend sees of shards, matching and waiters over a store.

mod bed;
mod deletion;
mod faults;
mod history;
mod jobs;
mod life;
mod nexus;
mod polls;
mod queries;
mod restart;
mod schedules;
