//! What clients ask of a workflow: one file a verb, named as the wire names it.

pub(crate) mod request_cancel;
pub(crate) mod reset_sticky;
pub(crate) mod signal;
pub(crate) mod start;
pub(crate) mod terminate;
