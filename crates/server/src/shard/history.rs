//! Reading history: from the tail beside a state where that reaches, else from the store by records.
//!
//! The shard only says what there is; the store is read by the caller's own task. Everything that the
//! shard points to is durable by the time its answer arrives.

use bytes::Bytes;
use engine::ids::EventId;
use engine::workflow::record::Record;
use engine::workflow::transition::WorkflowTask;
use prost::Message as _;
use proto::temporal::api::history::v1::{History, HistoryEvent};
use store::{ExecutionKey, RecordRange, Store};

use super::cell::Cell;
use super::tail::TailBatch;
use super::{CallError, HistoryCursor, HistoryPage, HistoryRequest, TaskHistory, events};

/// Records that have events on one page (behaviour, section 3.4).
const BATCHES_MAX: usize = 256;
/// Bytes at which a page is full; one record more may come on top.
const PAGE_BYTES: usize = 2 << 20;
/// Records looked through at a time when the record of an event is searched.
const SEEK_RECORDS: usize = 256;

/// The history of a workflow task, as far as the shard knows it.
pub(super) enum TaskHistoryPlan {
    /// All of it.
    Ready(TaskHistory),
    /// It is in the store.
    Stored {
        /// The run.
        key: ExecutionKey,
        /// The first event to send.
        from: EventId,
        /// The last one.
        to: EventId,
        /// The record that has the last one, or a later one.
        to_seq: u64,
        /// What follows.
        unstored: Bytes,
    },
}

impl TaskHistoryPlan {
    /// For a workflow task just started; takes its unstored events.
    pub(super) fn new(cell: &Cell, task: &mut WorkflowTask) -> Self {
        let unstored = encode(std::mem::take(&mut task.unstored));
        Self::of(cell, task.history_from, task.history_to, unstored)
    }

    /// For the stored events between two, and what follows them.
    pub(super) fn of(cell: &Cell, from: EventId, to: EventId, unstored: Bytes) -> Self {
        if from > to {
            return Self::Ready(TaskHistory {
                fragments: not_empty(unstored).into_iter().collect(),
                next: None,
            });
        }
        match cell.tail.from(from) {
            // A longer one comes in pages, as any long history does.
            Some(batches) if batches.len() <= BATCHES_MAX => {
                let mut fragments: Vec<Bytes> = batches
                    .into_iter()
                    .filter_map(|batch| cut(batch, to))
                    .collect();
                fragments.extend(not_empty(unstored));
                Self::Ready(TaskHistory {
                    fragments,
                    next: None,
                })
            }
            _ => Self::Stored {
                key: cell.key.clone(),
                from,
                to,
                to_seq: cell.state.seq(),
                unstored,
            },
        }
    }

    /// Reads what is missing.
    pub(super) async fn complete(self, store: &dyn Store) -> Result<TaskHistory, CallError> {
        let (key, from, to, to_seq, unstored) = match self {
            Self::Ready(history) => return Ok(history),
            Self::Stored {
                key,
                from,
                to,
                to_seq,
                unstored,
            } => (key, from, to, to_seq, unstored),
        };
        let seq = seek(store, &key, to_seq, from).await?;
        let start = HistoryCursor {
            run_id: key.run_id,
            seq,
            event_id: from,
        };
        let page = read_forward(store, &key, start, to_seq, to, BATCHES_MAX).await?;
        let mut fragments = page.fragments;
        if page.more {
            return Ok(TaskHistory {
                fragments,
                next: Some(page.next),
            });
        }
        fragments.extend(not_empty(unstored));
        Ok(TaskHistory {
            fragments,
            next: None,
        })
    }
}

/// What a reader of history sees of a state.
pub(super) struct View {
    key: ExecutionKey,
    open: bool,
    last_seq: u64,
    last_event_id: EventId,
    /// Stored with a later event: everybody sees them.
    unstored: Vec<HistoryEvent>,
    /// Of a transient workflow task.
    transient: Vec<HistoryEvent>,
    /// All stored events from the cursor on (in reverse: all events), if they are in memory.
    tail: Option<Vec<TailBatch>>,
}

impl View {
    /// Looks at a state for a page.
    pub(super) fn new(cell: &Cell, request: &HistoryRequest) -> Self {
        let unstored = match cell.state.workflow() {
            Some(state) if !request.reverse => engine::workflow::unstored_events(state),
            _ => engine::workflow::Unstored::default(),
        };
        let from = if request.reverse {
            1
        } else {
            request.from.map_or(1, |cursor| cursor.event_id)
        };
        Self {
            key: cell.key.clone(),
            open: cell.state.is_open(),
            last_seq: cell.state.seq(),
            last_event_id: cell.state.next_event_id() - 1,
            unstored: unstored.certain,
            transient: unstored.transient,
            tail: cell.tail.from(from),
        }
    }

    /// Makes the page.
    pub(super) async fn page(
        self,
        request: &HistoryRequest,
        store: &dyn Store,
    ) -> Result<HistoryPage, CallError> {
        let page_size = match request.page_size {
            0 => BATCHES_MAX,
            size => size.min(BATCHES_MAX),
        };
        if request.reverse {
            return self.reverse_page(request.from, page_size, store).await;
        }
        let run_id = self.key.run_id;
        let start = request.from.unwrap_or(HistoryCursor {
            run_id,
            seq: 1,
            event_id: 1,
        });
        let part = match self.tail {
            Some(batches) => part_forward(batches, start, page_size),
            None if start.event_id > self.last_event_id => Part {
                fragments: Vec::new(),
                next: start,
                more: false,
            },
            None => {
                read_forward(
                    store,
                    &self.key,
                    start,
                    self.last_seq,
                    self.last_event_id,
                    page_size,
                )
                .await?
            }
        };
        let Part {
            mut fragments,
            mut next,
            more,
        } = part;
        if !more {
            next.seq = next.seq.max(self.last_seq + 1);
            let mut unstored = self.unstored;
            unstored.retain(|event| event.event_id >= start.event_id);
            next.event_id = unstored
                .last()
                .map_or(next.event_id, |event| next.event_id.max(event.event_id + 1));
            if request.transient {
                unstored.extend(self.transient);
            }
            fragments.extend(not_empty(encode(unstored)));
        }
        Ok(HistoryPage {
            run_id,
            fragments,
            next,
            more,
            open: self.open,
        })
    }

    async fn reverse_page(
        self,
        from: Option<HistoryCursor>,
        page_size: usize,
        store: &dyn Store,
    ) -> Result<HistoryPage, CallError> {
        let run_id = self.key.run_id;
        let start = from.unwrap_or(HistoryCursor {
            run_id,
            seq: self.last_seq,
            event_id: self.last_event_id,
        });
        let part = match self.tail {
            Some(batches) => part_reverse(batches, start, page_size),
            None => read_reverse(store, &self.key, start, page_size).await?,
        };
        Ok(HistoryPage {
            run_id,
            fragments: part.fragments,
            next: part.next,
            more: part.more,
            open: self.open,
        })
    }
}

/// Some batches and where they end.
struct Part {
    fragments: Vec<Bytes>,
    next: HistoryCursor,
    more: bool,
}

/// The first batches in memory, which begin at the cursor.
fn part_forward(batches: Vec<TailBatch>, start: HistoryCursor, page_size: usize) -> Part {
    let mut next = start;
    let more = batches.len() > page_size;
    let mut fragments = Vec::with_capacity(batches.len().min(page_size));
    for batch in batches.into_iter().take(page_size) {
        next.seq = batch.seq + 1;
        next.event_id = batch.first_event_id + count(&batch.history);
        fragments.push(batch.history);
    }
    Part {
        fragments,
        next,
        more,
    }
}

/// The last batches in memory before the cursor, newest event first.
fn part_reverse(batches: Vec<TailBatch>, start: HistoryCursor, page_size: usize) -> Part {
    let mut next = start;
    let mut fragments = Vec::new();
    let before = batches
        .into_iter()
        .filter_map(|batch| cut(batch.clone(), start.event_id).map(|cut| (batch, cut)));
    for (batch, history) in before.collect::<Vec<_>>().into_iter().rev().take(page_size) {
        next.seq = batch.seq - 1;
        next.event_id = batch.first_event_id - 1;
        push_reversed(&mut fragments, &history);
    }
    Part {
        fragments,
        next,
        more: next.event_id > 0,
    }
}

/// Reads from the cursor up to record `to_seq` and event `to`.
async fn read_forward(
    store: &dyn Store,
    key: &ExecutionKey,
    start: HistoryCursor,
    to_seq: u64,
    to: EventId,
    page_size: usize,
) -> Result<Part, CallError> {
    let mut part = Part {
        fragments: Vec::new(),
        next: start,
        more: true,
    };
    let mut bytes = 0;
    while part.fragments.len() < page_size && bytes < PAGE_BYTES {
        let range = RecordRange {
            from: part.next.seq,
            to: to_seq,
            count_max: page_size - part.fragments.len(),
            bytes_max: PAGE_BYTES - bytes,
            reverse: false,
        };
        let records = if range.from > to_seq {
            Vec::new()
        } else {
            read(store, key, range).await?
        };
        if records.is_empty() {
            part.more = false;
            break;
        }
        for (seq, history) in records {
            part.next.seq = seq + 1;
            let Some(first_event_id) = events::first_id(&history) else {
                continue;
            };
            let behind = usize::try_from(start.event_id - first_event_id).unwrap_or(0);
            let history = events::skip(&history, behind);
            let first_event_id = first_event_id.max(start.event_id);
            let Some(history) = cut(
                TailBatch {
                    seq,
                    first_event_id,
                    history,
                },
                to,
            ) else {
                continue;
            };
            part.next.event_id = first_event_id + count(&history);
            bytes += history.len();
            part.fragments.push(history);
        }
    }
    part.more = part.more && part.next.event_id <= to;
    Ok(part)
}

/// Reads from the cursor down to the first event.
async fn read_reverse(
    store: &dyn Store,
    key: &ExecutionKey,
    start: HistoryCursor,
    page_size: usize,
) -> Result<Part, CallError> {
    let mut part = Part {
        fragments: Vec::new(),
        next: start,
        more: true,
    };
    let (mut bytes, mut batches) = (0, 0);
    while batches < page_size && bytes < PAGE_BYTES && part.next.seq > 0 {
        let range = RecordRange {
            from: 1,
            to: part.next.seq,
            count_max: page_size - batches,
            bytes_max: PAGE_BYTES - bytes,
            reverse: true,
        };
        let records = read(store, key, range).await?;
        if records.is_empty() {
            break;
        }
        for (seq, history) in records {
            part.next.seq = seq - 1;
            let Some(first_event_id) = events::first_id(&history) else {
                continue;
            };
            let batch = TailBatch {
                seq,
                first_event_id,
                history,
            };
            let Some(history) = cut(batch, start.event_id) else {
                continue;
            };
            part.next.event_id = first_event_id - 1;
            bytes += history.len();
            batches += 1;
            push_reversed(&mut part.fragments, &history);
        }
    }
    part.more = part.next.seq > 0 && part.next.event_id > 0;
    Ok(part)
}

/// The record that has this event, or one before it, walking back from `to_seq`.
async fn seek(
    store: &dyn Store,
    key: &ExecutionKey,
    to_seq: u64,
    event_id: EventId,
) -> Result<u64, CallError> {
    if event_id <= 1 {
        return Ok(1);
    }
    let mut to = to_seq;
    while to > 0 {
        let range = RecordRange {
            from: 1,
            to,
            count_max: SEEK_RECORDS,
            bytes_max: PAGE_BYTES,
            reverse: true,
        };
        let records = read(store, key, range).await?;
        if records.is_empty() {
            break;
        }
        for (seq, history) in records {
            if events::first_id(&history).is_some_and(|first| first <= event_id) {
                return Ok(seq);
            }
            to = seq - 1;
        }
    }
    Ok(1)
}

/// Reads records and takes their events out.
async fn read(
    store: &dyn Store,
    key: &ExecutionKey,
    range: RecordRange,
) -> Result<Vec<(u64, Bytes)>, CallError> {
    let records = store
        .records(key, range)
        .await
        .map_err(|error| CallError::Unavailable(error.to_string()))?;
    records
        .into_iter()
        .map(|(seq, bytes)| match Record::decode(bytes) {
            Ok(record) => Ok((seq, record.history)),
            Err(error) => {
                tracing::error!(?key, seq, %error, "a record of the journal does not decode");
                Err(CallError::Rejected(engine::rejection::Rejection::Internal(
                    format!("record {seq} does not decode: {error}"),
                )))
            }
        })
        .collect()
}

/// A batch's events up to event `to`; `None` if there are none.
fn cut(batch: TailBatch, to: EventId) -> Option<Bytes> {
    let wanted = usize::try_from(to - batch.first_event_id + 1)
        .ok()
        .filter(|wanted| *wanted > 0)?;
    not_empty(events::take(&batch.history, wanted))
}

fn push_reversed(fragments: &mut Vec<Bytes>, history: &Bytes) {
    let begin = fragments.len();
    fragments.extend(events::split(history));
    fragments[begin..].reverse();
}

fn count(history: &[u8]) -> EventId {
    // Events of one record: far below the range of an id.
    events::count(history) as EventId
}

fn not_empty(fragment: Bytes) -> Option<Bytes> {
    (!fragment.is_empty()).then_some(fragment)
}

fn encode(events: Vec<HistoryEvent>) -> Bytes {
    History { events }.encode_to_vec().into()
}
