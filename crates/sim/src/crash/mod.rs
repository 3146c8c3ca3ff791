//! Load while the server is killed again and again, and then the reckoning.
//!
//! - [`plan`], [`progress`], [`decide`]: what workflows do; pure.
//! - [`client_side`], [`workflow_worker`], [`activity_worker`]: who calls the server.
//! - [`scenes`]: what else goes on: updates, resets, batch operations, schedules, Nexus, jobs.
//! - [`ledger`]: what it promised. [`verdict`]: whether it kept its word.
//! - [`killer`]: the run as a whole.

mod activity_worker;
mod client_side;
mod decide;
mod killer;
mod ledger;
mod plan;
mod progress;
mod scenes;
mod verdict;
mod workflow_worker;
mod world;

pub use killer::{Options, Report, run};
