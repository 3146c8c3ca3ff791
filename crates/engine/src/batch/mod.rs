//! Batch operations (behaviour, section 10.1): one operation on many executions, which a query finds or a list
//! names. Pure like all machines here: what a job is and how it moves on is decided here; the server lists the
//! targets, makes the calls, and keeps the state.
//!
//! - [`validate`]: which requests are taken.
//! - [`operation`]: what is asked of each target, as a request of the API.
//! - [`reset_point`]: where in a target's history a reset goes back to.
//! - [`job`]: a job's durable state, and the records that change it.

mod job;
mod operation;
mod reset_point;
#[cfg(test)]
mod tests;
mod validate;

pub use job::{Job, Page, Progress, Record};
pub use operation::{Call, Outcome, Target, filter, is_about_activities, method, outcome};
pub use reset_point::{ResetPoint, reset_point};
pub use validate::validate;
