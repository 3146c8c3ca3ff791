//! What clients ask of a schedule.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod patch;
pub(super) mod update;
