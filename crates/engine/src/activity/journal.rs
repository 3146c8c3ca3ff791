//! Reading a journal back, and the snapshot that shortens it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use uuid::Uuid;

use super::record::{ChangeKind, Record};
use super::state::{Core, State};
use crate::workflow::state::journal::JournalError;

/// Raised with every change of the format that is more than an added field.
const VERSION: u8 = 1;

/// Everything durable of a state as bytes.
pub fn snapshot(state: &State) -> Option<Bytes> {
    let mut bytes = BytesMut::with_capacity(1 + state.core.encoded_len());
    bytes.put_u8(VERSION);
    state.core.encode(&mut bytes).ok()?;
    Some(bytes.freeze())
}

fn decode_snapshot(activity_id: Arc<str>, run_id: Uuid, bytes: &Bytes) -> Option<State> {
    if bytes.first() != Some(&VERSION) {
        return None;
    }
    let core = Core::decode(bytes.slice(1..)).ok()?;
    let namespace_id = Uuid::from_slice(&core.namespace_id).ok()?;
    Some(State {
        activity_id,
        run_id,
        namespace_id,
        core,
        offered: false,
        calling: BTreeSet::new(),
    })
}

/// Reads an activity back from its journal, from a snapshot on if there is one.
///
/// # Errors
/// When the journal is damaged, or the snapshot is of another version: then the caller loads without it.
pub fn load(
    activity_id: Arc<str>,
    run_id: Uuid,
    snapshot: Option<Bytes>,
    records: impl IntoIterator<Item = Bytes>,
) -> Result<State, JournalError> {
    let mut state = match snapshot {
        Some(bytes) => Some(
            decode_snapshot(activity_id.clone(), run_id, &bytes)
                .ok_or(JournalError::Snapshot { run_id })?,
        ),
        None => None,
    };
    for bytes in records {
        let seq = state.as_ref().map_or(0, |state| state.core.seq) + 1;
        let record = Record::decode(bytes).map_err(|source| JournalError::Decode {
            run_id,
            seq,
            source,
        })?;
        let mut changes = record
            .changes
            .iter()
            .filter_map(|change| change.kind.as_ref());
        let state = match &mut state {
            Some(state) => state,
            none => match changes.next() {
                Some(ChangeKind::Created(created)) => none.insert(State::create(
                    activity_id.clone(),
                    run_id,
                    created,
                    record.time,
                )),
                _ => return Err(JournalError::NoCreation { run_id }),
            },
        };
        for change in changes {
            state.apply(change, record.time);
        }
        state.count(&record);
    }
    state.ok_or(JournalError::NoCreation { run_id })
}
