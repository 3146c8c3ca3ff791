//! Looking into encoded `History` messages without decoding them: where one event ends and the next begins.
//!
//! A `History` is nothing but events, each a length-delimited field 1, so that fragments concatenate and any
//! cut between two events gives two valid messages.

use bytes::{Buf, Bytes};
use engine::ids::EventId;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encoded_len_varint, skip_field,
};

/// The field number of `History.events`.
const EVENTS: u32 = 1;
/// The field number of `HistoryEvent.event_id`.
const EVENT_ID: u32 = 1;

/// The events of an encoded record as a part of it, so that both share one buffer of the right size. A record's
/// events are its first field.
pub(super) fn of_record(record: &Bytes, history: &Bytes) -> Bytes {
    if history.is_empty() {
        return Bytes::new();
    }
    // Lengths in memory always fit.
    let begin = 1 + encoded_len_varint(history.len() as u64);
    match record.get(begin..begin + history.len()) {
        Some(part) if part == history => record.slice_ref(part),
        _ => Bytes::copy_from_slice(history),
    }
}

/// Cuts an encoded `History` into its events, each again a valid `History`. What does not parse ends the walk:
/// these bytes are the engine's own.
pub(super) fn split(history: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let end = at + event_length(&history[at..])?;
        let event = history.slice(at..end);
        at = end;
        Some(event)
    })
}

/// Number of events.
pub(super) fn count(history: &[u8]) -> usize {
    let mut rest = history;
    let mut count = 0;
    while let Some(length) = event_length(rest) {
        rest = &rest[length..];
        count += 1;
    }
    count
}

/// What follows the first `skip` events.
pub(super) fn skip(history: &Bytes, skip: usize) -> Bytes {
    let mut at = 0;
    for _ in 0..skip {
        match event_length(&history[at..]) {
            Some(length) => at += length,
            None => break,
        }
    }
    history.slice(at..)
}

/// The first `take` events.
pub(super) fn take(history: &Bytes, take: usize) -> Bytes {
    let rest = skip(history, take);
    history.slice(..history.len() - rest.len())
}

/// The id of the first event; `None` without one.
pub(super) fn first_id(history: &[u8]) -> Option<EventId> {
    let mut rest = history;
    let body_length = header(&mut rest)?;
    let mut body = rest.get(..body_length)?;
    while body.has_remaining() {
        let (field, wire) = decode_key(&mut body).ok()?;
        if field == EVENT_ID && wire == WireType::Varint {
            return decode_varint(&mut body).ok().map(|id| id as i64);
        }
        skip_field(wire, field, &mut body, DecodeContext::default()).ok()?;
    }
    None
}

/// Bytes of the first event, its header included.
fn event_length(history: &[u8]) -> Option<usize> {
    let mut rest = history;
    let body = header(&mut rest)?;
    let length = (history.len() - rest.len()).checked_add(body)?;
    (length <= history.len()).then_some(length)
}

/// Reads an event's header; gives the length of what follows.
fn header(rest: &mut &[u8]) -> Option<usize> {
    if rest.is_empty() {
        return None;
    }
    let (field, wire) = decode_key(rest).ok()?;
    if field != EVENTS || wire != WireType::LengthDelimited {
        return None;
    }
    usize::try_from(decode_varint(rest).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use proto::temporal::api::history::v1::{History, HistoryEvent};

    use super::*;

    fn history(ids: std::ops::Range<i64>) -> Bytes {
        let events = ids.map(|event_id| HistoryEvent {
            event_id,
            task_id: 300,
            ..Default::default()
        });
        History {
            events: events.collect(),
        }
        .encode_to_vec()
        .into()
    }

    #[test]
    fn cuts_fall_between_events() {
        let all = history(5..9);
        assert_eq!(count(&all), 4);
        assert_eq!(first_id(&all), Some(5));
        assert_eq!(skip(&all, 1), history(6..9));
        assert_eq!(take(&all, 3), history(5..8));
        assert_eq!(skip(&all, 9), Bytes::new());
        assert_eq!(
            split(&all).collect::<Vec<_>>(),
            (5..9).map(|i| history(i..i + 1)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_record_and_its_events_share_their_bytes() {
        let record = engine::workflow::Record {
            history: history(1..40),
            time: 7,
            ..Default::default()
        };
        let bytes = record.encode();
        let part = of_record(&bytes, &record.history);
        assert_eq!(part, record.history);
        assert!(bytes.as_ptr_range().contains(&part.as_ptr()));
        assert_eq!(of_record(&bytes, &Bytes::new()), Bytes::new());
    }

    #[test]
    fn nothing_has_no_events() {
        assert_eq!(count(&[]), 0);
        assert_eq!(first_id(&[]), None);
        assert_eq!(split(&Bytes::new()).count(), 0);
    }
}
