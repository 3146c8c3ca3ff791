//! How the server fails: what it cannot start on, what it does without disk, how it stops, what malformed
//! requests do, and what one broken workflow does to the others. Always the real program.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod damaged;
mod disk_full;
mod malformed;
mod poisoned;
mod refused_start;
mod scene;
mod shutdown;
mod tokens;
