//! What clients ask of a workflow: one file a verb, named as the wire names it.

mod activity_selection;
pub(crate) mod delete;
pub(crate) mod pause_activity;
pub(crate) mod pause_workflow;
pub(crate) mod request_cancel;
pub(crate) mod reset;
pub(crate) mod reset_activity;
mod reset_reapply;
pub(crate) mod reset_sticky;
pub(crate) mod signal;
pub(crate) mod start;
mod start_new;
pub(crate) mod terminate;
pub(crate) mod unpause_activity;
pub(crate) mod unpause_workflow;
pub(crate) mod update;
pub(crate) mod update_activity_options;
pub(crate) mod update_workflow_options;
