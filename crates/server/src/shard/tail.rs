//! The end of a run's history, kept beside its state so that polls and waits need no read of the store.

use std::collections::VecDeque;

use bytes::Bytes;
use engine::ids::EventId;

use super::events;

/// Bytes of history kept for each cached run: the whole of a short one.
const BYTES_MAX: usize = 64 << 10;

/// The last records of a journal that have events.
#[derive(Debug, Default)]
pub(super) struct Tail {
    batches: VecDeque<TailBatch>,
    bytes: usize,
}

/// The events of one record.
#[derive(Debug, Clone)]
pub(super) struct TailBatch {
    /// The record.
    pub(super) seq: u64,
    /// Its first event.
    pub(super) first_event_id: EventId,
    /// An encoded `History`.
    pub(super) history: Bytes,
}

impl Tail {
    /// Appends the events of the newest record. Records without events leave no trace.
    pub(super) fn push(&mut self, seq: u64, first_event_id: EventId, history: Bytes) {
        if history.is_empty() {
            return;
        }
        self.bytes += history.len();
        self.batches.push_back(TailBatch {
            seq,
            first_event_id,
            history,
        });
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= oldest.history.len();
        }
    }

    /// Fills an empty tail from the newest records of a journal, newest first; `next_event_id` is the
    /// one after all of them. Takes no more of them than it has room for.
    pub(super) fn fill(
        &mut self,
        newest_first: impl Iterator<Item = (u64, Bytes)>,
        next_event_id: EventId,
    ) {
        let mut first = next_event_id;
        for (seq, history) in newest_first {
            if history.is_empty() {
                continue;
            }
            self.bytes += history.len();
            if self.bytes > BYTES_MAX {
                self.bytes -= history.len();
                break;
            }
            // Events of one record: far below the range of an id.
            first -= events::count(&history) as EventId;
            self.batches.push_front(TailBatch {
                seq,
                first_event_id: first,
                history,
            });
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All batches that have events from `event_id` on, the first one cut; `None` when some of them are not
    /// here any more.
    pub(super) fn from(&self, event_id: EventId) -> Option<Vec<TailBatch>> {
        let first = self.batches.front()?.first_event_id;
        if event_id < first {
            return None;
        }
        let behind = self
            .batches
            .partition_point(|batch| batch.first_event_id <= event_id);
        let mut found: Vec<TailBatch> = self
            .batches
            .range(behind.saturating_sub(1)..)
            .cloned()
            .collect();
        if let Some(batch) = found.first_mut() {
            let skip = usize::try_from(event_id - batch.first_event_id).unwrap_or(0);
            batch.history = events::skip(&batch.history, skip);
            batch.first_event_id = event_id;
        }
        found.retain(|batch| !batch.history.is_empty());
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use proto::temporal::api::history::v1::{History, HistoryEvent};

    use super::*;

    fn history(ids: std::ops::Range<i64>) -> Bytes {
        let events = ids.map(|event_id| HistoryEvent {
            event_id,
            ..Default::default()
        });
        History {
            events: events.collect(),
        }
        .encode_to_vec()
        .into()
    }

    fn join(batches: Option<Vec<TailBatch>>) -> Option<Bytes> {
        batches.map(|all| all.iter().flat_map(|b| b.history.clone()).collect())
    }

    #[test]
    fn gives_events_from_any_place() {
        let mut tail = Tail::default();
        tail.push(1, 1, history(1..3));
        tail.push(2, 3, Bytes::new());
        tail.push(3, 3, history(3..6));
        assert_eq!(join(tail.from(1)), Some(history(1..6)));
        assert_eq!(join(tail.from(2)), Some(history(2..6)));
        assert_eq!(join(tail.from(4)), Some(history(4..6)));
        assert_eq!(join(tail.from(6)), Some(Bytes::new()));
    }

    #[test]
    fn is_filled_from_a_journal() {
        let mut tail = Tail::default();
        let journal = [(6, history(9..10)), (5, Bytes::new()), (4, history(7..9))];
        tail.fill(journal.into_iter(), 10);
        assert!(tail.from(6).is_none());
        assert_eq!(join(tail.from(7)), Some(history(7..10)));
        assert_eq!(tail.from(9).unwrap()[0].seq, 6);
    }

    #[test]
    fn forgets_the_oldest_beyond_its_bound() {
        let mut tail = Tail::default();
        for id in 1..30_000 {
            tail.push(id as u64, id, history(id..id + 1));
        }
        assert!(tail.bytes() <= BYTES_MAX);
        assert!(tail.from(1).is_none());
        assert_eq!(join(tail.from(29_990)), Some(history(29_990..30_000)));
    }
}
