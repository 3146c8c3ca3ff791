//! What the demo needs besides the samples themselves.

pub mod connect;
pub mod printer;
pub mod stage;
pub mod worker_process;
