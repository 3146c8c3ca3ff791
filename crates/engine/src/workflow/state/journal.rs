//! Reading a journal back: records into state.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::temporal::api::history::v1::History;
use uuid::Uuid;

use super::State;
use crate::time::Timestamp;
use crate::workflow::record::{ChangeKind, Record};

/// A journal that does not fold: damage, or a record that this version does not know.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A record does not decode.
    #[error("journal record {seq} of run {run_id} does not decode: {source}")]
    Decode {
        /// The run.
        run_id: Uuid,
        /// Which record, from 1.
        seq: u64,
        /// Why.
        source: prost::DecodeError,
    },
    /// The snapshot is of another version of the server.
    #[error("snapshot of run {run_id} does not decode")]
    Snapshot {
        /// The run.
        run_id: Uuid,
    },
    /// The execution is of a kind that only a newer version of the server knows.
    #[error("run {run_id} is of kind {kind}, which is unknown")]
    Kind {
        /// The run.
        run_id: Uuid,
        /// Its kind's number.
        kind: u8,
    },
    /// The journal does not begin with the creation of its run.
    #[error("journal of run {run_id} does not begin with its creation")]
    NoCreation {
        /// The run.
        run_id: Uuid,
    },
}

impl State {
    /// Folds a whole record, as read back from the journal.
    ///
    /// # Errors
    /// When its events do not decode.
    pub(crate) fn apply_record(
        &mut self,
        record: &Record,
        skip_first: bool,
    ) -> Result<(), prost::DecodeError> {
        let events = History::decode(record.history.clone())?.events;
        let mut changes = record.changes.iter().peekable();
        for (index, event) in events.iter().enumerate() {
            while let Some(change) = changes.next_if(|c| c.position as usize <= index) {
                self.apply_change(change, Timestamp(record.time));
            }
            if !(skip_first && index == 0) {
                self.apply_event(event);
            }
        }
        for change in changes {
            self.apply_change(change, Timestamp(record.time));
        }
        self.core.seq += 1;
        self.keep();
        Ok(())
    }
}

/// Reads a journal back.
///
/// # Errors
/// When a record is damaged or the first one does not create a run.
pub fn fold(
    workflow_id: Arc<str>,
    run_id: Uuid,
    from: Option<State>,
    records: impl IntoIterator<Item = Bytes>,
) -> Result<State, JournalError> {
    let mut state = from;
    for bytes in records {
        let seq = state.as_ref().map_or(0, |s| s.core.seq) + 1;
        let decode = |source| JournalError::Decode {
            run_id,
            seq,
            source,
        };
        let record = Record::decode(bytes).map_err(decode)?;
        match &mut state {
            Some(state) => state.apply_record(&record, false).map_err(decode)?,
            None => {
                let created = record.changes.iter().find_map(|change| match &change.kind {
                    Some(ChangeKind::Created(created)) => Some(created),
                    _ => None,
                });
                let events = History::decode(record.history.clone())
                    .map_err(decode)?
                    .events;
                let (Some(created), Some(first)) = (created, events.first()) else {
                    return Err(JournalError::NoCreation { run_id });
                };
                let mut created = State::create(workflow_id.clone(), created, first);
                created.apply_record(&record, true).map_err(decode)?;
                state = Some(created);
            }
        }
    }
    state.ok_or(JournalError::NoCreation { run_id })
}
