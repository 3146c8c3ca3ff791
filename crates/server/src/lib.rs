//! **server waits**: it puts the pure engine and the store behind the API.
//!
//! It knows `engine`, `store` and `proto`. Law: no rule about what a workflow may do lives here.
//!
//! - [`node`]: one node put together; what the frontend calls.
//! - [`shard`]: single writers; each owns the state of the executions of its slots.
//! - [`matching`]: ready tasks meet waiting pollers.
//! - [`waiters`]: who waits in memory for a query's answer; may forget all in a crash.

pub mod matching;
pub mod node;
pub mod shard;
pub mod waiters;
