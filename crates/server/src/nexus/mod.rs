//! Nexus, on the side that waits and talks: the registry of endpoints, and tasks that handlers work on.
//!
//! May depend on `matching` and on the store; the rules are [`engine::nexus`]'s.
//!
//! - [`endpoints`]: the registry.
//! - [`tasks`]: requests that wait for a worker's answer, in memory.

pub mod endpoints;
pub mod tasks;

pub use endpoints::Endpoints;
pub use tasks::{Answer, NexusTask, NexusTasks};
