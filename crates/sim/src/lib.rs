//! **sim doubts**: it runs the real server, is unkind to it, and checks what it promised.
//!
//! May depend on: everything. Nothing depends on it.
//!
//! - [`process`]: a server process: started, killed, told to stop, starved of disk.
//! - [`client`], [`api`], [`payload`]: raw gRPC, so that nothing between the test and the server retries or hides.
//! - [`crash`]: load while the server is killed again and again; `steadfast-crash` is its command line.
//! - [`check`]: what must hold of a history, of all histories together, and of the database file.
//! - `tests/`: the short crash run that every change must pass, and how the server fails: taken ports, locked and
//!   damaged files, a full disk, malformed requests, poisoned workflows.
//!
//! Absent on purpose: the official SDKs (the samples and the wire suite have them), timing (the load
//! generator's).

// Deprecated fields of the API are still part of it.
#![allow(deprecated)]

pub mod api;
pub mod check;
pub mod client;
pub mod crash;
pub mod error;
pub mod payload;
pub mod process;
pub mod random;

pub use error::Error;
