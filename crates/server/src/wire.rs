//! The gRPC wire: one length-prefixed message in, one out, and the texts that the Go implementation
//! answers with when a message is too large or malformed (behaviour, section 2).
//!
//! Our own instead of a codec crate's, for two reasons: clients match some of these texts to the
//! letter, and history is served as the bytes that are stored, without decoding it.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName};
use http_body::Body;
use http_body_util::BodyExt;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use tonic::Code;

use crate::error::WireError;

/// Bytes that a request message may have.
pub const RECEIVE_MAX: usize = 4 << 20;
/// How a message is compressed. Made once, like all names of headers that come with every call.
pub static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// The flag byte and the length before each message.
const PREFIX: usize = 5;
/// A reply of fewer bytes fits into a few packets, and is not worth the work of compressing it.
const COMPRESS_FROM: usize = 4096;

/// Something that can be written as a protobuf message.
pub trait Encode {
    /// Bytes of the encoding.
    fn size(&self) -> usize;
    /// Writes the encoding.
    fn write(&self, buffer: &mut Vec<u8>);
}

impl<M: Message> Encode for M {
    fn size(&self) -> usize {
        self.encoded_len()
    }

    fn write(&self, buffer: &mut Vec<u8>) {
        // The buffer grows, so there is always room.
        let _ = self.encode(buffer);
    }
}

/// A reply with one more field that is encoded already. Fields may come in any order on the wire,
/// so the field is appended; it must not be set in `message`.
#[derive(Debug, Default)]
pub struct Reply<M> {
    /// All other fields.
    pub message: M,
    /// The field's number and the parts of its value.
    pub appended: Option<(u32, Vec<Bytes>)>,
}

impl<M> Reply<M> {
    /// A reply whose `field` is the message that `parts` are an encoding of.
    pub fn with(message: M, field: u32, parts: Vec<Bytes>) -> Self {
        Self {
            message,
            appended: Some((field, parts)),
        }
    }
}

impl<M> From<M> for Reply<M> {
    fn from(message: M) -> Self {
        Self {
            message,
            appended: None,
        }
    }
}

impl<M: Message> Encode for Reply<M> {
    fn size(&self) -> usize {
        let appended = self.appended.as_ref().map_or(0, |(field, parts)| {
            let size = size_of(parts);
            key_len(*field) + encoded_len_varint(size as u64) + size
        });
        self.message.encoded_len() + appended
    }

    fn write(&self, buffer: &mut Vec<u8>) {
        let _ = self.message.encode(buffer);
        if let Some((field, parts)) = &self.appended {
            encode_key(*field, WireType::LengthDelimited, buffer);
            // One field with all parts: not every client merges a message field that occurs twice.
            encode_varint(size_of(parts) as u64, buffer);
            for part in parts {
                buffer.put_slice(part);
            }
        }
    }
}

fn size_of(parts: &[Bytes]) -> usize {
    parts.iter().map(Bytes::len).sum()
}

/// The message without a prefix, for a reply inside another one.
pub fn encode(message: &impl Encode) -> Bytes {
    let mut buffer = Vec::with_capacity(message.size());
    message.write(&mut buffer);
    buffer.into()
}

/// The message with its prefix, as it goes over the wire.
pub fn frame(message: &impl Encode) -> Bytes {
    let size = message.size();
    let mut buffer = Vec::with_capacity(PREFIX + size);
    buffer.put_u8(0);
    // A reply never comes near 4 GiB: pages and tasks are bounded.
    buffer.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
    message.write(&mut buffer);
    buffer.into()
}

/// A framed reply as a client gets it that compressed its request: with gzip, if that is worth it.
pub fn compressed(framed: Bytes) -> Bytes {
    use std::io::Write;
    if framed.len() < COMPRESS_FROM {
        return framed;
    }
    let room = Vec::with_capacity(framed.len() / 4);
    let mut encoder = flate2::write::GzEncoder::new(room, flate2::Compression::fast());
    let written = encoder.write_all(&framed[PREFIX..]);
    // Writing to memory does not fail; the plain reply would do as well.
    let Ok(zipped) = written.and_then(|()| encoder.finish()) else {
        return framed;
    };
    let mut buffer = BytesMut::with_capacity(PREFIX + zipped.len());
    buffer.put_u8(1);
    buffer.put_u32(u32::try_from(zipped.len()).unwrap_or(u32::MAX));
    buffer.put_slice(&zipped);
    buffer.freeze()
}

/// A framed message without its prefix.
pub fn unframe(mut framed: Bytes) -> Bytes {
    framed.advance(PREFIX.min(framed.len()));
    framed
}

/// How a request's messages are compressed.
pub fn encoding(headers: &HeaderMap) -> Option<&str> {
    headers.get(&GRPC_ENCODING)?.to_str().ok()
}

/// Reads the one message of a unary request.
///
/// # Errors
/// The texts of the Go implementation for a message that is too large, cut off, or compressed in a
/// way that is not served.
pub async fn read<B>(body: B, encoding: Option<&str>) -> Result<Bytes, WireError>
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| WireError::new(Code::Cancelled, "context canceled"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        match &mut rest {
            None if first.is_empty() => first = data,
            None => {
                let mut joined =
                    BytesMut::with_capacity(expected(&first).max(first.len() + data.len()));
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&data);
                rest = Some(joined);
            }
            Some(joined) => joined.extend_from_slice(&data),
        }
        let so_far = rest.as_deref().unwrap_or(&first);
        // Refused as soon as the length is known, before the message is here.
        check_length(so_far)?;
        if so_far.len() >= PREFIX && so_far.len() >= expected(so_far) {
            break;
        }
    }
    // A message in one frame is a slice of the connection's read buffer. What is kept of it for long, such as
    // the input of a pending activity, must not keep that buffer: copy it out.
    let mut message = match rest {
        Some(joined) => joined.freeze(),
        None => Bytes::copy_from_slice(&first),
    };
    if message.len() < PREFIX || message.len() < expected(&message) {
        return Err(WireError::new(Code::Internal, "unexpected EOF"));
    }
    let compressed = message[0] == 1;
    let end = expected(&message);
    message.truncate(end);
    message.advance(PREFIX);
    if compressed {
        decompress(&message, encoding)
    } else {
        Ok(message)
    }
}

/// Bytes of prefix and message together; 0 while the prefix is not complete.
fn expected(prefix: &[u8]) -> usize {
    match prefix {
        [_, a, b, c, d, ..] => PREFIX + u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        _ => 0,
    }
}

fn check_length(prefix: &[u8]) -> Result<(), WireError> {
    let size = expected(prefix).saturating_sub(PREFIX);
    if size <= RECEIVE_MAX {
        return Ok(());
    }
    let text = format!("grpc: received message larger than max ({size} vs. {RECEIVE_MAX})");
    Err(WireError::new(Code::ResourceExhausted, text))
}

fn decompress(message: &[u8], encoding: Option<&str>) -> Result<Bytes, WireError> {
    use std::io::Read;
    if encoding != Some("gzip") {
        let text = format!(
            "grpc: Decompressor is not installed for grpc-encoding \"{}\"",
            encoding.unwrap_or_default()
        );
        return Err(WireError::new(Code::Unimplemented, text));
    }
    let mut plain = Vec::new();
    // One byte more than is allowed tells "too large" from "just fits".
    let limit = RECEIVE_MAX as u64 + 1;
    flate2::read::GzDecoder::new(message)
        .take(limit)
        .read_to_end(&mut plain)
        .map_err(|error| {
            WireError::new(
                Code::Internal,
                format!("grpc: failed to decompress the message: {error}"),
            )
        })?;
    if plain.len() > RECEIVE_MAX {
        let text = format!("grpc: message after decompression larger than max {RECEIVE_MAX}");
        return Err(WireError::new(Code::ResourceExhausted, text));
    }
    Ok(plain.into())
}

/// Decodes a request.
///
/// # Errors
/// The texts of the Go implementation for malformed messages and strings.
pub fn decode<M: Message + Default>(message: Bytes) -> Result<M, WireError> {
    M::decode(message).map_err(|error| {
        let cause = if error.to_string().contains("UTF-8") {
            "string field contains invalid UTF-8"
        } else {
            "proto: cannot parse invalid wire-format data"
        };
        WireError::new(
            Code::Internal,
            format!("grpc: error unmarshalling request: {cause}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};
    use proto::temporal::api::history::v1::{History, HistoryEvent};
    use proto::temporal::api::workflowservice::v1::{
        GetSystemInfoRequest, GetWorkflowExecutionHistoryResponse, StartWorkflowExecutionRequest,
    };

    use super::*;

    fn history(ids: &[i64]) -> History {
        let events = ids.iter().map(|id| HistoryEvent {
            event_id: *id,
            ..Default::default()
        });
        History {
            events: events.collect(),
        }
    }

    #[test]
    fn appended_parts_become_one_field() {
        let message = GetWorkflowExecutionHistoryResponse {
            next_page_token: Bytes::from_static(b"token"),
            ..Default::default()
        };
        let parts = vec![
            history(&[1, 2]).encode_to_vec().into(),
            Bytes::new(),
            history(&[3]).encode_to_vec().into(),
        ];
        let reply = Reply::with(message.clone(), 1, parts);
        let bytes = encode(&reply);
        assert_eq!(bytes.len(), reply.size());
        let decoded = GetWorkflowExecutionHistoryResponse::decode(bytes).unwrap();
        let whole = GetWorkflowExecutionHistoryResponse {
            history: Some(history(&[1, 2, 3])),
            ..message
        };
        assert_eq!(decoded, whole);
        assert_eq!(reply.size(), whole.encoded_len());
    }

    #[tokio::test]
    async fn a_message_may_come_in_pieces() {
        let request = StartWorkflowExecutionRequest {
            workflow_id: "w".repeat(99),
            ..Default::default()
        };
        let framed = frame(&request);
        for size in [1, 4, 5, 6, 50, framed.len()] {
            let pieces = framed.chunks(size).map(|piece| {
                Ok::<_, std::convert::Infallible>(http_body::Frame::data(Bytes::copy_from_slice(
                    piece,
                )))
            });
            let body = StreamBody::new(futures_util::stream::iter(pieces.collect::<Vec<_>>()));
            let message = read(body, None).await.unwrap();
            assert_eq!(
                decode::<StartWorkflowExecutionRequest>(message).unwrap(),
                request
            );
        }
    }

    #[tokio::test]
    async fn refuses_what_is_too_large_by_its_prefix() {
        let mut prefix = BytesMut::new();
        prefix.put_u8(0);
        prefix.put_u32(5_242_942);
        let error = read(Full::new(prefix.freeze()), None).await.unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
        assert_eq!(
            error.message,
            "grpc: received message larger than max (5242942 vs. 4194304)"
        );
        assert!(error.details.is_none());
    }

    #[tokio::test]
    async fn reads_gzip_and_refuses_bombs() {
        use std::io::Write;
        for (size, fits) in [(10, true), (RECEIVE_MAX, true), (RECEIVE_MAX + 1, false)] {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&vec![0; size]).unwrap();
            let zipped = encoder.finish().unwrap();
            let mut framed = BytesMut::new();
            framed.put_u8(1);
            framed.put_u32(zipped.len() as u32);
            framed.extend_from_slice(&zipped);
            let read = read(Full::new(framed.freeze()), Some("gzip")).await;
            assert_eq!(read.is_ok(), fits, "{size}");
        }
    }

    #[tokio::test]
    async fn large_replies_are_compressed() {
        for (size, smaller) in [(100, false), (100_000, true)] {
            let reply = StartWorkflowExecutionRequest {
                workflow_id: "w".repeat(size),
                ..Default::default()
            };
            let framed = frame(&reply);
            let sent = compressed(framed.clone());
            assert_eq!(sent.len() < framed.len(), smaller);
            let message = read(Full::new(sent), Some("gzip")).await.unwrap();
            let decoded: StartWorkflowExecutionRequest = decode(message).unwrap();
            assert_eq!(decoded, reply);
        }
    }

    #[test]
    fn malformed_messages_have_the_texts_of_the_go_implementation() {
        let text = |bytes: &'static [u8]| {
            decode::<StartWorkflowExecutionRequest>(Bytes::from_static(bytes))
                .unwrap_err()
                .message
        };
        assert_eq!(
            text(b"\xff\xff"),
            "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data"
        );
        assert_eq!(
            text(b"\x0a\x02\xff\xfe"),
            "grpc: error unmarshalling request: string field contains invalid UTF-8"
        );
        assert!(decode::<GetSystemInfoRequest>(Bytes::new()).is_ok());
    }
}
