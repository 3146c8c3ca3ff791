//! What must hold, whatever happened.
//!
//! - [`history`]: of the history of one run; pure.
//! - [`file`]: of a database file that no server has open.

pub mod file;
pub mod history;
