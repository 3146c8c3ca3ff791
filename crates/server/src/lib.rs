//! **server waits**: it puts the pure engine and the store behind the API.
//!
//! It knows `engine`, `store` and `proto`. Law: no rule about what a workflow may do lives here.
//!
//! - [`grpc`]: one file an RPC: validates, makes an input, shapes the answer.
//! - [`batch`]: batch operations, which call the API for each of their targets.
//! - [`node`]: one node put together; what the frontend calls.
//! - [`shard`]: single writers; each owns the state of the executions of its slots.
//! - `descriptors`: the definition of the API, as data.
//! - [`deployments`]: the registry of worker deployments, and where they send tasks.
//! - [`matching`]: ready tasks meet waiting pollers.
//! - [`task_queues`]: what was set for task queues.
//! - [`time_skipping`]: a clock for tests, which jumps when nobody is at work.
//! - [`waiters`]: who waits in memory for a query's answer; may forget all in a crash.

// Deprecated fields of the API are still part of it.
#![allow(deprecated)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod batch;
pub mod config;
pub mod deployments;
mod descriptors;
pub mod dynamic_config;
pub mod error;
pub mod grpc;
pub mod http;
pub mod matching;
pub mod namespaces;
pub mod nexus;
pub mod node;
pub mod shard;
mod sync;
pub mod task_queues;
pub mod time_skipping;
pub mod visibility;
pub mod waiters;
pub mod wire;
