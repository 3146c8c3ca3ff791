//! Page tokens of history: opaque to clients, a place in one run's history to us.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use crate::error::WireError;
use crate::shard::HistoryCursor;

/// Batches on a page at most; also what an unset page size means.
pub(super) const PAGE_SIZE_MAX: usize = 256;

#[derive(Clone, PartialEq, Message)]
struct Token {
    /// 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    run_id: Bytes,
    #[prost(uint64, tag = "2")]
    seq: u64,
    #[prost(int64, tag = "3")]
    event_id: i64,
    /// The two directions do not share tokens.
    #[prost(bool, tag = "4")]
    reverse: bool,
    /// Nothing begins here: a wait for the close event goes on.
    #[prost(bool, tag = "5")]
    close_event: bool,
}

/// What a token was made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Forward,
    Reverse,
    CloseEvent,
}

/// The token for a place.
pub(super) fn token(cursor: &HistoryCursor, kind: Kind) -> Bytes {
    Token {
        run_id: Bytes::copy_from_slice(cursor.run_id.as_bytes()),
        seq: cursor.seq,
        event_id: cursor.event_id,
        reverse: kind == Kind::Reverse,
        close_event: kind == Kind::CloseEvent,
    }
    .encode_to_vec()
    .into()
}

/// The place of a token, if there is a token. The request's run id, if any, must agree.
pub(super) fn cursor(
    token: &Bytes,
    run_id: Option<Uuid>,
    reverse: bool,
) -> Result<Option<HistoryCursor>, WireError> {
    if token.is_empty() {
        return Ok(None);
    }
    let invalid = || WireError::invalid("Invalid NextPageToken.");
    let token = Token::decode(token.clone()).map_err(|_| invalid())?;
    let pinned = Uuid::from_slice(&token.run_id).map_err(|_| invalid())?;
    if token.reverse != reverse {
        return Err(invalid());
    }
    if run_id.is_some_and(|run_id| run_id != pinned) {
        return Err(WireError::invalid(
            "RunId in the request does not match the NextPageToken.",
        ));
    }
    Ok(Some(HistoryCursor {
        run_id: pinned,
        seq: token.seq,
        event_id: token.event_id,
    }))
}

/// How many batches a page has. What makes no sense means all that fit.
pub(super) fn page_size(asked: i32) -> usize {
    match usize::try_from(asked) {
        Ok(size) if (1..=PAGE_SIZE_MAX).contains(&size) => size,
        _ => PAGE_SIZE_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lead_back_to_their_place() {
        let place = HistoryCursor {
            run_id: Uuid::from_u128(7),
            seq: 3,
            event_id: 9,
        };
        let forward = token(&place, Kind::Forward);
        assert_eq!(cursor(&forward, None, false), Ok(Some(place)));
        assert_eq!(cursor(&forward, Some(place.run_id), false), Ok(Some(place)));
        assert_eq!(cursor(&Bytes::new(), None, false), Ok(None));
        let refused =
            |token: &Bytes, run_id, reverse| cursor(token, run_id, reverse).unwrap_err().message;
        assert_eq!(refused(&forward, None, true), "Invalid NextPageToken.");
        assert_eq!(
            refused(&Bytes::from_static(b"xx"), None, false),
            "Invalid NextPageToken."
        );
        assert_eq!(
            refused(&forward, Some(Uuid::nil()), false),
            "RunId in the request does not match the NextPageToken."
        );
    }

    #[test]
    fn page_sizes_are_capped() {
        for (asked, size) in [(0, 256), (-1, 256), (1, 1), (256, 256), (257, 256)] {
            assert_eq!(page_size(asked), size);
        }
    }
}
