//! Nexus: rules that workflows, the frontend and the HTTP side share.
//!
//! - [`endpoint`]: what an endpoint may be.
//! - [`answer`]: what a worker's answer means.
//! - [`operation`]: an operation that somebody waits for. [`asking`]: the requests about it. `stored`: how
//!   snapshots keep it.
//! - [`callback`]: where a completion may be sent, and the token that says whom it is for.
//! - [`failure`]: the failures of the Nexus protocol and those of the API, and which of them are final.
//! - [`link`]: the two ways to write a link.

pub mod answer;
pub mod asking;
pub mod callback;
pub mod endpoint;
pub mod failure;
pub mod link;
pub mod operation;
pub(crate) mod stored;
