//! What time does to a run: one file for each thing that can come due. A deadline may fire early; then
//! nothing is due and nothing happens.

mod activity;
mod first_task;
mod nexus;
mod run;
mod user_timer;
mod workflow_task;

use super::step::Step;
use super::time_skipping;
use super::transition::{Reply, Transition};
use crate::rejection::Rejection;

/// Fires everything that is due.
pub(crate) fn fire(mut step: Step<'_>) -> Result<Transition, Rejection> {
    if step.state.is_open() && !run::time_out(&mut step) {
        time_skipping::end_fast_forward(&mut step);
        first_task::release(&mut step);
        activity::fire_due(&mut step);
        user_timer::fire_due(&mut step);
        nexus::fire_operations(&mut step);
        workflow_task::time_out(&mut step);
    }
    nexus::fire_callbacks(&mut step);
    step.done(Reply::Done)
}
