//! Nexus, on the side that waits and talks: the registry of endpoints, requests that workers carry out, and
//! calls to the outside that executions ask for.
//!
//! May depend on `matching`, `shard` and the store; the rules are [`engine::nexus`]'s and
//! `engine::workflow`'s.
//!
//! - [`endpoints`]: the registry.
//! - [`tasks`]: requests that wait for a worker's answer, in memory.
//! - [`calls`]: what executions ask of the outside. [`breaker`]: destinations that are left alone for a while.
//! - [`http_client`]: servers elsewhere. [`wire`], [`json`]: the protocol on HTTP.

mod breaker;
mod calls;
pub mod endpoints;
mod http_client;
pub(crate) mod json;
mod tasks;
pub(crate) mod wire;

pub use breaker::Breakers;
pub use calls::{Call, Calls, CallsTo};
pub use endpoints::Endpoints;
pub use engine::nexus::answer::Answer;
pub use http_client::HttpClient;
pub use tasks::{NexusTask, NexusTasks};
