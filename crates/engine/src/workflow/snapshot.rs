//! A snapshot is a cache of the fold (DESIGN section 1): written when the records since the last one
//! outweigh it, thrown away whenever it does not decode. So its format may change freely: the first byte
//! says which one it is, and another one's bytes do not decode.

mod format;
mod nexus;
mod pending;
mod time_skipping;
mod versioning;

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use uuid::Uuid;

use super::state::State;

/// Raised with every change of the format.
const VERSION: u8 = 4;

/// Everything durable of a state as bytes. It is for the caller to say when that is worth it.
pub fn snapshot(state: &State) -> Option<Bytes> {
    let message = format::Snapshot::of(state);
    let mut bytes = BytesMut::with_capacity(1 + message.encoded_len());
    bytes.put_u8(VERSION);
    message.encode(&mut bytes).ok()?;
    Some(bytes.freeze())
}

/// The state back from its bytes; `None` when they are of another version, of another run, or damaged.
pub(super) fn decode_snapshot(workflow_id: Arc<str>, run_id: Uuid, bytes: &Bytes) -> Option<State> {
    if bytes.first() != Some(&VERSION) {
        return None;
    }
    let message = format::Snapshot::decode(bytes.slice(1..)).ok()?;
    let state = message.into_state(workflow_id)?;
    (state.run_id == run_id).then_some(state)
}
